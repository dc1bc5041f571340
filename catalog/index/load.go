package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/index/tables"
)

// mergeAtEnd is the largest number of keys that are merged while a backup waits.
const mergeAtEnd = 4 << 20

// runsAtOnce is how many index runs are fetched at once.
const runsAtOnce = 4

// patience is how long a process waits for another one that extends the same tables. It may have
// stopped, or wait for a store that does not answer.
const patience = time.Minute

// Want makes the index use runs, and returns how many of them are new to it. named are all runs
// that any record names. The index reads the runs at its first look-up, or now if there was one.
func (x *Index) Want(ctx context.Context, runs, named []archive.Name) (added int, err error) {
	added, opened, err := x.want(ctx, runs, named)
	if added > 0 && opened {
		err = x.load(ctx)
	}
	return added, err
}

func (x *Index) want(ctx context.Context, runs, named []archive.Name) (added int, opened bool, _ error) {
	if err := x.loading.wait(ctx); err != nil {
		return 0, false, fmt.Errorf("extend the index: %w", err)
	}
	defer x.loading.Unlock()
	for _, name := range runs {
		if !x.runs[name] {
			x.runs[name] = true
			if x.partly[name] { // of what is in memory only a part is there
				delete(x.partly, name)
				delete(x.held, name)
			}
			added++
		}
	}
	for _, name := range named {
		x.named[name] = true
	}
	if added > 0 {
		x.stale.Store(true)
	}
	return added, x.opened, nil
}

// load loads the usable runs that are missing.
func (x *Index) load(ctx context.Context) error {
	if !x.stale.Load() {
		return nil
	}
	if err := x.loading.wait(ctx); err != nil {
		return fmt.Errorf("load the index: %w", err)
	}
	defer x.loading.Unlock()
	if !x.stale.Load() {
		return nil
	}
	x.opened = true
	for again := true; again; again = len(x.missing()) > 0 { // if what was on disk has given way to private tables
		if err := x.loadRuns(ctx); err != nil {
			return fmt.Errorf("load the index: %w", err)
		}
	}
	x.stale.Store(false)
	return nil
}

func (x *Index) loadRuns(ctx context.Context) error {
	dir := x.directory()
	if dir == "" {
		return x.loadToMemory(ctx)
	}
	if x.disk == nil {
		// A damaged or unreadable set counts as empty.
		if set, err := tables.Open(dir); err == nil {
			x.turn(set)
		}
	}
	if len(x.missing()) == 0 {
		x.turn(x.disk)
		return nil
	}
	err := x.extend(ctx, dir, true)
	if errors.Is(err, tables.ErrDamaged) {
		x.turn(nil)
		x.dropFiles(ctx, 0)
		err = x.extend(ctx, dir, true)
	}
	if err == nil || store.Unavailable(ctx, err) != nil {
		return err
	}
	if errors.Is(err, tables.ErrBusy) {
		x.leave()
	}
	// A cache that cannot be written to only costs memory.
	return x.loadToMemory(ctx)
}

// leave leaves the tables to another process that has held them for too long. What was on disk when
// they were opened may still be read.
func (x *Index) leave() {
	x.o.Warn("another process has locked the cached index in %s for %v; going on without it; end that process if it hangs", x.o.Dir, patience)
	x.inMemoryOnly = true
}

// directory returns the directory of the tables, "" if there is none.
func (x *Index) directory() string {
	if x.inMemoryOnly {
		return x.private
	}
	return cmp.Or(x.private, x.o.Dir)
}

// missing returns the usable runs that are neither on disk nor in memory.
func (x *Index) missing() (names []archive.Name) {
	for name := range x.wanted() {
		if x.held[name] {
			continue
		}
		if x.disk != nil {
			if _, there := x.disk.Run(name); there {
				continue
			}
		}
		names = append(names, name)
	}
	return names
}

// turn switches to set, and drops what this process has in memory and set has too.
func (x *Index) turn(set *tables.Set) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.disk != nil && x.disk != set {
		x.disk.Close()
	}
	x.disk, x.chosen = set, nil
	x.cached.clear()
	x.vouch.clear()
	if set == nil {
		return
	}
	x.vouch.runs = make([]bool, set.Runs())
	for name := range x.partly {
		if i, ok := set.Run(name); ok {
			x.vouch.runs[i] = true
		}
	}
	x.chosen = make([]bool, set.Runs())
	for name := range x.runs {
		if i, ok := set.Run(name); ok {
			x.chosen[i] = true
		}
	}
	x.cool(set)
}

