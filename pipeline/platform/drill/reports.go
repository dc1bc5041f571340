package drill

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/view"
)

// Latest is the last drill of a set of a host.
type Latest struct {
	*catalog.DrillReport
	LastPassed time.Time // when the last one began that has passed; zero: none has
}

// LatestOf finds the last drill of each set and host among reports, the newest of which are first.
func LatestOf(reports []*catalog.DrillReport) (all []*Latest) {
	known := map[[2]string]*Latest{}
	for _, d := range reports {
		key := [2]string{d.Host, d.Set}
		if known[key] == nil {
			known[key] = &Latest{DrillReport: d}
			all = append(all, known[key])
		}
		if last := known[key]; d.Passed && last.LastPassed.IsZero() {
			last.LastPassed = d.Began
		}
	}
	return all
}

// FindReport finds a report by the beginning of its id among reports, the newest of which are first;
// "" is the newest. It fails with catalog.ErrMisuse if several ids begin so.
func FindReport(reports []*catalog.DrillReport, id string) (*catalog.DrillReport, error) {
	if len(reports) == 0 {
		return nil, errors.New("there is no report of a drill yet; packstone drill run makes one")
	}
	var found []*catalog.DrillReport
	for _, d := range reports {
		if strings.HasPrefix(d.ID.String(), id) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("there is no report of a drill whose id begins with %s; packstone drill status lists the last ones", entry.Printable(id))
	case id != "" && len(found) > 1:
		return nil, catalog.Misuse("%s of drills have an id that begins with %s: give more of it", entry.Plural(len(found), "report"), entry.Printable(id))
	}
	return found[0], nil
}

// Pick returns the newest complete snapshot that passes a filter, or with any one of its set and host
// by chance.
func Pick(v *view.View, f catalog.Filter, any bool) (*catalog.Snapshot, error) {
	newest, err := v.Pick("latest", f)
	if err != nil || !any {
		return newest, err
	}
	return Choose(newest, v.Trusted(v.Snapshots), f), nil
}

// Choose returns by chance one of the complete snapshots that pass a filter and are of the same set
// and host as another one, and that one if there are none.
func Choose(of *catalog.Snapshot, among []*catalog.Snapshot, f catalog.Filter) *catalog.Snapshot {
	var all []*catalog.Snapshot
	for _, s := range among {
		if s.Set == of.Set && s.Host == of.Host && f.Matches(s) && s.Complete() {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return of
	}
	return all[rand.IntN(len(all))]
}
