package tables

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
)

// benchRun makes a run of packs of 1000 chunks, the one of this number.
func benchRun(number, packs int) (archive.Name, []archive.RunPack) {
	r := rand.New(rand.NewPCG(uint64(number), 99))
	out := make([]archive.RunPack, packs)
	for i := range out {
		d := &archive.Directory{IDs: make([]archive.ID, 1000), Lengths: make([]uint32, 1000)}
		for j := range d.IDs {
			d.IDs[j], d.Lengths[j] = randomName(r), 1+r.Uint32N(60_000)
			if j%4 == 0 {
				d.Frames = append(d.Frames, archive.Frame{Stored: 30_000, Chunks: 4})
			}
		}
		out[i] = archive.RunPack{Pack: &archive.Pack{Name: randomName(r), Kind: archive.Data, Header: 1643, Size: 16 << 20}, Directory: d}
	}
	return randomName(r), out
}

// benchSet makes tables of n chunks, and returns some of their ids.
func benchSet(b *testing.B, n int) (*Set, []archive.ID) {
	b.Helper()
	w, err := Extend(b.Context(), b.TempDir(), time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	var ids []archive.ID
	const packs = 100
	for i := range n / (packs * 1000) {
		name, run := benchRun(i, packs)
		if err := w.Add(name, run); err != nil {
			b.Fatal(err)
		}
		for _, p := range run {
			ids = append(ids, p.Directory.IDs[:100_000_000/n]...)
		}
	}
	s, err := w.Commit(0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return s, ids
}

func BenchmarkIndexLookup(b *testing.B) {
	for _, n := range []int{1_000_000, 10_000_000} {
		size := fmt.Sprintf("%dM", n/1_000_000)
		s, ids := benchSet(b, n)
		b.Run(size+" hit", func(b *testing.B) { benchmarkFind(b, s, ids, 1) })
		absent := make([]archive.ID, len(ids))
		for i := range ids {
			absent[i] = ids[i]
			binary.LittleEndian.PutUint64(absent[i][:], binary.LittleEndian.Uint64(ids[i][:])*0x9e3779b97f4a7c15)
		}
		b.Run(size+" miss", func(b *testing.B) { benchmarkFind(b, s, absent, 0) })
		b.Run(size+" memory", func(b *testing.B) {
			b.ReportMetric(float64(s.Memory())/float64(n), "B/chunk")
			for range b.N {
				s.Memory()
			}
		})
	}
}

func benchmarkFind(b *testing.B, s *Set, ids []archive.ID, want int) {
	var places [4]Match
	b.ReportAllocs()
	for i := range b.N {
		found, err := s.Find(ids[i%len(ids)], places[:0])
		if err != nil || len(found) != want {
			b.Fatalf("found %d places, want %d: %v", len(found), want, err)
		}
	}
}

func BenchmarkIndexExtend(b *testing.B) {
	name, packs := benchRun(1, 200)
	b.ReportAllocs()
	for range b.N {
		dir, err := os.MkdirTemp(b.TempDir(), "")
		if err != nil {
			b.Fatal(err)
		}
		w, err := Extend(b.Context(), dir, time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Add(name, packs); err != nil {
			b.Fatal(err)
		}
		s, err := w.Commit(0)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
		w.Close()
		os.RemoveAll(dir)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/200_000, "ns/chunk")
}

func BenchmarkIndexOpen(b *testing.B) {
	dir := b.TempDir()
	w, err := Extend(b.Context(), dir, time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	name, packs := benchRun(1, 200)
	if err := w.Add(name, packs); err != nil {
		b.Fatal(err)
	}
	s, err := w.Commit(0)
	if err != nil {
		b.Fatal(err)
	}
	s.Close()
	w.Close()
	b.ReportAllocs()
	for range b.N {
		s, err := Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
