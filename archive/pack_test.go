package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/crypto"
)

// bench is a repository's keys and a store, for tests.
type bench struct {
	store      store.Store
	identities []age.Identity
	recipients []age.Recipient
	data, tree *crypto.IDKey
}

func newBench(t testing.TB, s store.Store) *bench {
	t.Helper()
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	domain, err := crypto.NewDomain("00112233445566778899aabbccddeeff")
	if err != nil {
		t.Fatal(err)
	}
	return &bench{s, []age.Identity{identity}, []age.Recipient{recipient}, domain.DataID(), domain.TreeID()}
}

func (b *bench) reader() *Reader {
	return NewReader(b.store, b.identities, b.data, b.tree, ReaderOptions{})
}

func (b *bench) key(kind Kind) *crypto.IDKey {
	if kind == Trees {
		return b.tree
	}
	return b.data
}

// written is what a writer stored.
type written struct {
	mu     sync.Mutex
	packs  []RunPack
	chunks []Chunk
	bytes  map[ID][]byte
}

func (w *written) sealed(p *Pack, d *Directory) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packs = append(w.packs, RunPack{p, d})
}

// write stores contents and returns what is known of them after a Flush.
func (b *bench) write(t testing.TB, o WriterOptions, contents [][]byte) *written {
	t.Helper()
	ctx := context.Background()
	out := &written{bytes: make(map[ID][]byte)}
	o.Recipients, o.Stored = b.recipients, out.sealed
	w := NewWriter(ctx, b.store, o)
	defer w.Close()
	slots := make([]*Slot, len(contents))
	for i, data := range contents {
		slots[i] = NewSlot(b.key(o.Kind).Sum(data), len(data))
		out.bytes[slots[i].ID()] = data
		if err := w.Add(ctx, slots[i], data, fmt.Sprint(i%3)); err != nil {
			t.Fatalf("add chunk %d: %v", i, err)
		}
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatalf("flush: %v", err)
	}
	for i, slot := range slots {
		c, ok := slot.Chunk()
		if !ok {
			t.Fatalf("slot %d has no place after the flush", i)
		}
		out.chunks = append(out.chunks, c)
	}
	return out
}

// text makes n bytes that compress.
func text(r *rand.Rand, n int) []byte {
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%d,%s,%x;", r.IntN(1000), []string{"red", "green", "blue", "ochre"}[r.IntN(4)], r.IntN(1<<16))
	}
	return b.Bytes()[:n]
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// mixture is small and big, soft and hard contents.
func mixture(seed uint64, n int) [][]byte {
	r := rand.New(rand.NewPCG(seed, 1))
	sizes := []int{1, 17, 900, 4 << 10, 16 << 10, 70 << 10, 200 << 10, 400 << 10}
	contents := make([][]byte, n)
	for i := range contents {
		size := sizes[r.IntN(len(sizes))] + r.IntN(1000)
		if contents[i] = text(r, size); r.IntN(3) == 0 {
			contents[i] = noise(r, size)
		}
	}
	return contents
}

func byPack(chunks []Chunk) map[*Pack][]Chunk {
	packs := make(map[*Pack][]Chunk)
	for _, c := range chunks {
		packs[c.Place.Pack] = append(packs[c.Place.Pack], c)
	}
	return packs
}

func TestWhatIsWrittenComesBack(t *testing.T) {
	for _, kind := range []Kind{Data, Trees} {
		for _, size := range []int{1 << 20, 4 << 20, 32 << 20} {
			t.Run(fmt.Sprintf("%s in packs of %d", kind, size), func(t *testing.T) {
				b := newBench(t, memory.New())
				out := b.write(t, WriterOptions{Kind: kind, PackSize: size}, mixture(uint64(size), 150))
				reader := b.reader()
				got := 0
				for pack, want := range byPack(out.chunks) {
					rand.Shuffle(len(want), func(i, j int) { want[i], want[j] = want[j], want[i] })
					err := reader.Fetch(t.Context(), pack, want, func(i int, data []byte) error {
						got++
						if !bytes.Equal(data, out.bytes[want[i].ID]) {
							t.Errorf("chunk %s has other bytes than were written", want[i].ID)
						}
						return nil
					})
					if err != nil {
						t.Errorf("fetch: %v", err)
					}
				}
				if got != len(out.chunks) {
					t.Errorf("got %d of %d chunks", got, len(out.chunks))
				}
			})
		}
	}
}

func TestPackHoldsItsOwnDirectory(t *testing.T) {
	b := newBench(t, memory.New())
	out := b.write(t, WriterOptions{PackSize: 1 << 20}, mixture(7, 100))
	for _, p := range out.packs {
		found, err := b.reader().Pack(t.Context(), Data, p.Pack.Name, int64(p.Pack.Size))
		if err != nil || *found != *p.Pack {
			t.Fatalf("pack from a listing: %+v, %v; want %+v", found, err, p.Pack)
		}
		d, err := b.reader().Directory(t.Context(), found)
		if err != nil {
			t.Fatal(err)
		}
		if !d.Equal(p.Directory) {
			t.Errorf("directory of %s differs from what the writer told", p.Pack.Name)
		}
		problems, err := b.reader().Verify(t.Context(), found, d)
		if err != nil || len(problems) > 0 {
			t.Errorf("verify: %v, %v", problems, err)
		}
	}
}

func TestPackSizesArePadded(t *testing.T) {
	b := newBench(t, memory.New())
	const limit = 1 << 20
	for seed := range uint64(8) {
		for _, p := range b.write(t, WriterOptions{PackSize: limit}, mixture(seed, 20+10*int(seed))).packs {
			plain, err := p.Pack.plain()
			if err != nil || plain > limit || plain != Padme(plain, packFloor) {
				t.Errorf("plaintext of %d bytes, %v; want a padded size of at most %d", plain, err, limit)
			}
		}
	}
}

func TestUnwantedNeighboursAreNotFetched(t *testing.T) {
	b := newBench(t, memory.New())
	out := b.write(t, WriterOptions{}, [][]byte{noise(rand.New(rand.NewPCG(1, 1)), 4<<20), noise(rand.New(rand.NewPCG(2, 1)), 4<<20), []byte("small")})
	chunk := out.chunks[1]
	data, err := b.reader().ReadChunk(t.Context(), chunk, []byte("before "))
	if err != nil || !bytes.Equal(data[7:], out.bytes[chunk.ID]) {
		t.Errorf("read one chunk: %d bytes, %v", len(data), err)
	}
}

func TestWrongIdentityIsNotDamage(t *testing.T) {
	b, other := newBench(t, memory.New()), newBench(t, memory.New())
	out := b.write(t, WriterOptions{}, [][]byte{[]byte("some content")})
	b.identities = other.identities
	_, err := b.reader().ReadChunk(t.Context(), out.chunks[0], nil)
	if !errors.Is(err, crypto.ErrWrongIdentity) || errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want ErrWrongIdentity", err)
	}
}
