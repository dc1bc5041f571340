// Command corpus makes trees to measure backups on, from a seed, so that figures can be repeated:
//
//	corpus smallfiles DIR [COUNT]   files of 0 to 4 KiB of text, 100 to a directory, a tenth of them copies (200,000)
//	corpus bigfile DIR [MIB]        one file, half of it text and half incompressible, in turns of 4 MiB (8,192)
//	corpus mixed DIR [MIB]          a lake of column files, and files of many sizes and kinds (864)
//	corpus change DIR               changes a mixed corpus as a day does
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errors.New("want smallfiles DIR [COUNT], bigfile DIR [MIB], mixed DIR [MIB] or change DIR")
	}
	verbs := map[string]struct {
		make func(dir string, n int) error
		n    int
	}{"smallfiles": {smallFiles, 200_000}, "bigfile": {bigFile, 8192}, "mixed": {mixed, 864}, "change": {change, 0}}
	kind, ok := verbs[args[0]]
	if !ok {
		return fmt.Errorf("%s is no kind of corpus", args[0])
	}
	if len(args) == 3 {
		n, err := strconv.Atoi(args[2])
		if err != nil || n < 1 {
			return fmt.Errorf("%s is no number", args[2])
		}
		kind.n = n
	}
	if err := os.MkdirAll(args[1], 0o755); err != nil {
		return err
	}
	return kind.make(args[1], kind.n)
}

const perDirectory = 100

func smallFiles(dir string, n int) error {
	random := rand.New(rand.NewPCG(1, 2))
	var before []byte
	for i := range n {
		folder := filepath.Join(dir, fmt.Sprintf("d%05d", i/perDirectory))
		if i%perDirectory == 0 {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
		}
		if i%10 != 9 {
			before = text(random, random.IntN(4<<10))
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("f%06d.txt", i)), before, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// text is n bytes of lines that compress as logs do.
func text(random *rand.Rand, n int) []byte {
	out := make([]byte, 0, n+64)
	for len(out) < n {
		out = fmt.Appendf(out, "%d worker-%d finished task %x in %d ms\n", random.Uint32(), random.IntN(32), random.Uint32(), random.IntN(5000))
	}
	return out[:n]
}

const turn = 4 << 20

func bigFile(dir string, mebibytes int) (err error) {
	file, err := os.Create(filepath.Join(dir, "big"))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	defer func() { err = errors.Join(err, w.Flush(), file.Close()) }()
	random, noise := rand.New(rand.NewPCG(3, 4)), rand.NewChaCha8([32]byte{5})
	for left := int64(mebibytes) << 20; left > 0; left -= 2 * turn {
		if _, err := w.Write(text(random, int(min(turn, left)))); err != nil {
			return err
		}
		if _, err := io.CopyN(w, noise, max(0, min(turn, left-turn))); err != nil {
			return err
		}
	}
	return nil
}