// cool drops packs from memory whose runs are on disk.
func (x *Index) cool(set *tables.Set) {
	gone := map[archive.Name]bool{}
	for name, packs := range x.offered {
		if _, there := set.Run(name); !there {
			continue
		}
		for _, p := range packs {
			gone[p.Pack.Name] = true
		}
		delete(x.offered, name)
		delete(x.held, name)
	}
	if len(gone) == 0 {
		return
	}
	old := x.hot
	x.hot = archive.NewIndex(0)
	x.hot.SetFilter(x.usable)
	for p := range old.Packs() {
		if !gone[p.Pack.Name] {
			x.hot.Add(p)
		}
	}
}

// extend writes runs to disk: those that this process has in memory and, if fetch is set, those
// that are missing.
func (x *Index) extend(ctx context.Context, dir string, fetch bool) error {
	wait := time.Duration(0)
	if fetch {
		wait = patience
	}
	w, err := tables.Extend(ctx, dir, wait)
	if err != nil {
		return err
	}
	defer w.Close()
	if x.isMostlyUnused(w) {
		w.Reset()
	}
	for name, packs := range x.offered {
		if err := w.Add(name, packs); err != nil {
			return err
		}
	}
	if fetch {
		if err := x.fetch(ctx, w); err != nil {
			return err
		}
	}
	most := int64(0)
	if !fetch {
		most = mergeAtEnd
	}
	set, err := w.Commit(most)
	if err != nil {
		return err
	}
	x.turn(set)
	return nil
}

// isMostlyUnused reports whether most of the content on disk belongs to runs that no record names.
func (x *Index) isMostlyUnused(w *tables.Writer) bool {
	used, all := w.Count(func(run archive.Name) bool { return x.named[run] })
	return 2*used < all
}

// fetch adds the runs that w lacks.
func (x *Index) fetch(ctx context.Context, w *tables.Writer) error {
	var mu sync.Mutex
	var missing []archive.Name
	for name := range x.wanted() {
		if !x.held[name] && !w.Has(name) {
			missing = append(missing, name)
		}
	}
	return x.each(ctx, missing, func(name archive.Name, packs []archive.RunPack) error {
		mu.Lock()
		defer mu.Unlock()
		return w.Add(name, packs)
	})
}

// each fetches runs, several at once, and passes them to do. It leaves out damaged and missing
// runs, which this process does not try again.
func (x *Index) each(ctx context.Context, names []archive.Name, do func(archive.Name, []archive.RunPack) error) error {
	var bad sync.Map
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runsAtOnce)
	for _, name := range names {
		g.Go(func() error {
			packs, err := x.o.Fetch(gctx, name)
			if failed := store.Unavailable(gctx, err); failed != nil {
				return failed
			}
			if err != nil {
				x.o.Warn("an index run is left out: %v", err)
				bad.Store(name, true)
				return nil
			}
			return do(name, packs)
		})
	}
	err := g.Wait()
	for name := range bad.Range {
		x.held[name.(archive.Name)] = true
	}
	return err
}

// loadToMemory loads the missing runs into memory, if they cannot be stored on disk.
func (x *Index) loadToMemory(ctx context.Context) error {
	var mu sync.Mutex
	var came []archive.Name
	err := x.each(ctx, x.missing(), func(name archive.Name, packs []archive.RunPack) error {
		mu.Lock()
		defer mu.Unlock()
		x.add(x.vouchedOf(name, packs))
		came = append(came, name)
		if x.outgrown() {
			x.spill(ctx)
		}
		return nil
	})
	for _, name := range came {
		x.held[name] = true
	}
	return err
}

// drop gives up damaged tables, so that the next load rebuilds them. With forGood, their content is
// kept in memory from then on. It does nothing if ctx ends.
func (x *Index) drop(ctx context.Context, damaged *tables.Set, forGood bool) {
	if x.loading.wait(ctx) != nil {
		return
	}
	defer x.loading.Unlock()
	if x.disk != damaged {
		return // another goroutine was quicker
	}
	x.o.Warn("the cached index is damaged and is made again")
	generation := damaged.Generation()
	x.turn(nil)
	x.dropFiles(ctx, generation)
	x.inMemoryOnly = x.inMemoryOnly || forGood
	x.stale.Store(true)
}

func (x *Index) dropFiles(ctx context.Context, generation uint64) {
	dir := x.directory()
	if dir == "" {
		return
	}
	if err := tables.Drop(ctx, dir, generation, patience); errors.Is(err, tables.ErrBusy) {
		x.leave()
	}
}

// Publish says that this process has published a run. The run's packs are in memory; Publish writes
// them to disk, unless another process is writing there. If that fails, or ctx ends, they stay in
// memory.
func (x *Index) Publish(ctx context.Context, name archive.Name, packs []archive.RunPack) {
	if x.loading.wait(ctx) != nil {
		return
	}
	defer x.loading.Unlock()
	x.runs[name], x.named[name], x.held[name] = true, true, true
	x.offered[name] = packs
	if dir := x.directory(); dir != "" {
		_ = x.extend(ctx, dir, false)
	}
}
