package index

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/index/tables"
)

// vouch decides for single packs whether a run's entries may be used, if the run as a whole may
// not. It examines a pack when the first of its chunks is found.
type vouch struct {
	runs []bool // on disk, of which some packs may be used

	mu   sync.Mutex
	may  func(archive.RunPack) bool // nil: no pack may
	said map[uint32]bool            // by the pack's number on disk
}

func (v *vouch) clear() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.runs, v.said = nil, nil
}

// allows reports whether a pack that is not on disk may be used.
func (v *vouch) allows(p archive.RunPack) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.may != nil && v.may(p)
}

// set replaces the function that decides.
func (v *vouch) set(may func(archive.RunPack) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.may, v.said = may, nil
}

// of reports whether the entries on disk of a pack may be used.
func (v *vouch) of(disk *tables.Set, p *tables.Pack) (bool, error) {
	if p.Run >= len(v.runs) || !v.runs[p.Run] {
		return false, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if said, known := v.said[p.Number()]; known || v.may == nil {
		return said, nil
	}
	d, err := disk.Directory(p)
	if err != nil {
		return false, err
	}
	if v.said == nil {
		v.said = map[uint32]bool{}
	}
	said := v.may(archive.RunPack{Pack: &p.Pack, Directory: d})
	v.said[p.Number()] = said
	return said, nil
}

// WantVouched makes the index use single packs of runs, namely those for which may returns true,
// and returns how many of the runs are new. It replaces an earlier may. The index calls may when it
// finds a chunk of a pack; may must not call the index, and must be safe for concurrent use.
func (x *Index) WantVouched(ctx context.Context, runs []archive.Name, may func(archive.RunPack) bool) (added int, err error) {
	x.vouch.set(may)
	added, opened, err := x.wantPartly(ctx, runs)
	if added > 0 && opened {
		err = x.load(ctx)
	}
	return added, err
}

func (x *Index) wantPartly(ctx context.Context, runs []archive.Name) (added int, opened bool, _ error) {
	if err := x.loading.wait(ctx); err != nil {
		return 0, false, fmt.Errorf("extend the index: %w", err)
	}
	defer x.loading.Unlock()
	for _, name := range runs {
		if !x.runs[name] && !x.partly[name] {
			x.partly[name] = true
			added++
		}
	}
	if added > 0 {
		x.stale.Store(true)
	}
	return added, x.opened, nil
}

// wanted returns the runs of which at least a part may be used. The caller must hold the lock for
// loading.
func (x *Index) wanted() iter.Seq[archive.Name] {
	return func(yield func(archive.Name) bool) {
		for _, runs := range [...]map[archive.Name]bool{x.runs, x.partly} {
			for name := range runs {
				if !yield(name) {
					return
				}
			}
		}
	}
}

// vouchedOf returns the usable packs of a run.
func (x *Index) vouchedOf(run archive.Name, packs []archive.RunPack) []archive.RunPack {
	if !x.partly[run] {
		return packs
	}
	return slices.DeleteFunc(slices.Clone(packs), func(p archive.RunPack) bool { return !x.vouch.allows(p) })
}

// isChosen reports whether the entries on disk of a pack may be used.
func (x *Index) isChosen(disk *tables.Set, p *tables.Pack) (bool, error) {
	if x.chosen == nil || x.chosen[p.Run] {
		return true, nil
	}
	return x.vouch.of(disk, p)
}
