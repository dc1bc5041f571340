package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/index/tables"
)

// library holds index runs, as a repository does, and counts how often one is read. Its packs have
// 1000 chunks each, which scaleChunk describes.
type library struct {
	t     *testing.T
	cache string // where the tables of all processes lie
	runs  map[archive.Name][]archive.RunPack
	packs uint64
	reads atomic.Int64
	away  atomic.Bool
}

func newLibrary(t *testing.T, packs ...uint64) *library {
	l := &library{t: t, cache: filepath.Join(t.TempDir(), "index"), runs: map[archive.Name][]archive.RunPack{}}
	for _, n := range packs {
		l.publish(n)
	}
	return l
}

// publish adds a run of so many packs, and returns its name.
func (l *library) publish(packs uint64) archive.Name {
	var list []archive.RunPack
	for range packs {
		list = append(list, scaleRunPack(l.packs))
		l.packs++
	}
	name := archive.Name(scaleID(uint64(len(l.runs)), 2))
	l.runs[name] = list
	return name
}

func (l *library) fetch(_ context.Context, name archive.Name) ([]archive.RunPack, error) {
	l.reads.Add(1)
	if l.away.Load() {
		return nil, fmt.Errorf("get %s: %w", name, store.ErrUnreachable)
	}
	return l.runs[name], nil
}

func (l *library) names() []archive.Name { return slices.Collect(maps.Keys(l.runs)) }

// index is the index of a new process.
func (l *library) index() *Index {
	l.t.Helper()
	x := l.empty(Options{Dir: l.cache})
	l.want(x)
	return x
}

// empty is an index that may use no run yet.
func (l *library) empty(o Options) *Index {
	o.Fetch = l.fetch
	x := New(o)
	l.t.Cleanup(x.Close)
	return x
}

// want lets x use all runs, and returns how many are new to it.
func (l *library) want(x *Index) int {
	l.t.Helper()
	n, err := x.Want(l.t.Context(), l.names(), l.names())
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// verify looks up what is there and what is not, one by one and at once.
func (w *library) verify(x *Index) {
	w.t.Helper()
	var ids []archive.ID
	for i := uint64(0); i < w.packs*scalePack; i += 17 {
		ids = append(ids, scaleID(i, 0), scaleID(i+1<<40, 0))
	}
	for i, id := range ids {
		c, found, err := x.Lookup(w.t.Context(), id)
		if err != nil || found != (i%2 == 0) {
			w.t.Fatalf("look up chunk %d: found %v, %v", i, found, err)
		}
		if number := uint64(i/2) * 17; found {
			verifyPlace(w.t, number, c)
		}
	}
	w.verifyPacks(x)
}

func (w *library) verifyPacks(x *Index) {
	w.t.Helper()
	seen := map[archive.Name]bool{}
	for p, err := range x.Packs(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		seen[p.Name] = true
	}
	for i := range w.packs {
		want := scaleRunPack(i)
		got, found, err := x.Pack(w.t.Context(), want.Pack.Name)
		if err != nil || !found || *got.Pack != *want.Pack || !got.Directory.Equal(want.Directory) || !seen[want.Pack.Name] {
			w.t.Fatalf("pack %d: got %v, %v, %v", i, got.Pack, found, err)
		}
		places, err := x.Places(w.t.Context(), want.Directory.IDs[3])
		if err != nil || len(places) != 1 {
			w.t.Fatalf("places of a chunk of pack %d: %+v, %v", i, places, err)
		}
	}
	if _, found, err := x.Pack(w.t.Context(), archive.Name{1}); found || err != nil {
		w.t.Errorf("a pack that nobody named: %v, %v", found, err)
	}
}

func verifyPlace(t testing.TB, number uint64, got archive.Chunk) {
	t.Helper()
	want := scaleChunk(number)
	if got.Place.Pack == nil || *got.Place.Pack != *want.Place.Pack {
		t.Fatalf("chunk %d: got %+v, want %+v", number, got, want)
	}
	if want.Place.Pack = got.Place.Pack; got != want {
		t.Fatalf("chunk %d: got %+v, want %+v", number, got, want)
	}
}

func TestIndexIsNotReadBeforeTheFirstLookUp(t *testing.T) {
	w := newLibrary(t, 2, 1)
	x := w.index()
	if n := w.reads.Load(); n != 0 {
		t.Errorf("%d index runs were read before the first look-up", n)
	}
	if _, err := os.Stat(w.cache); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written before the first look-up: %v", err)
	}
	w.verify(x)
	if n := w.reads.Load(); n != 2 {
		t.Errorf("%d index runs were read, want 2", n)
	}
	w.verify(w.index())
	if n := w.reads.Load(); n != 2 {
		t.Errorf("%d index runs were read by two processes, want 2", n)
	}
	w.publish(1)
	w.verify(w.index())
	if n := w.reads.Load(); n != 3 {
		t.Errorf("%d index runs were read after one more, want 3", n)
	}
}

