package archive

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/packstone/packstone/crypto"
)

// randomID is never the same twice in a test.
func randomID(r *rand.Rand) (id ID) {
	for i := 0; i < len(id); i += 8 {
		binary.LittleEndian.PutUint64(id[i:], r.Uint64())
	}
	return id
}

// randomPacks makes packs of frames with up to 5 chunks.
func randomPacks(r *rand.Rand, packs, chunks int) []RunPack {
	out := make([]RunPack, packs)
	for i := range out {
		d := &Directory{}
		for d.Len() < chunks {
			n := min(1+r.IntN(5), chunks-d.Len())
			d.Frames = append(d.Frames, Frame{Stored: 1 + r.Uint32N(900), Chunks: uint32(n)})
			for range n {
				d.IDs = append(d.IDs, randomID(r))
				d.Lengths = append(d.Lengths, 1+r.Uint32N(3000))
			}
		}
		plain := Padme(d.Stored()+int64(overhead(len(d.Frames), d.Len())), packFloor)
		p := &Pack{Name: Name(randomID(r)), Kind: Data, Header: 216, Size: uint32(crypto.SealedSize(216, plain))}
		if i%3 == 2 {
			p.Kind = Trees
		}
		out[i] = RunPack{p, d}
	}
	return out
}

func TestRunComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{0, 1, 40} {
		packs := randomPacks(r, n, 100)
		got, err := ParseRun(EncodeRun(packs))
		if err != nil || len(got) != n {
			t.Fatalf("run of %d packs: got %d, %v", n, len(got), err)
		}
		for i := range got {
			if *got[i].Pack != *packs[i].Pack || !got[i].Directory.Equal(packs[i].Directory) {
				t.Errorf("pack %d: got %+v, want %+v", i, got[i].Pack, packs[i].Pack)
			}
		}
	}
}

func TestRunRefusesWhatCannotBe(t *testing.T) {
	good := EncodeRun(randomPacks(rand.New(rand.NewPCG(4, 4)), 2, 10))
	for name, change := range map[string]func(b []byte) []byte{
		"cut short":             func(b []byte) []byte { return b[:len(b)-1] },
		"a byte more":           func(b []byte) []byte { return append(b, 0) },
		"another version":       func(b []byte) []byte { b[0] = 2; return b },
		"another object":        func(b []byte) []byte { b[1] = 'x'; return b },
		"too many packs":        func(b []byte) []byte { b[7] = 0xff; return b },
		"another kind":          func(b []byte) []byte { b[8+32] = 3; return b },
		"bytes in the padding":  func(b []byte) []byte { b[8+33] = 1; return b },
		"a size too small":      func(b []byte) []byte { b[8+36+1] = 0; b[8+36+2] = 0; return b },
		"a long directory":      func(b []byte) []byte { b[8+44+3] = 1; return b },
		"an empty frame":        func(b []byte) []byte { clear(b[8+48+12 : 8+48+16]); return b },
		"another directory":     func(b []byte) []byte { b[8+48] = 9; return b },
		"nothing":               func([]byte) []byte { return nil },
		"more frames than fits": func(b []byte) []byte { b[8+48+4] = 0xff; return b },
	} {
		if _, err := ParseRun(change(slices.Clone(good))); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", name, err)
		}
	}
}

func TestIndexFindsEveryChunkAndNoOther(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	packs := randomPacks(r, 60, 333)
	x := NewIndex(0)
	x.Add(packs...)
	var ids []ID
	for _, p := range packs {
		for want := range p.Directory.All(p.Pack) {
			ids = append(ids, want.ID)
			if got, found := x.Lookup(want.ID); !found || got != want {
				t.Fatalf("look up %s: got %+v, %v; want %+v", want.ID, got, found, want)
			}
		}
	}
	if x.Len() != len(ids) {
		t.Errorf("the index has %d chunks, want %d", x.Len(), len(ids))
	}
	for range 1000 {
		if c, found := x.Lookup(randomID(r)); found {
			t.Fatalf("found %+v, which was never added", c)
		}
	}
}

func TestIndexPrefersPacksThatMayBeUsed(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	packs := randomPacks(r, 2, 5)
	packs[1].Directory = packs[0].Directory
	id := packs[0].Directory.IDs[4]
	x := NewIndex(0)
	x.Add(packs[0])
	x.SetFilter(func(p *Pack) bool { return p != packs[0].Pack })
	if c, found := x.Lookup(id); found {
		t.Errorf("found %+v in a pack that is left out", c)
	}
	x.Add(packs[1])
	if c, found := x.Lookup(id); !found || c.Place.Pack != packs[1].Pack {
		t.Errorf("got %+v, %v; want it from the second pack", c, found)
	}
	places := x.Places(id)
	if len(places) != 2 || places[0].Place.Pack != packs[1].Pack || places[1].Place.Pack != packs[0].Pack {
		t.Errorf("places: got %+v, want the second pack, then the first", places)
	}
	x.SetFilter(nil)
	if c, _ := x.Lookup(id); c.Place.Pack != packs[0].Pack {
		t.Errorf("without a filter: got %+v, want the first pack", c)
	}
}

