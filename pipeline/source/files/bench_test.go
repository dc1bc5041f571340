package files

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"golang.org/x/sys/unix"
)

// manyFiles makes a tree of small files and returns its root.
func manyFiles(b *testing.B, directories, each int) string {
	b.Helper()
	root := b.TempDir()
	content := make([]byte, 2048)
	for d := range directories {
		dir := filepath.Join(root, fmt.Sprintf("%02d", d%40), fmt.Sprintf("directory-%04d", d))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for f := range each {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%04d.json", f)), content, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	return root
}

func BenchmarkWalk200kFiles(b *testing.B) {
	root := manyFiles(b, 2000, 100)
	for _, parallel := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			b.ReportAllocs()
			entries, before := 0, processor(b)
			for b.Loop() {
				s, _ := New(Options{Roots: []string{root}, Parallel: parallel})
				n := new(counter)
				if err := s.Walk(context.Background(), n); err != nil {
					b.Fatal(err)
				}
				s.Close()
				entries += n.entries
			}
			b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(processor(b)-before)/float64(entries), "cpu-ns/entry")
		})
	}
}

// processor is the time that this process has computed, which tells more than the clock on a
// machine with other work.
func processor(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

type counter struct{ entries int }

func (c *counter) Visit(*entry.Entry) error { c.entries++; return nil }

func (c *counter) Problem(path string, err error) { panic(path + ": " + err.Error()) }

func BenchmarkReadSmallFiles(b *testing.B) {
	root := manyFiles(b, 200, 100)
	for _, detailed := range []bool{false, true} {
		b.Run(fmt.Sprintf("detail=%v", detailed), func(b *testing.B) {
			b.SetBytes(2048)
			b.ReportAllocs()
			s, _ := New(Options{Roots: []string{root}})
			defer s.Close()
			list := new(collector)
			if err := s.Walk(context.Background(), list); err != nil {
				b.Fatal(err)
			}
			read(b, s, list.files(), detailed)
		})
	}
}

// read reads b.N files, over and over, by two goroutines.
func read(b *testing.B, s *Source, all []*entry.Entry, detailed bool) {
	var readers sync.WaitGroup
	b.ResetTimer()
	for r := range 2 {
		readers.Go(func() {
			buffer := make([]byte, 64<<10)
			for i := r; i < b.N; i += 2 {
				e := *all[i%len(all)]
				if err := readOne(s, &e, buffer, detailed); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	readers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

func readOne(s *Source, e *entry.Entry, buffer []byte, detailed bool) error {
	ctx := context.Background()
	if detailed {
		if err := s.Detail(ctx, e); err != nil {
			return err
		}
	}
	f, err := s.Open(ctx, e)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		_, err := f.Read(buffer)
		if err == io.EOF {
			return f.Finish(e)
		}
		if err != nil {
			return err
		}
	}
}