func TestIndexTellsOfAStoreThatIsAwayAndThenGoesOn(t *testing.T) {
	w := newLibrary(t, 2)
	x := w.index()
	w.away.Store(true)
	if _, found, err := x.Lookup(t.Context(), scaleID(1, 0)); found || !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("got %v, %v; want ErrUnreachable", found, err)
	}
	w.away.Store(false)
	w.verify(x)
}

func TestADamagedIndexOnDiskIsMadeAgain(t *testing.T) {
	for _, kind := range []string{"manifest", "chunks", "packs", "keys"} {
		for what, damage := range map[string]func(b []byte) []byte{
			"flipped":   func(b []byte) []byte { return flip(b, len(b)/3) },
			"cut short": func(b []byte) []byte { return b[:len(b)/3] },
			"empty":     func([]byte) []byte { return nil },
		} {
			t.Run(kind+" "+what, func(t *testing.T) {
				w := newLibrary(t, 3, 1)
				open := w.index()
				w.verify(open)
				damageIndex(t, w.cache, kind, damage)
				w.verify(open) // its files are those that are damaged
				damageIndex(t, w.cache, kind, damage)
				w.verify(w.index())
				w.publish(1)
				w.verify(w.index())
			})
		}
	}
}

// damageIndex changes a file of the cached index in place.
func damageIndex(t *testing.T, cache, kind string, damage func([]byte) []byte) {
	t.Helper()
	damageFile(t, filepath.Join(cache, kind), damage)
}

