package fetch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/crypto"
)

// world is a store with packs and the keys to them.
type world struct {
	t         testing.TB
	store     *storetest.Faulty
	identity  age.Identity
	recipient age.Recipient
	ids       *crypto.IDKey
	packs     []archive.RunPack
}

func newWorld(t testing.TB) *world {
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
	return &world{t: t, store: &storetest.Faulty{Store: memory.New()}, identity: identity, recipient: recipient, ids: domain.DataID()}
}

// fetcher reads through s, the world's own store if it is nil, within the limit that o gives.
func (w *world) fetcher(s store.Store, o Options) *Fetcher {
	if s == nil {
		s = w.store
	}
	if o.Connections != nil {
		s = o.Connections.Store(s)
	}
	return Of(archive.NewReader(s, []age.Identity{w.identity}, w.ids, nil, archive.ReaderOptions{}), o)
}

// write stores chunks in their order, each in a frame of its own if it has 256 KiB or more, and
// returns them with their places. Every one has a pack of its own to point to, as chunks of decoded
// pages have.
func (w *world) write(packSize int, contents [][]byte) []archive.Chunk {
	w.t.Helper()
	var mu sync.Mutex
	out := archive.NewWriter(w.t.Context(), w.store, archive.WriterOptions{
		Recipients: []age.Recipient{w.recipient}, PackSize: packSize,
		Stored: func(p *archive.Pack, d *archive.Directory) {
			mu.Lock()
			defer mu.Unlock()
			w.packs = append(w.packs, archive.RunPack{Pack: p, Directory: d})
		},
	})
	slots := make([]*archive.Slot, len(contents))
	for i, data := range contents {
		slots[i] = archive.NewSlot(w.ids.Sum(data), len(data))
		if err := out.Add(w.t.Context(), slots[i], data, "kind"); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := out.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		w.t.Fatal(err)
	}
	chunks := make([]archive.Chunk, len(slots))
	for i, slot := range slots {
		chunks[i], _ = slot.Chunk()
		pack := *chunks[i].Place.Pack
		chunks[i].Place.Pack = &pack
	}
	w.store.Reset()
	return chunks
}

// noise is n chunks of size bytes that do not compress.
func noise(n, size int, seed uint64) [][]byte {
	r := rand.New(rand.NewPCG(seed, 1))
	all := make([][]byte, n)
	for i := range all {
		all[i] = make([]byte, size)
		for k := range all[i] {
			all[i][k] = byte(r.Uint32())
		}
	}
	return all
}

// packsOf is the number of packs that chunks lie in.
func packsOf(chunks []archive.Chunk) int {
	names := map[archive.Name]bool{}
	for i := range chunks {
		names[packName(&chunks[i])] = true
	}
	return len(names)
}

// knowing makes a fetcher find other places in an index of all packs of the world.
func (w *world) knowing(f *Fetcher) *Fetcher {
	f.places = []findPlaces{func(context.Context) (*index.Index, error) {
		x := index.New(index.Options{})
		x.Add(w.packs...)
		return x, nil
	}}
	return f
}

// gate is a store whose Gets wait until enough of them are under way.
type gate struct {
	store.Store
	needed int

	mu        sync.Mutex
	under     int
	most      int
	opened    chan struct{}
	isOpened  bool
	requested []string
}

func newGate(s store.Store, needed int) *gate {
	return &gate{Store: s, needed: needed, opened: make(chan struct{})}
}

func (g *gate) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	g.mu.Lock()
	g.under++
	g.most = max(g.most, g.under)
	g.requested = append(g.requested, fmt.Sprintf("%s at %d", name, offset))
	if g.under == g.needed && !g.isOpened {
		g.isOpened = true
		close(g.opened)
	}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.under--
		g.mu.Unlock()
	}()
	select {
	case <-g.opened:
	case <-ctx.Done():
		return dst, context.Cause(ctx)
	}
	return g.Store.Get(ctx, name, offset, length, dst)
}
