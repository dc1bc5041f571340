package fetch

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/inflight"
	"github.com/packstone/packstone/archive/store/storetest"
)

// each gets chunks in any order and fails the test if one differs or does not come once.
func (w *world) each(f *Fetcher, chunks []archive.Chunk, want [][]byte) {
	w.t.Helper()
	var mu sync.Mutex
	came := make([]int, len(chunks))
	missing, err := f.Each(w.t.Context(), chunks, func(i int, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		came[i]++
		if !bytes.Equal(data, want[i]) {
			w.t.Errorf("chunk %d has other bytes", i)
		}
		return nil
	})
	if err != nil || len(missing) > 0 {
		w.t.Fatalf("got %v, %v; want all chunks", missing, err)
	}
	if i := slices.IndexFunc(came, func(n int) bool { return n != 1 }); i >= 0 {
		w.t.Errorf("chunk %d came %d times", i, came[i])
	}
}

func TestSmallFilesAreFetchedByThePacksNameWhateverPointsToIt(t *testing.T) {
	w := newWorld(t)
	contents := noise(3000, 1000, 1)
	chunks := w.write(1<<20, contents)
	w.each(w.fetcher(nil, Options{}), chunks, contents)
	if got, want := w.store.Count(storetest.Get), packsOf(chunks); got != want {
		t.Errorf("%d requests for %d small packs, want one each", got, want)
	}
}

func TestAsManyRequestsAreInFlightAsAllowedAndNoMore(t *testing.T) {
	w := newWorld(t)
	contents := noise(48, 256<<10, 2) // three packs of 4 MiB, six requests of 2 MiB
	chunks := w.write(4<<20, contents)
	g := newGate(w.store, 3) // less than three at once would wait forever
	w.each(w.fetcher(g, Options{Connections: inflight.Fixed(3), Workers: 1}), chunks, contents)
	if g.most != 3 {
		t.Errorf("%d requests at once, want 3", g.most)
	}
}

func TestNoMoreWorkersThanAllowedOpenWhatHasCome(t *testing.T) {
	w := newWorld(t)
	contents := noise(40, 256<<10, 3)
	chunks := w.write(1<<20, contents)
	var under, most atomic.Int32
	_, err := w.fetcher(nil, Options{Connections: inflight.Fixed(8), Workers: 2}).Each(t.Context(), chunks, func(int, []byte) error {
		if n := under.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer under.Add(-1)
		return nil
	})
	if err != nil || most.Load() > 2 {
		t.Errorf("%d workers at once, %v; want at most 2", most.Load(), err)
	}
}

func TestAChunkIsTakenFromAnotherPackWhereItsOwnIsDamaged(t *testing.T) {
	w := newWorld(t)
	contents := noise(8, 300<<10, 4)
	chunks := w.write(4<<20, contents)
	w.write(1<<20, contents) // a second copy of each
	bad := chunks[3]
	at := int64(bad.Place.Pack.Header) + int64(bad.Place.Frame) + int64(bad.Place.Stored)/2
	w.store.Corrupt = func(name string, offset int64, data []byte) {
		if i := at - offset; strings.HasSuffix(name, bad.Place.Pack.Name.String()) && i >= 0 && i < int64(len(data)) {
			data[i] ^= 1
		}
	}
	var warned []error
	f := w.knowing(w.fetcher(nil, Options{Warn: func(err error) { warned = append(warned, err) }}))
	w.each(f, chunks, contents)
	if len(warned) == 0 || !errors.Is(warned[0], archive.ErrDamaged) {
		t.Errorf("warned of %v, want the damaged chunk", warned)
	}
}

