package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
)

// sink acknowledges what is put and keeps nothing.
type sink struct{ bytes int64 }

func (s *sink) Put(_ context.Context, _ string, data []byte, _ store.Digest) error {
	s.bytes += int64(len(data))
	return nil
}

func (s *sink) Get(context.Context, string, int64, int64, []byte) ([]byte, error) {
	return nil, store.ErrNotExist
}

func (s *sink) List(context.Context, string, string) iter.Seq2[store.Info, error] {
	return func(func(store.Info, error) bool) {}
}

func (s *sink) Delete(context.Context, string) error { return errors.ErrUnsupported }
func (s *sink) Sync(context.Context) error           { return nil }
func (s *sink) Location() string                     { return "sink" }

// softText is source code, over and over with small changes, so that chunks differ.
func softText(b *testing.B, n int) []byte {
	code := source(b)
	out := make([]byte, 0, n+len(code))
	for i := 0; len(out) < n; i++ {
		out = append(out, strings.ReplaceAll(string(code), "pack", fmt.Sprint("word", i))...)
	}
	return out[:n]
}

func BenchmarkAdd(b *testing.B) {
	const total = 64 << 20
	soft, hard := softText(b, total), noise(rand.New(rand.NewPCG(1, 1)), total)
	for _, c := range []struct {
		name  string
		data  []byte
		chunk int
		level Level
	}{
		{"text 256K", soft, 256 << 10, LevelAuto},
		{"text 256K fastest", soft, 256 << 10, LevelFastest},
		{"text 1M", soft, 1 << 20, LevelAuto},
		{"noise 1M", hard, 1 << 20, LevelAuto},
		{"text 4K", soft, 4 << 10, LevelAuto},
		{"text 16K pages", soft, 16 << 10, LevelAuto},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkAdd(b, c.data, c.chunk, c.level) })
	}
}

func benchmarkAdd(b *testing.B, data []byte, chunk int, level Level) {
	s := &sink{}
	bench := newBench(b, s)
	w := NewWriter(b.Context(), s, WriterOptions{Recipients: bench.recipients, Level: level, Uploads: 1})
	defer w.Close()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for at := 0; at < len(data); at += chunk {
			part := data[at:min(at+chunk, len(data))]
			if err := w.Add(b.Context(), NewSlot(ID{byte(at), byte(at >> 8)}, len(part)), part, "go"); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(data))*float64(b.N)/float64(s.bytes), "ratio")
	b.ReportMetric(resident(), "RSS-MiB")
}

// resident is the memory of the process, in MiB; 0 where that is not known.
func resident() float64 {
	var size, pages int64
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return float64(pages*int64(os.Getpagesize())) / (1 << 20)
}

func BenchmarkSeal(b *testing.B) {
	bench := newBench(b, memory.New())
	p := &openPack{buffer: make([]byte, bufferSize(defaultPack)), limit: defaultPack}
	p.write(noise(rand.New(rand.NewPCG(2, 1)), defaultPack))
	b.SetBytes(defaultPack)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, _, err := p.seal(Data, bench.recipients); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFetch(b *testing.B) {
	const total = 32 << 20
	for _, c := range []struct {
		name  string
		data  []byte
		chunk int
	}{
		{"text 256K", softText(b, total), 256 << 10},
		{"noise 1M", noise(rand.New(rand.NewPCG(1, 1)), total), 1 << 20},
		{"text 4K", softText(b, total), 4 << 10},
	} {
		bench := newBench(b, memory.New())
		var contents [][]byte
		for at := 0; at < total; at += c.chunk {
			contents = append(contents, c.data[at:at+c.chunk])
		}
		out := bench.write(b, WriterOptions{}, contents)
		b.Run(c.name, func(b *testing.B) {
			reader := bench.reader()
			b.SetBytes(total)
			b.ReportAllocs()
			for range b.N {
				for pack, want := range byPack(out.chunks) {
					if err := reader.Fetch(b.Context(), pack, want, func(int, []byte) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(resident(), "RSS-MiB")
		})
		b.Run(c.name+" one chunk", func(b *testing.B) {
			reader := bench.reader()
			b.SetBytes(int64(c.chunk))
			b.ReportAllocs()
			for i := range b.N {
				if _, err := reader.ReadChunk(b.Context(), out.chunks[i%len(out.chunks)], nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompress(b *testing.B) {
	const total, frame = 16 << 20, 256 << 10
	data := map[string][]byte{"text": softText(b, total), "noise": noise(rand.New(rand.NewPCG(1, 1)), total)}
	levels := map[string]Level{"fastest": LevelFastest, "default": LevelDefault, "better": LevelBetter}
	for _, kind := range []string{"text", "noise"} {
		for _, level := range []string{"fastest", "default", "better"} {
			b.Run(kind+"/"+level, func(b *testing.B) {
				var out []byte
				stored := 0
				b.SetBytes(total)
				b.ReportAllocs()
				for b.Loop() {
					stored = 0
					for at := 0; at < total; at += frame {
						out = encoder(levels[level]).EncodeAll(data[kind][at:at+frame], out[:0])
						stored += min(len(out), frame)
					}
				}
				b.ReportMetric(float64(stored)/total*100, "stored-%")
			})
		}
	}
}
