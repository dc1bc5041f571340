package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/inflight"
	"github.com/packstone/packstone/archive/store/storetest"
)

func readAll(c *Content) ([]byte, error) {
	defer c.Close()
	var all []byte
	for data, err := range c.All() {
		if err != nil {
			return all, err
		}
		all = append(all, data...)
	}
	return all, nil
}

// filesOf divides chunks into files of n each.
func filesOf(chunks []archive.Chunk, n int) [][]archive.Chunk {
	return slices.Collect(slices.Chunk(chunks, n))
}

// read reads contents one after the other, and fails the test where one differs.
func (w *world) read(contents []*Content, want [][]byte) {
	w.t.Helper()
	for i, c := range contents {
		got, err := readAll(c)
		if err != nil || !bytes.Equal(got, want[i]) {
			w.t.Fatalf("content %d: got %d bytes, %v; want %d", i, len(got), err, len(want[i]))
		}
	}
}

func TestReadingInOrderTakesAsManyRequestsAsReadingInAnyOrder(t *testing.T) {
	w := newWorld(t)
	contents := noise(6000, 6000, 11)
	chunks := w.write(16<<20, contents)
	w.each(w.fetcher(nil, Options{}), chunks, contents)
	anyOrder := w.store.Count(storetest.Get)

	w.store.Reset()
	ahead := w.fetcher(nil, Options{}).Ahead(t.Context())
	defer ahead.Close()
	w.read(ahead.Add(filesOf(chunks, 1)...), contents)
	if inOrder := w.store.Count(storetest.Get); inOrder > anyOrder || packsOf(chunks) != 3 {
		t.Errorf("%d requests in order, %d in any order, of %d packs; want no more, of 3", inOrder, anyOrder, packsOf(chunks))
	}
}

// interleaved is two files that lie in turns in the same packs, as files that were read at once do.
func (w *world) interleaved(n int) (lists [][]archive.Chunk, want [][]byte) {
	contents := noise(2*n, 256<<10, 12)
	chunks := w.write(4<<20, contents)
	lists, want = make([][]archive.Chunk, 2), make([][]byte, 2)
	for i := range chunks {
		lists[i%2] = append(lists[i%2], chunks[i])
		want[i%2] = append(want[i%2], contents[i]...)
	}
	return lists, want
}

func TestWhatIsReadMuchLaterIsHeldWithinBounds(t *testing.T) {
	w := newWorld(t)
	lists, want := w.interleaved(80) // 20 MiB each
	const memory = 4 << 20
	ahead := w.fetcher(nil, Options{Memory: memory}).Ahead(t.Context())
	defer ahead.Close()
	contents := ahead.Add(lists...)
	var got []byte
	for data, err := range contents[0].All() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, data...)
		ahead.mu.Lock()
		if ahead.held > memory+memory/4 {
			t.Fatalf("%d bytes are held, want at most %d", ahead.held, memory+memory/4)
		}
		ahead.mu.Unlock()
	}
	contents[0].Close()
	if !bytes.Equal(got, want[0]) {
		t.Error("the first file has other bytes")
	}
	w.read(contents[1:], want[1:])
	if ahead.held != 0 {
		t.Errorf("%d bytes are held at the end", ahead.held)
	}
}

func TestSeveralReadersAtOnceShareTheMemory(t *testing.T) {
	w := newWorld(t)
	lists, want := w.interleaved(40)
	more, wantMore := w.interleaved(24)
	lists, want = append(lists, more...), append(want, wantMore...)
	ahead := w.fetcher(nil, Options{Memory: 1 << 20, Connections: inflight.Fixed(2), Workers: 1}).Ahead(t.Context())
	defer ahead.Close()
	var g errgroup.Group
	for i, c := range slices.Backward(ahead.Add(lists...)) { // none waits for one that was added before
		g.Go(func() error {
			got, err := readAll(c)
			if err == nil && !bytes.Equal(got, want[i]) {
				err = errors.New("other bytes")
			}
			return err
		})
	}
	if err := g.Wait(); err != nil || ahead.held != 0 {
		t.Errorf("got %v, %d bytes held at the end", err, ahead.held)
	}
}

