package chunker

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "add the golden cuts when the file does not exist yet")

const goldenFile = "testdata/cuts-v1.txt"

// goldenInput is 8 MiB: 3 MiB of splitmix64 output seeded with 1 (little-endian words), 2 MiB of
// zeros, 1 MiB of a counted text, 2 MiB of splitmix64 output seeded with 2 whose bytes keep only
// their low 3 bits.
func goldenInput() []byte {
	data := splitmix(1, 3<<20)
	data = append(data, make([]byte, 2<<20)...)
	var text []byte
	for i := 0; len(text) < 1<<20; i++ {
		text = fmt.Appendf(text, "%d;corridor %d;%x\n", i, i%17, i*i)
	}
	data = append(data, text[:1<<20]...)
	for _, b := range splitmix(2, 2<<20) {
		data = append(data, b&7)
	}
	return data
}

func splitmix(seed uint64, n int) (data []byte) {
	for len(data) < n {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		data = binary.LittleEndian.AppendUint64(data, z^z>>31)
	}
	return data[:n]
}

func goldenCuts() string {
	var b strings.Builder
	b.WriteString("# class, key, sizes of the chunks of the golden input. These lines never change.\n")
	data := goldenInput()
	for _, key := range [][32]byte{{}, testKey()} {
		for _, class := range []Class{Small, Medium, Large} {
			fmt.Fprintf(&b, "%s %x %v\n", class.Name, key, cutAll(New(class, key), data))
		}
	}
	return b.String()
}

func TestCutsNeverChange(t *testing.T) {
	got := goldenCuts()
	want, err := os.ReadFile(goldenFile)
	if os.IsNotExist(err) && *update {
		err = os.WriteFile(goldenFile, []byte(got), 0o644)
		want = []byte(got)
	}
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	if len(gotLines) != len(wantLines) {
		t.Fatalf("%d golden lines, want %d", len(gotLines), len(wantLines))
	}
	for i := range wantLines {
		if gotLines[i] != wantLines[i] {
			t.Errorf("line %d of %s:\n got  %s\n want %s", i+1, goldenFile, gotLines[i], wantLines[i])
		}
	}
}
