package chunker

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func testKey() (key [32]byte) {
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

func randomBytes(seed byte, n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

func textBytes(n int) []byte {
	words := strings.Fields("the quick backup of every lake, func return err != nil { } table row 2026 corridor select from")
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%s%c", words[r.IntN(len(words))], " \n\t "[r.IntN(4)])
	}
	return b.Bytes()[:n]
}

func cutAll(c *Chunker, data []byte) (sizes []int) {
	for len(data) > 0 {
		n := c.Cut(data, true)
		sizes, data = append(sizes, n), data[n:]
	}
	return sizes
}

func TestMeanChunkIsTheAverage(t *testing.T) {
	data := randomBytes(3, 128<<20)
	for _, class := range []Class{Small, Medium, Large} {
		sizes := cutAll(New(class, testKey()), data)
		mean := float64(len(data)) / float64(len(sizes))
		// The standard error of the mean is average/2 over the root of the number of chunks.
		if ratio := mean / float64(class.Average); ratio < 0.9 || ratio > 1.1 {
			t.Errorf("%s: mean of %d chunks is %.0f bytes, want %d ± 10 %%", class.Name, len(sizes), mean, class.Average)
		}
	}
}

func TestChunksStayWithinMinAndMax(t *testing.T) {
	inputs := map[string][]byte{
		"random": randomBytes(4, 24<<20), "text": textBytes(24 << 20), "zero": make([]byte, 24<<20),
	}
	for _, class := range Classes() {
		for name, data := range inputs {
			sizes := cutAll(New(class, testKey()), data)
			for i, n := range sizes[:len(sizes)-1] {
				if n < class.Min || n > class.Max {
					t.Errorf("%s, %s: chunk %d has %d bytes, want %d to %d", class.Name, name, i, n, class.Min, class.Max)
				}
			}
		}
	}
}

func TestRunsOfOneByteAreCutAtMax(t *testing.T) {
	c := New(Small, testKey())
	for b := range 256 {
		data := bytes.Repeat([]byte{byte(b)}, 2*Small.Max)
		if sizes := cutAll(c, data); !slices.Equal(sizes, []int{Small.Max, Small.Max}) {
			t.Errorf("run of byte %d: chunks of %v bytes, want two of %d", b, sizes, Small.Max)
		}
	}
}

func TestDataBelowMinIsOneChunk(t *testing.T) {
	for _, class := range Classes() {
		c := New(class, testKey())
		for _, n := range []int{1, 63, 64, 65, class.Min - 1, class.Min} {
			if got := c.Cut(randomBytes(5, n), true); got != n {
				t.Errorf("%s: first chunk of %d bytes has %d, want all", class.Name, n, got)
			}
		}
		if got := c.Cut(nil, true); got != 0 {
			t.Errorf("%s: first chunk of nothing has %d bytes, want 0", class.Name, got)
		}
	}
}

func TestCutAsksForMoreOnlyBelowMax(t *testing.T) {
	for _, class := range Classes() {
		c, zero := New(class, testKey()), make([]byte, class.Max+1)
		for n, want := range map[int]int{0: 0, class.Min - 1: 0, class.Max - 1: 0, class.Max: class.Max, class.Max + 1: class.Max} {
			if got := c.Cut(zero[:n], false); got != want {
				t.Errorf("%s: cut of %d zero bytes is %d, want %d", class.Name, n, got, want)
			}
		}
	}
}

// slowHash sums the definition of h(p) in the package comment, term by term.
func slowHash(c *Chunker, data []byte, p int) (h uint64) {
	for i := range window {
		h += c.table[data[p-1-i]] << i
	}
	return h
}

func TestCutsFollowTheDefinition(t *testing.T) {
	c, data := New(Small, testKey()), randomBytes(6, 1<<20)
	for start := 0; start < len(data); {
		want := min(start+Small.Max, len(data))
		for p := start + Small.Min; p < want; p++ {
			if slowHash(c, data, p) < c.threshold {
				want = p
			}
		}
		if got := start + c.Cut(data[start:], true); got != want {
			t.Fatalf("chunk at %d ends at %d, want %d", start, got, want)
		}
		start = want
	}
}

func TestFourLanesFindWhatOneFinds(t *testing.T) {
	class := Class{Name: "dense", Min: 512, Average: 1024, Max: 1 << 20}
	sparse := Class{Name: "sparse", Min: 512, Average: 8192, Max: 1 << 20}
	data := randomBytes(13, 4*block+lane+77)
	for _, class := range []Class{class, sparse} {
		c := New(class, testKey())
		for from := window; from < len(data); from += 13 {
			for _, end := range []int{len(data), min(len(data), from+block), min(len(data), from+2*block+5)} {
				if got, want := c.scan(data[:end], from), c.scanBytes(data[:end], from); got != want {
					t.Fatalf("%s: first candidate in %d to %d is %d, want %d", class.Name, from, end, got, want)
				}
			}
		}
	}
}

func TestAnInsertOrDeleteChangesFewChunks(t *testing.T) {
	c, data := New(Small, testKey()), randomBytes(7, 16<<20)
	before := map[string]bool{}
	for _, chunk := range chunks(c, data) {
		before[string(chunk)] = true
	}
	middle := len(data) / 2
	edits := map[string][]byte{
		"insert": slices.Concat(data[:middle], []byte("one more row"), data[middle:]),
		"delete": slices.Concat(data[:middle], data[middle+1000:]),
		"change": slices.Concat(data[:middle], []byte{^data[middle]}, data[middle+1:]),
	}
	for name, edited := range edits {
		fresh := 0
		for _, chunk := range chunks(c, edited) {
			if !before[string(chunk)] {
				fresh++
			}
		}
		if fresh < 1 || fresh > 6 {
			t.Errorf("%s in the middle of %d chunks makes %d new ones, want 1 to 6", name, len(before), fresh)
		}
	}
}

func chunks(c *Chunker, data []byte) (list [][]byte) {
	for _, n := range cutAll(c, data) {
		list, data = append(list, data[:n]), data[n:]
	}
	return list
}

func TestAnotherKeyCutsElsewhere(t *testing.T) {
	data, other := randomBytes(8, 8<<20), testKey()
	other[31] ^= 1
	a, b := cutAll(New(Small, testKey()), data), cutAll(New(Small, other), data)
	if slices.Equal(a, b) {
		t.Errorf("two keys cut at the same %d places", len(a))
	}
}

func TestSegmentsScannedApartGiveTheSameCuts(t *testing.T) {
	data := slices.Concat(randomBytes(9, 3<<20), make([]byte, 1<<20), textBytes(2<<20), randomBytes(10, 1<<20))
	c := New(Small, testKey())
	for _, segment := range []int{1 << 20, 333_333, 70_001, len(data)} {
		var candidates []int
		for start := 0; start < len(data); start += segment {
			from, to := max(0, start-window), min(start+segment, len(data))
			// A segment owns the positions after its start up to its end.
			for _, p := range c.Candidates(data[from:to], start-from+1, nil) {
				candidates = append(candidates, from+p)
			}
		}
		var sizes []int
		for start, end := 0, 0; start < len(data); start = end {
			end, candidates = c.Select(start, len(data), candidates)
			sizes = append(sizes, end-start)
		}
		if want := cutAll(c, data); !slices.Equal(sizes, want) {
			t.Errorf("segments of %d bytes: chunks %v, want %v", segment, sizes, want)
		}
	}
}

func TestCutAllocatesNothing(t *testing.T) {
	c, data := New(Small, testKey()), randomBytes(11, 1<<20)
	allocs := testing.AllocsPerRun(10, func() {
		for rest := data; len(rest) > 0; {
			rest = rest[c.Cut(rest, true):]
		}
	})
	if allocs != 0 {
		t.Errorf("cutting 1 MiB makes %v allocations, want none", allocs)
	}
}

func TestAChunkerDoesNotShowItsTable(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%s"} {
		if got := fmt.Sprintf(verb, New(Small, testKey())); got != "chunker small" {
			t.Errorf("%s prints %.100q, want the class alone", verb, got)
		}
	}
}

