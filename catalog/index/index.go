// Package index finds the chunks of a repository. It keeps the content of index runs in tables on
// disk. Processes share these, and rebuild them from the runs when they are lost or damaged.
package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/index/tables"
)

// Index maps chunks to their places. It keeps the content of index runs on disk, in the cache, and
// opens it at the first look-up: a process that looks nothing up does not read it. In memory are
// packs that this process has added, until their run is on disk, and packs in which several chunks
// were found, since neighbours often follow. Without a cache all of it is in memory, 50 to 60 bytes
// a chunk.
//
// Look-ups are exact: they compare the whole 32-byte id. Damaged files are rebuilt from the store.
// An error says that the store, or ctx, prevented that. All methods except Close are safe for
// concurrent use.
type Index struct {
	mu     sync.RWMutex
	usable func(*archive.Pack) bool
	hot    *archive.Index // added by this process, and runs that are not on disk
	disk   *tables.Set    // nil: not opened
	chosen []bool         // which runs on disk may be used; nil: all
	vouch  vouch
	cached cache

	loading      turn // held while runs are loaded; guards what follows
	o            Options
	runs         map[archive.Name]bool              // that may be used
	partly       map[archive.Name]bool              // of which some packs may
	named        map[archive.Name]bool              // that any record names
	held         map[archive.Name]bool              // of runs: in hot, or left out since they are damaged
	offered      map[archive.Name][]archive.RunPack // of runs: this process has them in hot, and they are not on disk yet
	inMemoryOnly bool                               // the disk could not be relied on
	private      string                             // a directory of tables that are this index's own
	most         int                                // chunks in memory before there is one
	opened       bool
	stale        atomic.Bool // there are runs to load at the next look-up
}

// Options determine from where an index reads its runs and where it may store their content.
// Without any of them it keeps in memory what is added.
type Options struct {
	// Fetch reads an index run. If it fails, the run is left out, and its chunks are found by other
	// means, unless the error is one of store.Unavailable.
	Fetch   func(ctx context.Context, run archive.Name) ([]archive.RunPack, error)
	Dir     string                           // of the tables; "": there are none
	TempDir string                           // for what outgrows memory where there is no Dir; "": it stays in memory
	Warn    func(format string, args ...any) // what a person should know and that stops nothing; may be nil
}

// New makes an empty index, which the caller must close. Added packs stay in memory until they are
// published.
func New(o Options) *Index {
	if o.Warn == nil {
		o.Warn = func(string, ...any) {}
	}
	return &Index{
		o: o, most: spillChunks, hot: archive.NewIndex(0), runs: map[archive.Name]bool{}, named: map[archive.Name]bool{}, held: map[archive.Name]bool{},
		offered: map[archive.Name][]archive.RunPack{}, partly: map[archive.Name]bool{}, loading: newTurn(),
	}
}

// Close closes the files. No other method may be called afterwards.
func (x *Index) Close() {
	if x.disk != nil {
		x.disk.Close()
		x.disk = nil
	}
	if x.private != "" {
		os.RemoveAll(x.private)
		x.private, x.o.TempDir = "", ""
	}
}

// Add adds packs. Nobody may change their directories afterwards. It waits for no load: while there is
// one, what is too much for memory stays there until the next packs are added.
func (x *Index) Add(packs ...archive.RunPack) {
	x.add(packs)
	if x.outgrown() && x.loading.try() {
		defer x.loading.Unlock()
		x.spill(context.Background())
	}
}

func (x *Index) add(packs []archive.RunPack) {
	x.mu.RLock() // the memory takes care of itself; this holds it in place
	defer x.mu.RUnlock()
	x.hot.Add(packs...)
}

// SetFilter sets which packs Lookup may use: those for which usable returns true. usable may be
// called at any time, and must not call the index. A nil usable allows all packs.
func (x *Index) SetFilter(usable func(*archive.Pack) bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.usable = usable
	x.hot.SetFilter(usable)
}

func (x *Index) mayUse(p *archive.Pack) bool { return x.usable == nil || x.usable(p) }

// Lookup finds a chunk in a pack that the filter allows.
func (x *Index) Lookup(ctx context.Context, id archive.ID) (c archive.Chunk, found bool, err error) {
	err = x.ask(ctx, func(disk *tables.Set) (err error) {
		if c, found = x.inMemory(id); !found {
			c, found, err = x.onDisk(disk, id)
		}
		return err
	})
	if err != nil {
		return archive.Chunk{}, false, fmt.Errorf("look up chunk %s: %w", id, err)
	}
	return c, found, nil
}

// inMemory finds a chunk in a pack in memory that the filter allows.
func (x *Index) inMemory(id archive.ID) (archive.Chunk, bool) {
	if c, found := x.hot.Lookup(id); found {
		return c, true
	}
	if c, found := x.cached.lookup(id); found && x.mayUse(c.Place.Pack) {
		return c, true
	}
	return archive.Chunk{}, false
}

func (x *Index) onDisk(disk *tables.Set, id archive.ID) (archive.Chunk, bool, error) {
	var room [4]tables.Match
	places, err := disk.Find(id, room[:0])
	if err != nil {
		return archive.Chunk{}, false, err
	}
	for i := range places {
		p := places[i].Pack
		if !x.mayUse(&p.Pack) {
			continue
		}
		chosen, err := x.isChosen(disk, p)
		if err != nil {
			return archive.Chunk{}, false, err
		}
		if chosen {
			return places[i].Chunk, true, x.cached.hit(disk, p)
		}
	}
	return archive.Chunk{}, false, nil
}