func TestReadingGoesAheadAcrossPacks(t *testing.T) {
	w := newWorld(t)
	contents := noise(12, 512<<10, 13)
	chunks := w.write(1<<20, contents)
	g := newGate(w.store, 4) // the first chunk waits until four packs are asked for
	ahead := w.fetcher(g, Options{Connections: inflight.Fixed(4)}).Ahead(t.Context())
	defer ahead.Close()
	w.read(ahead.Add(filesOf(chunks, 1)...), contents)
	if g.most > 4 {
		t.Errorf("%d requests at once, want 4", g.most)
	}
}

func TestAReaderWhoStopsHoldsNothingUp(t *testing.T) {
	w := newWorld(t)
	contents := noise(64, 256<<10, 14)
	chunks := w.write(2<<20, contents)
	ahead := w.fetcher(nil, Options{Memory: 2 << 20}).Ahead(t.Context())
	defer ahead.Close()
	lists := filesOf(chunks, 16)
	all := ahead.Add(lists...)
	if _, err := all[0].Next(); err != nil {
		t.Fatal(err)
	}
	all[0].Close()
	all[1].Close()
	all[1].Close() // again does nothing
	w.read(all[2:], [][]byte{bytes.Join(contents[32:48], nil), bytes.Join(contents[48:], nil)})
	ahead.Close()
	if ahead.held != 0 || len(ahead.begun) != 0 {
		t.Errorf("%d bytes are held and %d contents are open at the end", ahead.held, len(ahead.begun))
	}
}

func TestAChunkThatIsWantedAgainComesAgain(t *testing.T) {
	w := newWorld(t)
	contents := noise(20, 100<<10, 15)
	chunks := w.write(1<<20, contents)
	r := rand.New(rand.NewPCG(16, 16))
	var lists [][]archive.Chunk
	var want [][]byte
	for range 200 {
		var list []archive.Chunk
		var all []byte
		for range r.IntN(6) {
			i := r.IntN(len(chunks))
			list, all = append(list, chunks[i]), append(all, contents[i]...)
		}
		lists, want = append(lists, list), append(want, all)
	}
	for _, memory := range []int64{64 << 10, 1 << 20, 64 << 20} {
		ahead := w.fetcher(nil, Options{Memory: memory}).Ahead(t.Context())
		w.read(ahead.Add(lists...), want)
		ahead.Close()
	}
}

func TestAContentThatCannotBeHadSaysSoAgainAndOthersCome(t *testing.T) {
	w := newWorld(t)
	contents := noise(3, 1000, 17)
	chunks := w.write(1<<20, contents)
	chunks[1].ID[0] ^= 1
	ahead := w.fetcher(nil, Options{}).Ahead(t.Context())
	defer ahead.Close()
	all := ahead.Add(filesOf(chunks, 1)...)
	for range 2 {
		if _, err := all[1].Next(); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("got %v, want that it is damaged", err)
		}
	}
	all[1].Close()
	w.read([]*Content{all[0], all[2]}, [][]byte{contents[0], contents[2]})
	if ahead.held != 0 {
		t.Errorf("%d bytes are held at the end", ahead.held)
	}
}

func TestWhoReadsEndsWithTheContext(t *testing.T) {
	w := newWorld(t)
	chunks := w.write(1<<20, noise(1, 1000, 18))
	ctx, cancel := context.WithCancel(t.Context())
	ahead := w.fetcher(newGate(w.store, 2), Options{}).Ahead(ctx)
	content := ahead.Add(chunks)[0]
	context.AfterFunc(ctx, ahead.Close)
	cancel()
	if _, err := content.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context has ended", err)
	}
	if _, err := ahead.Add(nil)[0].Next(); !errors.Is(err, io.EOF) {
		t.Errorf("an empty content: got %v, want its end", err)
	}
}
