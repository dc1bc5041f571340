package keep

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/packstone/packstone/archive/store"
)

// Progress counts objects. It may be read during a run.
type Progress struct{ Total, Done, Bytes atomic.Int64 }

// object is an object that a restore needs, as the listing shows it.
type object struct {
	first   store.Version // the version that was there first
	covered bool          // the newest has another content, or is a mark
	pack    bool

	known  bool       // its lock is remembered
	lock   store.Lock // as remembered, or as the storage says
	asked  bool
	grown  bool // it was extended
	vanish bool // it is gone
}

// objects lists the objects that a restore needs, in the order of their names, with what is
// remembered of their locks. extra counts the versions of others.
func (k *keeper) objects(ctx context.Context, extra *Count, listed *int) iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		remembered, err := k.memory.open()
		if err != nil {
			yield(nil, err)
			return
		}
		defer remembered.close()
		for versions, err := range k.names(ctx, extra, listed) {
			if err != nil {
				yield(nil, err)
				return
			}
			if o := k.judge(versions, remembered, extra); o != nil && !yield(o, nil) {
				return
			}
		}
	}
}

// judge returns the object that versions are of, nil if no restore needs it.
func (k *keeper) judge(versions []store.Version, remembered *reading, extra *Count) *object {
	newest, first := versions[0], -1
	for i, v := range versions {
		if !v.Deleted {
			first = i
		}
	}
	o := &object{}
	if first >= 0 {
		o.first = versions[first]
		o.lock, o.known = remembered.find(o.first.Name, o.first.ID)
	}
	needed := first >= 0 && k.needs(newest.Name, o.known)
	for i, v := range versions {
		if !v.Deleted && (i != first || !needed) {
			extra.add(v.Size)
		}
	}
	if !needed {
		return nil
	}
	o.covered = newest.Deleted || newest.Tag != o.first.Tag || newest.Size != o.first.Size
	o.pack = k.vital.IsPack(newest.Name)
	return o
}

// names yields the versions of each name together. It counts as extra those that it leaves out.
func (k *keeper) names(ctx context.Context, extra *Count, listed *int) iter.Seq2[[]store.Version, error] {
	return func(yield func([]store.Version, error) bool) {
		var together []store.Version
		for v, err := range k.o.Locker.Versions(ctx, "", "") {
			if err != nil {
				yield(nil, err)
				return
			}
			*listed++
			if len(together) > 0 && together[0].Name != v.Name {
				if !yield(together, nil) {
					return
				}
				together = together[:0]
			}
			if together = append(together, v); len(together) > mostVersions {
				together = thin(together, extra)
			}
		}
		if len(together) > 0 {
			yield(together, nil)
		}
	}
}

// mostVersions is how many versions of one name are kept in memory: somebody may have made a
// million.
const mostVersions = 1000

// thin keeps the newest version of a name and the oldest so far, and counts the others as extra.
func thin(versions []store.Version, extra *Count) []store.Version {
	first := len(versions) - 1
	for versions[first].Deleted && first > 1 {
		first--
	}
	for i, v := range versions {
		if i > 0 && i != first && !v.Deleted {
			extra.add(v.Size)
		}
	}
	return append(versions[:1], versions[first])
}

// listPage is how many versions one request lists.
const listPage = 1000

// survey lists once, and counts what there is to do and what is new.
func (k *keeper) survey(ctx context.Context) error {
	r, listed := k.report, 0
	var known, fresh Count
	for o, err := range k.objects(ctx, &r.Extra, &listed) {
		if err != nil {
			return err
		}
		r.Needed.add(o.first.Size)
		switch {
		case o.pack && o.known:
			known.add(o.first.Size)
		case o.pack:
			fresh.add(o.first.Size)
		}
		if o.covered {
			r.Overwritten++
			if len(r.OverwrittenFirst) < mostNamed {
				r.OverwrittenFirst = append(r.OverwrittenFirst, o.first.Name)
			}
		}
		if k.o.DryRun {
			k.foresee(o)
		}
	}
	r.Lists += 1 + listed/listPage
	k.withhold = k.memory.whole && !k.o.AnyGrow && k.tooMuch(known.Bytes, fresh.Bytes)
	if k.withhold {
		r.Withheld, r.Since = fresh, k.memory.since
	}
	if packs := known.Objects + fresh.Objects; packs < k.vital.Packs() {
		r.Missing = k.vital.Packs() - packs
	}
	k.o.Progress.Total.Store(int64(r.Needed.Objects))
	return nil
}

// mostNamed is how many objects a report names.
const mostNamed = 10

// foresee counts what a run would do with an object.
func (k *keeper) foresee(o *object) {
	switch {
	case !o.known || k.o.Ask:
		k.report.Asked++
		k.report.Extended.add(o.first.Size)
	case k.due(o.lock):
		k.report.Extended.add(o.first.Size)
	default:
		k.report.Kept.add(o.first.Size)
	}
}

// tooMuch reports whether packs have grown by more than they may.
func (k *keeper) tooMuch(known, fresh int64) bool {
	if k.o.Growth == 0 {
		return fresh > smallGrowth && float64(fresh) > defaultGrowth*float64(known)
	}
	return float64(fresh) > k.o.Growth*float64(known)
}
