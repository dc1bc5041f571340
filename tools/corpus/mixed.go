package main

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// kinds of files in a mixed corpus and how their content is made.
var kinds = []struct {
	extension string
	make      func(random *rand.Rand, n int) []byte
}{{".log", text}, {".csv", table}, {".json", objects}, {".jpg", noise}, {".col", columns}}

// mixed makes n MiB: half of them a lake of column files of 16 MiB, the rest files of many sizes.
func mixed(dir string, n int) error {
	random := rand.New(rand.NewPCG(6, 7))
	left := int64(n) << 20
	for i := 0; left > int64(n)<<19; i++ {
		if err := write(filepath.Join(dir, "lake", fmt.Sprintf("day=%02d", i%30)), fmt.Sprintf("part-%04d.col", i), columns(random, 16<<20)); err != nil {
			return err
		}
		left -= 16 << 20
	}
	for i := 0; left > 0; i++ {
		kind := kinds[i%(len(kinds)-1)]
		size := min(int(8192*math.Exp(2*random.NormFloat64())), 16<<20)
		if err := write(filepath.Join(dir, "files", fmt.Sprintf("%02x", i%256)), fmt.Sprintf("%05d%s", i, kind.extension), kind.make(random, size)); err != nil {
			return err
		}
		left -= int64(size)
	}
	return nil
}

// change makes the next day of a mixed corpus: of 200 files one has a line more, one is new, and a
// part of the lake has 64 KiB put into its middle.
func change(dir string, _ int) error {
	random, i := rand.New(rand.NewPCG(8, 9)), 0
	err := filepath.WalkDir(filepath.Join(dir, "files"), func(path string, d fs.DirEntry, err error) error {
		if i++; err != nil || d.IsDir() || i%200 != 0 {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, append(content, text(random, 100)...), 0o644); err != nil {
			return err
		}
		return os.WriteFile(strings.TrimSuffix(path, filepath.Ext(path))+".new.log", text(random, 10_000), 0o644)
	})
	if err != nil {
		return err
	}
	part := filepath.Join(dir, "lake", "day=00", "part-0000.col")
	content, err := os.ReadFile(part)
	if err != nil {
		return err
	}
	half := len(content) / 2
	return os.WriteFile(part, append(append(content[:half:half], noise(random, 64<<10)...), content[half:]...), 0o644)
}

func write(dir, name string, content []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), content, 0o644)
}

func table(random *rand.Rand, n int) []byte {
	out := make([]byte, 0, n+64)
	for i := 0; len(out) < n; i++ {
		out = fmt.Appendf(out, "%d,%d.%02d,%s\n", 1_000_000+i, random.IntN(900), random.IntN(100), []string{"open", "closed", "waiting"}[random.IntN(3)])
	}
	return out[:n]
}

func objects(random *rand.Rand, n int) []byte {
	out := make([]byte, 0, n+64)
	for i := 0; len(out) < n; i++ {
		out = fmt.Appendf(out, `{"id":%d,"user":"user%04d","score":%.3f}`+"\n", i, random.IntN(5000), random.Float64())
	}
	return out[:n]
}

func noise(random *rand.Rand, n int) []byte {
	out := make([]byte, 0, n+8)
	for len(out) < n {
		out = binary.LittleEndian.AppendUint64(out, random.Uint64())
	}
	return out[:n]
}

// columns is pages of 64 KiB as column files have them: times, categories, prices, noise.
func columns(random *rand.Rand, n int) []byte {
	out := make([]byte, 0, n+8)
	moment := uint64(1_700_000_000_000)
	for len(out) < n {
		kind := len(out) / (64 << 10) % 4
		value := random.Uint64()
		switch kind {
		case 0:
			moment += value % 1000
			value = moment
		case 1:
			value %= 40
		case 2:
			value = math.Float64bits(float64(value%100_000) / 100)
		}
		out = binary.LittleEndian.AppendUint64(out, value)
	}
	return out[:n]
}