// Places returns all places of a chunk, those that may be used for deduplication first. A restore
// that finds a wrong id at one place tries the next.
func (x *Index) Places(ctx context.Context, id archive.ID) (places []archive.Chunk, err error) {
	var first, last []archive.Chunk
	err = x.ask(ctx, func(disk *tables.Set) error {
		first, last = x.hot.Places(id), nil
		matches, err := disk.Find(id, nil)
		for _, m := range matches {
			chosen, errOfPack := x.isChosen(disk, m.Pack)
			err = errors.Join(err, errOfPack)
			switch {
			case !chosen:
			case x.mayUse(&m.Pack.Pack):
				first = append(first, m.Chunk)
			default:
				last = append(last, m.Chunk)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up chunk %s: %w", id, err)
	}
	return x.distinct(append(first, last...)), nil
}

// distinct removes duplicate places, and sorts those first that may be used.
func (x *Index) distinct(places []archive.Chunk) []archive.Chunk {
	type place struct {
		pack    archive.Name
		ordinal uint32
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	seen := map[place]bool{}
	var usable, rest []archive.Chunk
	for _, c := range places {
		p := place{c.Place.Pack.Name, c.Place.Ordinal}
		switch {
		case seen[p]:
		case x.mayUse(c.Place.Pack):
			usable = append(usable, c)
		default:
			rest = append(rest, c)
		}
		seen[p] = true
	}
	return append(usable, rest...)
}

// Pack returns what the index knows of the pack with this name.
func (x *Index) Pack(ctx context.Context, name archive.Name) (pack archive.RunPack, found bool, err error) {
	err = x.ask(ctx, func(disk *tables.Set) error {
		if pack, found = x.hot.Pack(name); found {
			return nil
		}
		packs, err := disk.PacksNamed(name)
		if err != nil {
			return err
		}
		for _, p := range packs {
			chosen, err := x.isChosen(disk, p)
			if err != nil {
				return err
			}
			if chosen {
				pack.Pack, found = &p.Pack, true
				pack.Directory, err = disk.Directory(p)
				return err
			}
		}
		return nil
	})
	if err != nil {
		return archive.RunPack{}, false, fmt.Errorf("look up pack %s: %w", name, err)
	}
	return pack, found, nil
}

// HasPack reports whether the index knows a pack.
func (x *Index) HasPack(ctx context.Context, name archive.Name) (found bool, err error) {
	err = x.ask(ctx, func(disk *tables.Set) error {
		if _, found = x.hot.Pack(name); found {
			return nil
		}
		packs, err := disk.PacksNamed(name)
		for i := 0; i < len(packs) && !found && err == nil; i++ {
			found, err = x.isChosen(disk, packs[i])
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look up pack %s: %w", name, err)
	}
	return found, nil
}

// Packs yields all packs, some perhaps twice. It yields an error last. It may leave out packs that
// are added meanwhile.
func (x *Index) Packs(ctx context.Context) iter.Seq2[*archive.Pack, error] {
	return func(yield func(*archive.Pack, error) bool) {
		var packs []*archive.Pack
		err := x.ask(ctx, func(disk *tables.Set) error {
			packs = packs[:0]
			for p := range x.hot.Packs() {
				packs = append(packs, p.Pack)
			}
			for p, err := range disk.Packs() {
				if err != nil {
					return err
				}
				chosen, err := x.isChosen(disk, p)
				if err != nil {
					return err
				}
				if chosen {
					packs = append(packs, &p.Pack)
				}
			}
			return nil
		})
		if err != nil {
			yield(nil, fmt.Errorf("list the packs of the index: %w", err))
			return
		}
		for _, p := range packs {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Len returns the number of chunks. A chunk on disk that is in several packs counts for each.
func (x *Index) Len(ctx context.Context) (n int, err error) {
	err = x.ask(ctx, func(disk *tables.Set) error {
		n = x.hot.Len()
		for i := range disk.Runs() {
			if x.chosen == nil || x.chosen[i] {
				n += disk.RunChunks(i)
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("count the chunks of the index: %w", err)
	}
	return n, nil
}

// Memory returns roughly how many bytes of memory the index takes.
func (x *Index) Memory() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := x.hot.Memory() + x.cached.memory()
	if x.disk != nil {
		n += x.disk.Memory()
	}
	return n
}

// rebuilds is how often damaged tables on disk are rebuilt before the index does without them.
const rebuilds = 2

// ask loads everything and calls question with the tables on disk, which may be empty. If question
// finds them damaged, ask rebuilds them and calls it again.
func (x *Index) ask(ctx context.Context, question func(disk *tables.Set) error) error {
	for try := 0; ; try++ {
		if err := x.load(ctx); err != nil {
			return err
		}
		x.mu.RLock()
		disk := x.disk
		if disk == nil {
			disk = noTables
		}
		err := question(disk)
		x.mu.RUnlock()
		if !errors.Is(err, tables.ErrDamaged) {
			return err
		}
		if err = x.lost(ctx, disk, err); !errors.Is(err, tables.ErrDamaged) {
			return err
		}
		x.drop(ctx, disk, try == rebuilds)
	}
}

// noTables is used by an index without tables on disk.
var noTables = tables.Empty()
