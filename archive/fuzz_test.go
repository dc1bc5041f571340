package archive

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/crypto"
)

func FuzzParseFormat(f *testing.F) {
	data, err := EncodeFormat(NewFormat("owner", false))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version": 1, "classes": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		format, err := ParseFormat(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %v, want ErrFormat or ErrDamaged", err)
			}
			return
		}
		if _, err := EncodeFormat(format); err != nil {
			t.Fatalf("what was read is not written: %v", err)
		}
	})
}

func FuzzParseDirectory(f *testing.F) {
	p := &openPack{buffer: make([]byte, bufferSize(1<<20)), limit: 1 << 20}
	p.addFrame([]byte("a frame"), []*Slot{NewSlot(ID{1}, 5), NewSlot(ID{2}, 6)})
	p.addFrame([]byte("another"), []*Slot{NewSlot(ID{3}, 7)})
	end := p.Directory.Append(nil)
	end = append(end, byte(len(end)), 0, 0, 0, 1, 1, 0, 0)
	f.Add(append(end, trailerMagic...))
	f.Add([]byte(trailerMagic))
	f.Fuzz(func(t *testing.T, tail []byte) {
		d, err := ParseDirectory(tail, Data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %v, want ErrDamaged", err)
			}
			return
		}
		again := d.Append(nil)
		if !bytes.Equal(again, tail[len(tail)-trailerSize-len(again):len(tail)-trailerSize]) {
			t.Fatalf("directory %+v is written in another way than it was read", d)
		}
		for c := range d.All(&Pack{}) {
			if int64(c.Place.Start)+int64(c.Length) > MaxChunk || int64(c.Place.Frame)+int64(c.Place.Stored) > MaxPack {
				t.Fatalf("chunk %+v is beyond the limits", c)
			}
		}
	})
}

func FuzzParseRun(f *testing.F) {
	f.Add(EncodeRun(nil))
	f.Add(EncodeRun(randomPacks(rand.New(rand.NewPCG(1, 6)), 2, 7)))
	f.Fuzz(func(t *testing.T, content []byte) {
		packs, err := ParseRun(content)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %v, want ErrDamaged", err)
			}
			return
		}
		if !bytes.Equal(EncodeRun(packs), content) {
			t.Fatal("the run is written in another way than it was read")
		}
		x := NewIndex(0)
		x.Add(packs...)
		for _, p := range packs {
			for c := range p.Directory.All(p.Pack) {
				if _, found := x.Lookup(c.ID); !found {
					t.Fatalf("chunk %s is not found", c.ID)
				}
			}
		}
	})
}

func FuzzParseRefs(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 6))
	packs := randomNames(r, 5)
	a, _ := randomRefs(r, packs[:3])
	b, _ := randomRefs(r, packs[2:])
	f.Add(EncodeRefs(a))
	f.Add(EncodeRefs(&RefSet{}))
	f.Add(EncodeRefsDelta(a, b))
	f.Fuzz(func(t *testing.T, content []byte) {
		change, err := ParseRefs(content)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %v, want ErrDamaged", err)
			}
			return
		}
		full := change.Full
		s := a.Clone()
		if err := s.Apply(change); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("apply: got %v, want ErrDamaged", err)
		}
		if full && !bytes.Equal(EncodeRefs(s), content) {
			t.Fatal("the refs are written in another way than they were read")
		}
	})
}

func FuzzParseVerified(f *testing.F) {
	f.Add(EncodeVerified(nil))
	f.Add(EncodeVerified([]VerifiedPack{{Sum: PackSum{1}, At: 5}, {Sum: PackSum{2}, At: 3}}))
	f.Fuzz(func(t *testing.T, content []byte) {
		packs, err := ParseVerified(content)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %v, want ErrDamaged", err)
			}
			return
		}
		if !bytes.Equal(EncodeVerified(packs), content) {
			t.Fatal("the packs are written in another way than they were read")
		}
	})
}

func FuzzParseName(f *testing.F) {
	f.Add(Name{1, 2}.String())
	f.Add("ABCD")
	f.Fuzz(func(t *testing.T, text string) {
		if name, err := ParseName(text); err == nil && !strings.EqualFold(name.String(), text) {
			t.Fatalf("%q is read as %s", text, name)
		}
	})
}

// FuzzOpenPack reads the directory of a pack whose plaintext is anything, as whoever knows the
// recipients can seal it, and every chunk that it says to hold.
func FuzzOpenPack(f *testing.F) {
	b := newBench(f, memory.New())
	out := b.write(f, WriterOptions{}, mixture(1, 3))
	for _, p := range out.packs {
		sealed, err := b.store.Get(f.Context(), Data.Object(p.Pack.Name), 0, -1, nil)
		if err != nil {
			f.Fatal(err)
		}
		plain, err := crypto.Open(nil, sealed, b.identities...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		sealed, err := crypto.Seal(nil, plain, b.recipients...)
		if err != nil {
			t.Fatal(err)
		}
		b.store = memory.New()
		name, err := PutContent(t.Context(), b.store, Data, sealed)
		if err != nil {
			t.Fatal(err)
		}
		reader := b.reader()
		pack, err := reader.Pack(t.Context(), Data, name, int64(len(sealed)))
		if err != nil {
			t.Fatal(err)
		}
		d, err := reader.Directory(t.Context(), pack)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %v, want ErrDamaged", err)
			}
			return
		}
		for c := range d.All(pack) {
			data, err := reader.ReadChunk(t.Context(), c, nil)
			if err == nil && b.data.Sum(data) != c.ID || err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatalf("chunk %s: %d bytes, %v", c.ID, len(data), err)
			}
		}
	})
}

func FuzzExpand(f *testing.F) {
	f.Add(Compact(nil))
	f.Add(Compact([]byte("content")))
	f.Add(Compact(make([]byte, 1<<20)))
	f.Fuzz(func(t *testing.T, compact []byte) {
		content, err := Expand(compact, 1<<20)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %v, want ErrDamaged", err)
			}
			return
		}
		if len(content) > 1<<20 {
			t.Fatalf("%d bytes where 1 MiB is the most", len(content))
		}
	})
}

func FuzzDecompress(f *testing.F) {
	reader := NewReader(memory.New(), nil, nil, nil, ReaderOptions{})
	f.Add(encoder(LevelDefault).EncodeAll([]byte("content"), nil))
	f.Add(encoder(LevelFastest).EncodeAll(make([]byte, 1<<20), nil))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var raw []byte
		if err := reader.decompress(&raw, frame); err == nil && len(raw) > MaxChunk {
			t.Fatalf("%d bytes from a frame", len(raw))
		}
	})
}

// FuzzPlace reads from a good pack by a place of any sort.
func FuzzPlace(f *testing.F) {
	b := newBench(f, memory.New())
	out := b.write(f, WriterOptions{}, mixture(1, 20))
	reader := b.reader()
	good := out.chunks[2]
	f.Add(good.Length, good.Place.Frame, good.Place.Stored, good.Place.Start, good.Place.Pack.Size, good.Place.Pack.Header)
	f.Fuzz(func(t *testing.T, length, frame, stored, start, size, header uint32) {
		p := *good.Place.Pack
		p.Size, p.Header = size, header
		c := Chunk{good.ID, length, Place{&p, 0, frame, stored, start}}
		data, err := reader.ReadChunk(t.Context(), c, nil)
		if err == nil && !bytes.Equal(data, out.bytes[good.ID]) {
			t.Fatalf("place %+v gives other bytes", c)
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("place %+v: got %v, want ErrDamaged", c, err)
		}
	})
}
