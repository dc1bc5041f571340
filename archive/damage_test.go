package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/crypto"
)

// reencrypted is a pack of other plaintext under the same keys, stored under its hash.
func (b *bench) reencrypted(t *testing.T, p *Pack, change func(plain []byte) []byte) *Pack {
	t.Helper()
	sealed, err := b.store.Get(t.Context(), p.Kind.Object(p.Name), 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := crypto.Open(nil, sealed, b.identities...)
	if err != nil {
		t.Fatal(err)
	}
	if sealed, err = crypto.Seal(nil, change(plain), b.recipients...); err != nil {
		t.Fatal(err)
	}
	name, err := PutContent(t.Context(), b.store, p.Kind, sealed)
	if err != nil {
		t.Fatal(err)
	}
	return &Pack{Name: name, Kind: p.Kind, Size: uint32(len(sealed)), Header: p.Header}
}

// Verify reads and checks a whole pack; of one that is not there it says so.
func (r *Reader) Verify(ctx context.Context, p *Pack, directory *Directory) ([]*DamagedError, error) {
	whole, err := r.LoadWhole(ctx, p, 1)
	if damaged := (*DamagedError)(nil); errors.As(err, &damaged) {
		return []*DamagedError{damaged}, nil
	}
	if err != nil {
		return nil, err
	}
	return whole.Verify(ctx, directory)
}

// moved says that chunks lie in another pack.
func moved(chunks []Chunk, p *Pack) []Chunk {
	out := slices.Clone(chunks)
	for i := range out {
		out[i].Place.Pack = p
	}
	return out
}

func TestEveryFlippedByteOfAPackIsDetected(t *testing.T) {
	inner := memory.New()
	b := newBench(t, inner)
	r := rand.New(rand.NewPCG(1, 9))
	out := b.write(t, WriterOptions{}, [][]byte{text(r, 4_000), noise(r, 66), text(r, 3_000), noise(r, 10)})
	pack := out.packs[0]
	object, err := inner.Get(t.Context(), Data.Object(pack.Pack.Name), 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for at := range object {
		changed := slices.Clone(object)
		changed[at] ^= byte(1 << (at % 8))
		f := &fixed{changed}
		reader := NewReader(f, b.identities, b.data, b.tree, ReaderOptions{})
		problems, err := reader.Verify(t.Context(), pack.Pack, pack.Directory)
		if err == nil && len(problems) == 0 {
			t.Fatalf("byte %d of %d: verify finds nothing wrong", at, len(object))
		}
		err = reader.Fetch(t.Context(), pack.Pack, out.chunks, func(i int, data []byte) error {
			if !bytes.Equal(data, out.bytes[out.chunks[i].ID]) {
				t.Fatalf("byte %d: fetch hands on wrong bytes", at)
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, crypto.ErrWrongIdentity) {
			t.Fatalf("byte %d: got %v, want ErrDamaged", at, err)
		}
	}
}

// fixed is a store in which every object has the same bytes.
type fixed struct{ data []byte }

func (f *fixed) Get(_ context.Context, _ string, offset, length int64, dst []byte) ([]byte, error) {
	data := f.data[min(offset, int64(len(f.data))):]
	if length >= 0 {
		data = data[:min(length, int64(len(data)))]
	}
	return append(dst, data...), nil
}

func (f *fixed) Put(context.Context, string, []byte, store.Digest) error { return store.ErrInvalid }
func (f *fixed) Delete(context.Context, string) error                    { return store.ErrInvalid }
func (f *fixed) Sync(context.Context) error                              { return nil }
func (f *fixed) Location() string                                        { return "fixed" }
func (f *fixed) List(context.Context, string, string) iter.Seq2[store.Info, error] {
	return func(func(store.Info, error) bool) {}
}

func TestEveryFlippedByteOfASealedObjectIsDetected(t *testing.T) {
	b := newBench(t, memory.New())
	content := EncodeRun(randomPacks(rand.New(rand.NewPCG(1, 8)), 2, 20))
	sealed, err := crypto.Seal(nil, Compact(content), b.recipients...)
	if err != nil {
		t.Fatal(err)
	}
	for at := range sealed {
		changed := slices.Clone(sealed)
		changed[at] ^= byte(1 << (at % 8))
		if _, err := OpenSealed(changed, 0, b.identities...); err == nil {
			t.Errorf("byte %d of %d: nothing wrong is found", at, len(sealed))
		}
		if _, err := GetContent(t.Context(), &fixed{changed}, Runs, Name(sha256.Sum256(sealed))); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d of %d: got %v, want ErrDamaged", at, len(sealed), err)
		}
	}
}

func TestOneBadFrameCostsItsOwnChunksOnly(t *testing.T) {
	b := newBench(t, memory.New())
	r := rand.New(rand.NewPCG(2, 9))
	out := b.write(t, WriterOptions{}, [][]byte{noise(r, 170_000), noise(r, 180_000), noise(r, 190_000), text(r, 40), text(r, 50)})
	bad := out.chunks[1]
	pack := b.reencrypted(t, out.packs[0].Pack, func(plain []byte) []byte {
		plain[bad.Place.Frame+bad.Place.Stored/2] ^= 1
		return plain
	})
	want, got := moved(out.chunks, pack), 0
	err := b.reader().Fetch(t.Context(), pack, want, func(int, []byte) error { got++; return nil })
	damaged := (*DamagedError)(nil)
	if !errors.As(err, &damaged) || damaged.ID != bad.ID || damaged.Pack != pack.Name || !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want chunk %s of pack %s", err, bad.ID, pack.Name)
	}
	if got != len(want)-1 {
		t.Errorf("%d chunks came, want %d", got, len(want)-1)
	}
	problems, err := b.reader().Verify(t.Context(), pack, out.packs[0].Directory)
	if err != nil || len(problems) != 1 || problems[0].ID != bad.ID {
		t.Errorf("verify: got %v, %v; want chunk %s", problems, err, bad.ID)
	}
}

func TestOneBadSegmentCostsTheFramesThatTouchIt(t *testing.T) {
	faulty := &storetest.Faulty{Store: memory.New()}
	b := newBench(t, faulty)
	r := rand.New(rand.NewPCG(3, 9))
	contents := make([][]byte, 12)
	for i := range contents {
		contents[i] = noise(r, 128<<10)
	}
	out := b.write(t, WriterOptions{}, contents)
	p := out.packs[0].Pack
	const segment = 5
	at := int64(p.Header) + segment*crypto.SealedSegment + 99
	faulty.Corrupt = func(_ string, offset int64, data []byte) {
		if i := at - offset; i >= 0 && i < int64(len(data)) {
			data[i] ^= 1
		}
	}
	came := make([]bool, len(out.chunks))
	err := b.reader().Fetch(t.Context(), p, out.chunks, func(i int, _ []byte) error { came[i] = true; return nil })
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
	for i, c := range out.chunks {
		touches := c.Place.Frame/crypto.SegmentSize <= segment && (c.Place.Frame+c.Place.Stored-1)/crypto.SegmentSize >= segment
		if came[i] == touches {
			t.Errorf("chunk %d at %d: came %v, touches the bad segment %v", i, c.Place.Frame, came[i], touches)
		}
	}
	if problems, err := b.reader().Verify(t.Context(), p, nil); err != nil || len(problems) < 2 {
		t.Errorf("verify: got %v, %v; want the hash and the segment", problems, err)
	}
}

// Verify names what a restore cannot read, and no more: whoever stores that again has everything.
func TestOneBadSegmentOfALongFrameCostsWhatVerifyNames(t *testing.T) {
	b := newBench(t, memory.New())
	data := noise(rand.New(rand.NewPCG(4, 9)), 12*100_000)
	w := NewWriter(t.Context(), b.store, WriterOptions{Recipients: b.recipients, Level: LevelDefault})
	defer w.Close()
	var slots []*Slot
	for chunk := range slices.Chunk(data, 100_000) {
		slots = append(slots, NewSlot(b.key(Data).Sum(chunk), len(chunk)))
	}
	if err := errors.Join(w.AddRun(t.Context(), slots, data, "raw"), w.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	var want []Chunk
	for _, slot := range slots {
		c, _ := slot.Chunk()
		want = append(want, c)
	}
	if want[0].Place.Frame != want[11].Place.Frame {
		t.Fatalf("the chunks are not of one frame: %v", want)
	}
	pack := want[0].Place.Pack
	object := pack.Kind.Object(pack.Name)
	stored, err := b.store.Get(t.Context(), object, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	faulty, few := &storetest.Faulty{Store: b.store}, false
	b.store = faulty
	for at := int64(pack.Header) + crypto.SealedSegment; at < int64(len(stored))-2*crypto.SealedSegment; at += crypto.SealedSegment {
		faulty.Corrupt = func(_ string, offset int64, data []byte) {
			if i := at - offset; i >= 0 && i < int64(len(data)) {
				data[i] ^= 1
			}
		}
		came := map[ID]bool{}
		if err := b.reader().Fetch(t.Context(), pack, want, func(i int, _ []byte) error { came[want[i].ID] = true; return nil }); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d: got %v, want ErrDamaged", at, err)
		}
		problems, err := b.reader().Verify(t.Context(), pack, nil)
		named := 0
		for _, p := range problems {
			if p.ID != (ID{}) {
				named++
				if came[p.ID] {
					t.Errorf("byte %d: chunk %s came, and verify names it", at, p.ID)
				}
			}
		}
		few = few || named <= 2
		if err != nil || named == 0 || len(came)+named != len(want) {
			t.Errorf("byte %d: %d chunks came, verify names %d of %d: %v, %v", at, len(came), named, len(want), problems, err)
		}
	}
	if !few {
		t.Error("damage always costs the whole frame")
	}
}

func TestWrongPlacesAreDamageAndNothingWorse(t *testing.T) {
	b := newBench(t, memory.New())
	r := rand.New(rand.NewPCG(4, 9))
	out := b.write(t, WriterOptions{}, mixture(4, 30))
	good := out.chunks[3]
	for name, change := range map[string]func(c *Chunk){
		"another id":          func(c *Chunk) { c.ID = randomID(r) },
		"no length":           func(c *Chunk) { c.Length = 0 },
		"a length too short":  func(c *Chunk) { c.Length-- },
		"a length too great":  func(c *Chunk) { c.Length = MaxChunk },
		"a length of no sort": func(c *Chunk) { c.Length = ^uint32(0) },
		"another start":       func(c *Chunk) { c.Place.Start++ },
		"a start far out":     func(c *Chunk) { c.Place.Start = ^uint32(0) },
		"another frame":       func(c *Chunk) { c.Place.Frame++ },
		"a frame far out":     func(c *Chunk) { c.Place.Frame = ^uint32(0) },
		"no frame":            func(c *Chunk) { c.Place.Stored = 0 },
		"a frame cut short":   func(c *Chunk) { c.Place.Stored = 7 },
		"a frame too long":    func(c *Chunk) { c.Place.Stored = ^uint32(0) },
	} {
		c := good
		change(&c)
		if _, err := b.reader().ReadChunk(t.Context(), c, nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", name, err)
		}
	}
	for name, change := range map[string]func(p *Pack){
		"another size":     func(p *Pack) { p.Size -= 16 },
		"a size too great": func(p *Pack) { p.Size = ^uint32(0) },
		"no size":          func(p *Pack) { p.Size = 0 },
		"another header":   func(p *Pack) { p.Header++ },
		"no header":        func(p *Pack) { p.Header = 0 },
		"a long header":    func(p *Pack) { p.Header = p.Size },
		"another name":     func(p *Pack) { p.Name[0]++ },
	} {
		p := *good.Place.Pack
		change(&p)
		// A wrong size shows at the pack's end only: what lies before may come, if it is right.
		data, err := b.reader().ReadChunk(t.Context(), moved([]Chunk{good}, &p)[0], nil)
		if !errors.Is(err, ErrDamaged) && !bytes.Equal(data, out.bytes[good.ID]) {
			t.Errorf("%s: got %d bytes, %v; want ErrDamaged", name, len(data), err)
		}
		if _, err := b.reader().Directory(t.Context(), &p); !errors.Is(err, ErrDamaged) {
			t.Errorf("directory, %s: got %v, want ErrDamaged", name, err)
		}
	}
}

func TestMissingPackIsNotExist(t *testing.T) {
	b := newBench(t, memory.New())
	out := b.write(t, WriterOptions{}, mixture(5, 5))
	if err := b.store.Delete(t.Context(), Data.Object(out.packs[0].Pack.Name)); err != nil {
		t.Fatal(err)
	}
	_, err := b.reader().ReadChunk(t.Context(), out.chunks[0], nil)
	if !errors.Is(err, store.ErrNotExist) || !errors.Is(err, ErrDamaged) {
		t.Errorf("read: got %v, want ErrNotExist and ErrDamaged", err)
	}
	problems, err := b.reader().Verify(t.Context(), out.packs[0].Pack, nil)
	if err != nil || len(problems) != 1 || !errors.Is(problems[0], store.ErrNotExist) {
		t.Errorf("verify: got %v, %v; want ErrNotExist", problems, err)
	}
}

func TestDetachedHeaderOpensAPackForANewRecipient(t *testing.T) {
	b, added := newBench(t, memory.New()), newBench(t, memory.New())
	out := b.write(t, WriterOptions{}, mixture(6, 5))
	p := out.packs[0].Pack
	header, err := b.store.Get(t.Context(), Data.Object(p.Name), 0, int64(p.Header), nil)
	if err != nil {
		t.Fatal(err)
	}
	detached, err := crypto.Rewrap(header, b.identities, added.recipients)
	if err != nil {
		t.Fatal(err)
	}
	found := func(_ context.Context, kind Kind, name Name) ([]byte, error) {
		if kind != Data || name != p.Name {
			return nil, store.ErrNotExist
		}
		return detached, nil
	}
	reader := NewReader(b.store, added.identities, b.data, b.tree, ReaderOptions{Header: found})
	for _, c := range out.chunks {
		data, err := reader.ReadChunk(t.Context(), c, nil)
		if err != nil || !bytes.Equal(data, out.bytes[c.ID]) {
			t.Errorf("chunk %s: %d bytes, %v", c.ID, len(data), err)
		}
	}
	none := func(context.Context, Kind, Name) ([]byte, error) { return nil, store.ErrNotExist }
	reader = NewReader(b.store, added.identities, b.data, b.tree, ReaderOptions{Header: none})
	if _, err := reader.ReadChunk(t.Context(), out.chunks[0], nil); !errors.Is(err, crypto.ErrWrongIdentity) {
		t.Errorf("without a detached header: got %v, want ErrWrongIdentity", err)
	}
}

func TestVerifyWithoutAnIdentityChecksHashes(t *testing.T) {
	inner := memory.New()
	b := newBench(t, inner)
	out := b.write(t, WriterOptions{}, mixture(7, 5))
	p := out.packs[0].Pack
	keeper := NewReader(inner, nil, nil, nil, ReaderOptions{})
	if problems, err := keeper.Verify(t.Context(), p, nil); err != nil || len(problems) > 0 {
		t.Errorf("a good pack: got %v, %v", problems, err)
	}
	object, err := inner.Get(t.Context(), Data.Object(p.Name), 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	object[len(object)-1] ^= 1
	keeper = NewReader(&fixed{object}, nil, nil, nil, ReaderOptions{})
	if problems, err := keeper.Verify(t.Context(), p, nil); err != nil || len(problems) != 1 {
		t.Errorf("a changed pack: got %v, %v; want one problem", problems, err)
	}
}