// damageFile changes the first file whose path begins so.
func damageFile(t *testing.T, path string, damage func([]byte) []byte) {
	t.Helper()
	found, err := filepath.Glob(path + "*")
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", path, err)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(found[0], damage(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestIndexWithoutAPlaceOnDiskIsInMemory(t *testing.T) {
	w := newLibrary(t, 2, 1)
	if err := os.WriteFile(w.cache, []byte("no directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := w.index()
	w.verify(x)
	if x.hot.Len() != 3*scalePack {
		t.Errorf("%d chunks in memory, want all", x.hot.Len())
	}
	w.cache = ""
	w.verify(w.index())
}

// spilling is an index without a cache that goes to temporary files early.
func (w *library) spilling(temp string) *Index {
	x := w.empty(Options{TempDir: temp})
	x.most = 1500
	return x
}

func TestIndexWithoutACacheGoesToTemporaryFiles(t *testing.T) {
	w := newLibrary(t, 1, 1, 1, 1)
	temp := t.TempDir()
	x := w.spilling(temp)
	w.want(x)
	w.verify(x)
	for range 3 {
		x.Add(scaleRunPack(w.packs))
		w.packs++
	}
	w.verify(x)
	if n := x.hot.Len(); n > x.most {
		t.Errorf("%d chunks in memory, want %d at most", n, x.most)
	}
	w.publish(2)
	if n := w.want(x); n != 1 {
		t.Errorf("%d runs more, want 1", n)
	}
	w.verify(x)
	if found, err := os.ReadDir(temp); err != nil || len(found) != 1 {
		t.Errorf("temporary files %v, %v", found, err)
	}
	x.Close()
	if found, err := os.ReadDir(temp); err != nil || len(found) != 0 {
		t.Errorf("temporary files are left: %v, %v", found, err)
	}
}

func TestDamagedTemporaryFilesAreAnError(t *testing.T) {
	w := newLibrary(t)
	x := w.spilling(t.TempDir())
	x.Add(scaleRunPack(0), scaleRunPack(1))
	damageFile(t, filepath.Join(x.private, "chunks"), func(b []byte) []byte { return make([]byte, len(b)) })
	if _, found, err := x.Lookup(t.Context(), scaleID(1, 0)); found || !errors.Is(err, errLost) {
		t.Errorf("got %v, %v; want errLost", found, err)
	}
}

func TestIndexStaysInMemoryWhereThereIsNoPlaceForTemporaryFiles(t *testing.T) {
	w := newLibrary(t, 1, 1, 1)
	x := w.spilling(filepath.Join(t.TempDir(), "missing"))
	w.want(x)
	w.verify(x)
}

func TestWhatIsPublishedGoesFromMemoryToDisk(t *testing.T) {
	w := newLibrary(t, 1)
	x := w.index()
	fresh := scaleRunPack(1)
	x.Add(fresh)
	run := w.publish(1)
	w.verify(x)
	x.Publish(t.Context(), run, w.runs[run])
	if x.hot.Len() != 0 {
		t.Errorf("%d chunks are in memory after they were published", x.hot.Len())
	}
	w.verify(x)
	w.verify(w.index())
	if n := w.reads.Load(); n != 1 {
		t.Errorf("%d index runs were read, want the first alone", n)
	}
}

func TestIndexLeavesOutPacksThatMayNotBeUsed(t *testing.T) {
	w := newLibrary(t, 2)
	x := w.index()
	avoid := scalePackOf(0).Name
	x.SetFilter(func(p *archive.Pack) bool { return p.Name != avoid })
	for range 3 { // the third time the pack would be held in memory
		for i := range uint64(5) {
			if c, found, err := x.Lookup(t.Context(), scaleID(i, 0)); found || err != nil {
				t.Fatalf("found %+v, %v in a pack that may not be used", c, err)
			}
			if _, found, err := x.Lookup(t.Context(), scaleID(scalePack+i, 0)); !found || err != nil {
				t.Fatalf("a chunk of the other pack: %v, %v", found, err)
			}
		}
	}
	if places, err := x.Places(t.Context(), scaleID(1, 0)); len(places) != 1 || err != nil {
		t.Errorf("a restore finds %d places, %v; want 1", len(places), err)
	}
	x.SetFilter(nil)
	w.verify(x)
	avoid = scalePackOf(1).Name
	x.SetFilter(func(p *archive.Pack) bool { return p.Name != avoid })
	if c, found, err := x.Lookup(t.Context(), scaleID(scalePack+1, 0)); found || err != nil {
		t.Errorf("found %+v, %v in a pack that may not be used any more", c, err)
	}
}

func TestRunsOnDiskThatAnIndexMayNotUseAreNotUsed(t *testing.T) {
	w := newLibrary(t, 1)
	mine := w.names()
	w.publish(1)
	w.verify(w.index()) // a restore on the same host reads all runs into the same cache
	x := w.empty(Options{Dir: w.cache})
	if _, err := x.Want(t.Context(), mine, w.names()); err != nil {
		t.Fatal(err)
	}
	w.packs = 1
	w.verify(x)
	if c, found, err := x.Lookup(t.Context(), scaleID(scalePack+5, 0)); found || err != nil {
		t.Errorf("found %+v, %v in a run that may not be used", c, err)
	}
	if n, err := x.Len(t.Context()); n != scalePack || err != nil {
		t.Errorf("the index has %d chunks, %v, want %d", n, err, scalePack)
	}
}

func TestRunsThatNoRecordNamesAreDroppedFromDiskWhenTheyAreMost(t *testing.T) {
	w := newLibrary(t, 1)
	named := w.names()
	w.publish(3)
	w.verify(w.index())
	x := w.empty(Options{Dir: w.cache})
	if _, err := x.Want(t.Context(), named, named); err != nil {
		t.Fatal(err)
	}
	x.Publish(t.Context(), archive.Name{7}, nil) // any extension looks for it
	if n := x.disk.Runs(); n != 1 {
		t.Errorf("%d runs on disk, want the new one alone", n)
	}
	w.packs = 1
	w.verify(x)
}

func TestManyProcessesShareOneIndexOnDisk(t *testing.T) {
	w := newLibrary(t, 1, 1, 1, 1, 1, 1)
	var all []*Index
	for range 4 {
		all = append(all, w.index())
	}
	w.publish(2)
	for range 4 {
		all = append(all, w.index())
	}
	var wg sync.WaitGroup
	for i, x := range all {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 500 {
				number := r.Uint64N(6 * scalePack)
				c, found, err := x.Lookup(t.Context(), scaleID(number, 0))
				if err != nil || !found {
					t.Errorf("chunk %d: %v, %v", number, found, err)
					return
				}
				verifyPlace(t, number, c)
			}
		})
	}
	wg.Wait()
	for _, x := range all[4:] {
		w.verify(x)
	}
}