func TestAMissingPackIsNotAskedForAgainWarnedOfOnceAndMadeUpForByOthers(t *testing.T) {
	w := newWorld(t)
	contents := noise(40, 256<<10, 5)
	chunks := w.write(32<<20, contents)
	lost := archive.Data.Object(chunks[0].Place.Pack.Name)
	w.write(1<<20, contents)
	if err := w.store.Delete(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	w.store.Reset()
	var mu sync.Mutex
	warned := 0
	f := w.knowing(w.fetcher(nil, Options{Connections: inflight.Fixed(1), Workers: 1, Memory: 2 << 20, Warn: func(error) {
		mu.Lock()
		defer mu.Unlock()
		warned++
	}}))
	w.each(f, chunks, contents)
	asked := 0
	for _, call := range w.store.Calls() {
		if call.Op == storetest.Get && call.Name == lost {
			asked++
		}
	}
	if asked > 2 || warned != 1 {
		t.Errorf("asked %d times, warned %d times; want at most by the two spans that were under way, and once", asked, warned)
	}
}

func TestWhatNoPlaceGivesIsReturnedWithItsReasonAndTheRestComes(t *testing.T) {
	w := newWorld(t)
	contents := noise(6, 300<<10, 6)
	chunks := w.write(4<<20, contents)
	chunks[2].ID[0] ^= 1
	chunks[4].Place.Pack = nil
	chunks[5].Place.Stored = 0
	came := make([]atomic.Bool, len(chunks))
	missing, err := w.fetcher(nil, Options{}).Each(t.Context(), chunks, func(i int, _ []byte) error {
		came[i].Store(true)
		return nil
	})
	if err != nil || len(missing) != 3 {
		t.Fatalf("got %v, %v; want three that are missing", missing, err)
	}
	for k, i := range []int{2, 4, 5} {
		if missing[k].Index != i || !errors.Is(missing[k].Err, archive.ErrDamaged) {
			t.Errorf("missing: got %v, want chunk %d, damaged", missing[k], i)
		}
		if id := chunks[i].ID.String(); strings.Count(missing[k].Err.Error(), id) != 1 {
			t.Errorf("%v does not name chunk %s once", missing[k].Err, id)
		}
	}
	for i := range came {
		if want := i < 4 && i != 2; came[i].Load() != want {
			t.Errorf("chunk %d came: %v, want %v", i, came[i].Load(), want)
		}
	}
}

func TestAStorageOutOfReachEndsIt(t *testing.T) {
	w := newWorld(t)
	contents := noise(40, 256<<10, 7)
	chunks := w.write(1<<20, contents)
	for n := 1; n <= packsOf(chunks); n += 3 {
		w.store.Before = storetest.On(storetest.From(n, store.ErrUnreachable), storetest.Get)
		if _, err := w.fetcher(nil, Options{}).Each(t.Context(), chunks, func(int, []byte) error { return nil }); !errors.Is(err, store.ErrUnreachable) {
			t.Errorf("request %d fails: got %v, want that the storage is out of reach", n, err)
		}
		reader := w.fetcher(nil, Options{}).Ahead(t.Context())
		if _, err := readAll(reader.Add(chunks)[0]); !errors.Is(err, store.ErrUnreachable) {
			t.Errorf("reading ahead: got %v, want that the storage is out of reach", err)
		}
		reader.Close()
	}
}

func TestEachEndsWithTheErrorOfItsCaller(t *testing.T) {
	w := newWorld(t)
	chunks := w.write(1<<20, noise(40, 256<<10, 8))
	full := errors.New("full")
	_, err := w.fetcher(nil, Options{}).Each(t.Context(), chunks, func(int, []byte) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("got %v, want the caller's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.fetcher(nil, Options{}).Each(ctx, chunks, func(int, []byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: got %v", err)
	}
}

func TestAHoleHasNoBytesInAnyOrderAndItsZerosInOrder(t *testing.T) {
	w := newWorld(t)
	contents := noise(2, 1000, 9)
	chunks := w.write(1<<20, contents)
	hole := archive.Chunk{Length: 1<<20 + 7}
	list := []archive.Chunk{hole, chunks[0], hole, chunks[1], hole}
	var mu sync.Mutex
	lengths := make([]int, len(list))
	missing, err := w.fetcher(nil, Options{}).Each(t.Context(), list, func(i int, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		lengths[i] += 1 + len(data)
		return nil
	})
	if want := []int{1, 1001, 1, 1001, 1}; err != nil || len(missing) > 0 || !slices.Equal(lengths, want) {
		t.Errorf("got lengths plus one %v, %v, %v; want %v", lengths, missing, err, want)
	}
	reader := w.fetcher(nil, Options{}).Ahead(t.Context())
	defer reader.Close()
	got, err := readAll(reader.Add(list)[0])
	zeros := make([]byte, hole.Length)
	if want := slices.Concat(zeros, contents[0], zeros, contents[1], zeros); err != nil || !bytes.Equal(got, want) {
		t.Errorf("in order came %d bytes, %v; want %d", len(got), err, len(want))
	}
}

func TestWholePacksAreVerified(t *testing.T) {
	w := newWorld(t)
	w.write(1<<20, noise(10, 256<<10, 10))
	f := w.fetcher(nil, Options{})
	for _, p := range w.packs {
		if problems, err := f.Verify(t.Context(), p.Pack, p.Directory); err != nil || len(problems) > 0 {
			t.Errorf("a good pack: got %v, %v", problems, err)
		}
	}
	object := archive.Data.Object(w.packs[0].Pack.Name)
	w.store.Corrupt = storetest.FlipBit(object)
	if problems, err := f.Verify(t.Context(), w.packs[0].Pack, nil); err != nil || len(problems) == 0 {
		t.Errorf("a damaged pack: got %v, %v; want problems", problems, err)
	}
	if err := w.store.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	problems, err := f.Verify(t.Context(), w.packs[0].Pack, nil)
	if err != nil || len(problems) != 1 || !errors.Is(problems[0], store.ErrNotExist) {
		t.Errorf("a missing pack: got %v, %v; want that it does not exist", problems, err)
	}
}