func TestAllClassesCanBeCut(t *testing.T) {
	for _, class := range Classes() {
		if err := class.Check(); err != nil {
			t.Errorf("class %q: %v", class.Name, err)
		}
	}
}

func TestCheckRefusesClassesThatCannotBeCut(t *testing.T) {
	for _, class := range []Class{
		{},
		{Name: "tiny", Min: 64, Average: 512, Max: 4096},
		{Name: "min is average", Min: 4096, Average: 4096, Max: 8192},
		{Name: "min above average", Min: 8192, Average: 4096, Max: 16384},
		{Name: "max is average", Min: 2048, Average: 4096, Max: 4096},
		{Name: "min below window", Min: 63, Average: 4096, Max: 16384},
		{Name: "endless", Min: 1 << 20, Average: 2 << 20, Max: 1<<30 + 1},
		{Name: "uneven fixed", Min: 1024, Average: 4096, Max: 4096, Fixed: true},
	} {
		if err := class.Check(); err == nil {
			t.Errorf("class %+v passes", class)
		}
	}
}

// FuzzCut feeds a stream in portions and compares with the same stream at once.
func FuzzCut(f *testing.F) {
	f.Add([]byte("seed"), uint32(0), uint16(1), byte(0))
	f.Add(bytes.Repeat([]byte{0}, 5000), uint32(70_000), uint16(4096), byte(7))
	f.Add(randomBytes(12, 9000), uint32(300_000), uint16(777), byte(99))
	class := Class{Name: "fuzz", Min: 512, Average: 1024, Max: 4 * block}
	f.Fuzz(func(t *testing.T, head []byte, size uint32, portion uint16, key byte) {
		data := slices.Concat(head, randomBytes(key, int(size%(1<<20))))
		c := New(class, [32]byte{key})
		want := cutAll(c, data)
		var got []int
		total := 0
		for start, have := 0, 0; start < len(data); {
			n := c.Cut(data[start:have], have == len(data))
			if n == 0 {
				if have-start >= class.Max || have == len(data) {
					t.Fatalf("no cut in %d bytes, end %v", have-start, have == len(data))
				}
				have = min(have+int(portion)+1, len(data))
				continue
			}
			got, start, total = append(got, n), start+n, total+n
		}
		if total != len(data) || !slices.Equal(got, want) {
			t.Fatalf("portions of %d bytes give chunks %v, want %v (of %d bytes)", int(portion)+1, got, want, len(data))
		}
	})
}

func BenchmarkCut(b *testing.B) {
	inputs := map[string][]byte{
		"random": randomBytes(1, 64<<20), "text": textBytes(64 << 20), "zero": make([]byte, 64<<20),
	}
	for _, class := range []Class{Small, Medium, Large} {
		for _, kind := range []string{"random", "text", "zero"} {
			b.Run(class.Name+"/"+kind, func(b *testing.B) {
				c, data := New(class, testKey()), inputs[kind]
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					for rest := data; len(rest) > 0; {
						rest = rest[c.Cut(rest, true):]
					}
				}
			})
		}
	}
}

func TestAllZeroSeesEveryByte(t *testing.T) {
	for _, n := range []int{0, 1, 63, 4095, 4096, 4097, 10_000} {
		data := make([]byte, n)
		if !AllZero(data) {
			t.Errorf("%d zeros are not taken for zeros", n)
		}
		for i := range data {
			data[i] = 1
			if AllZero(data) {
				t.Fatalf("%d bytes of which number %d is 1 are taken for zeros", n, i)
			}
			data[i] = 0
		}
	}
}