// Another process that has locked the tables, and was stopped then, delays a look-up for a minute,
// once.
func TestALockedIndexOnDiskIsLeftToItsHolder(t *testing.T) {
	for name, damaged := range map[string]bool{"whole": false, "damaged": true} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { besideAHolder(t, damaged) }) })
	}
}

func besideAHolder(t *testing.T, damaged bool) {
	w := newLibrary(t, 1, 1)
	w.verify(w.index()) // makes tables
	if damaged {
		damageIndex(t, w.cache, "chunks", func(b []byte) []byte { return make([]byte, len(b)) })
	}
	holder, err := tables.Extend(t.Context(), w.cache, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	begun, warnings, temp := time.Now(), 0, t.TempDir()
	x := w.empty(Options{Dir: w.cache, TempDir: temp, Warn: func(string, ...any) { warnings++ }})
	x.most = 1500
	for range 3 { // of which the second and third outgrow the memory
		w.publish(1)
		w.want(x)
		w.verify(x)
	}
	x.Add(scaleRunPack(w.packs), scaleRunPack(w.packs+1))
	w.packs += 2
	w.verify(x)
	if n := x.hot.Len(); n > x.most {
		t.Errorf("%d chunks in memory, want %d at most", n, x.most)
	}
	if took := time.Since(begun); took < patience || took > patience+time.Second {
		t.Errorf("it took %v, want %v", took, patience)
	}
	if want := map[bool]int{false: 1, true: 2}[damaged]; warnings != want {
		t.Errorf("%d warnings, want %d", warnings, want)
	}
	holder.Close()
	w.packs -= 2 // which are not published
	w.verify(w.index())
}

func TestDamageIsMadeGoodWhileManyLookUp(t *testing.T) {
	w := newLibrary(t, 2, 2)
	x := w.index()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for range 2000 {
				number := r.Uint64N(4 * scalePack)
				c, found, err := x.Lookup(t.Context(), scaleID(number, 0))
				if err != nil || !found {
					t.Errorf("chunk %d: %v, %v", number, found, err)
					return
				}
				verifyPlace(t, number, c)
			}
		})
	}
	for _, kind := range []string{"chunks", "keys", "packs"} {
		if found, _ := filepath.Glob(filepath.Join(w.cache, kind+"*")); len(found) > 0 {
			damageIndex(t, w.cache, kind, func(b []byte) []byte { return make([]byte, len(b)) })
		}
	}
	wg.Wait()
	w.verify(x)
}

func flip(data []byte, at int) []byte {
	out := slices.Clone(data)
	out[at] ^= 1
	return out
}

func TestWhoWaitsUntilAnotherHasLoadedWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := make(chan struct{})
		x := New(Options{Fetch: func(ctx context.Context, _ archive.Name) ([]archive.RunPack, error) {
			<-away
			return nil, nil
		}})
		defer x.Close()
		run := []archive.Name{archive.Name(scaleID(1, 2))}
		if _, err := x.Want(t.Context(), run, run); err != nil {
			t.Fatal(err)
		}
		go x.Lookup(t.Context(), scaleID(1, 0))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, _, err := x.Lookup(ctx, scaleID(2, 0)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time is over", err)
		}
		if _, err := x.Want(ctx, run, run); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Want: got %v, want that the time is over", err)
		}
		if _, err := x.WantVouched(ctx, run, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WantVouched: got %v, want that the time is over", err)
		}
		if err := x.lost(ctx, nil, tables.ErrDamaged); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("lost: got %v, want that the time is over", err)
		}
		x.Publish(ctx, run[0], nil)
		close(away)
	})
}

func TestWhoAddsPacksDoesNotWaitUntilAnotherHasLoaded(t *testing.T) {
	w := newLibrary(t)
	x := w.spilling(t.TempDir())
	x.loading.Lock()
	x.Add(scaleRunPack(0), scaleRunPack(1))
	if n := x.hot.Len(); n <= x.most {
		t.Errorf("%d chunks in memory while the index is loaded, want all", n)
	}
	x.loading.Unlock()
	x.Add(scaleRunPack(2))
	if n := x.hot.Len(); n > x.most {
		t.Errorf("%d chunks in memory after that, want %d at most", n, x.most)
	}
	w.packs = 3
	w.verify(x)
}