func TestIndexTakesTheTrustedOfTwoMentions(t *testing.T) {
	p := randomPacks(rand.New(rand.NewPCG(7, 7)), 1, 5)[0]
	again := *p.Pack
	x := NewIndex(0)
	x.SetFilter(func(p *Pack) bool { return p == &again })
	x.Add(p, RunPack{&again, p.Directory})
	if c, found := x.Lookup(p.Directory.IDs[0]); !found || c.Place.Pack != &again {
		t.Errorf("got %+v, %v; want the chunk by the mention that is trusted", c, found)
	}
	if n := len(x.Places(p.Directory.IDs[0])); n != 1 {
		t.Errorf("one pack gives %d places", n)
	}
	if got, found := x.Pack(p.Pack.Name); !found || !got.Directory.Equal(p.Directory) {
		t.Errorf("pack by name: %+v, %v", got, found)
	}
	for got := range x.Packs() {
		if !got.Directory.Equal(p.Directory) {
			t.Errorf("packs: got %+v", got)
		}
	}
}

func TestIndexIsReadWhileItGrows(t *testing.T) {
	packs := randomPacks(rand.New(rand.NewPCG(8, 8)), 200, 50)
	x := NewIndex(0)
	x.Add(packs[0])
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, p := range packs[1:] {
			x.Add(p)
		}
	})
	wg.Go(func() {
		for range 100 {
			for _, id := range packs[0].Directory.IDs {
				if _, found := x.Lookup(id); !found {
					t.Errorf("chunk %s is gone while others are added", id)
				}
			}
		}
	})
	wg.Wait()
	if x.Len() != 200*50 {
		t.Errorf("the index has %d chunks, want %d", x.Len(), 200*50)
	}
}

func TestIndexTakesAtMost64BytesAChunk(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	x := NewIndex(0)
	for n := 0; n < 200_000; n += 300 {
		p := randomPacks(r, 1, 300)[0]
		d := p.Directory.clone()
		x.Add(RunPack{p.Pack, d})
		if per := float64(x.Memory()) / float64(x.Len()); x.Len() > 20_000 && per > 64 {
			t.Fatalf("%d chunks take %.1f bytes each", x.Len(), per)
		}
	}
}

// benchmarkIndex makes an index of n chunks and says how much heap it takes for each.
func benchmarkIndex(b *testing.B, n int) (x *Index, ids []ID, perChunk float64) {
	r := rand.New(rand.NewPCG(1, 2))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	x = NewIndex(0)
	ids = make([]ID, 0, n)
	for x.Len() < n {
		p := randomPacks(r, 1, 250)[0]
		x.Add(RunPack{p.Pack, p.Directory.clone()})
		ids = append(ids, p.Directory.IDs...)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perChunk = float64(after.HeapAlloc-before.HeapAlloc-uint64(32*cap(ids))) / float64(n)
	r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return x, ids, perChunk
}

func BenchmarkIndexLookup(b *testing.B) {
	const n = 1_000_000
	b.Run("hit", func(b *testing.B) {
		x, ids, perChunk := benchmarkIndex(b, n)
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			if _, found := x.Lookup(ids[i%n]); !found {
				b.Fatal("not found")
			}
		}
		b.ReportMetric(perChunk, "B/chunk")
	})
	b.Run("miss", func(b *testing.B) {
		x, ids, _ := benchmarkIndex(b, n)
		for i := range ids {
			ids[i][0] ^= 1
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			if _, found := x.Lookup(ids[i%n]); found {
				b.Fatal("found")
			}
		}
	})
}

func BenchmarkIndexAdd(b *testing.B) {
	packs := randomPacks(rand.New(rand.NewPCG(1, 3)), 100, 1000)
	b.ReportAllocs()
	for range b.N {
		x := NewIndex(0)
		x.Add(packs...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/chunk")
}

func BenchmarkRun(b *testing.B) {
	packs := randomPacks(rand.New(rand.NewPCG(1, 4)), 200, 250)
	content := EncodeRun(packs)
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		b.ReportAllocs()
		for range b.N {
			Compact(EncodeRun(packs))
		}
	})
	compact := Compact(content)
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		b.ReportAllocs()
		for range b.N {
			content, err := Expand(compact, 0)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := ParseRun(content); err != nil {
				b.Fatal(err)
			}
		}
	})
}
