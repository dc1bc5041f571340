package copy

import (
	"context"
	"slices"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
)

// Choose returns the snapshots that are meant: those that are named, else all that a view trusts. Of
// these it leaves out incomplete ones unless they are wanted, and counts them.
func Choose(v *view.View, names []string, incomplete bool) (chosen []*catalog.Snapshot, left int, err error) {
	all, err := v.Choose(names)
	if err != nil || len(names) > 0 {
		return all, 0, err
	}
	for _, s := range v.Trusted(all) {
		if incomplete || s.Complete() {
			chosen = append(chosen, s)
		} else {
			left++
		}
	}
	return chosen, left, nil
}

// Missed returns the snapshots of a set and host that one repository has, not older than since, and
// another lacks; see catalog.Repository.Lacks.
func Missed(ctx context.Context, from, to *catalog.Repository, set, host string, since time.Time) ([]archive.Name, error) {
	log, err := to.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	theirs, err := from.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	return to.Lacks(log, from, theirs, set, host, since)
}

// Only returns the snapshots of these ids.
func Only(snapshots []*catalog.Snapshot, ids []archive.Name) []*catalog.Snapshot {
	return slices.DeleteFunc(slices.Clone(snapshots), func(s *catalog.Snapshot) bool { return !slices.Contains(ids, s.ID) })
}
