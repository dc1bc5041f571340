package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/catalog/view"
)

// Forgetting decides which snapshots to forget, by name or by rules. It does not forget them.
type Forgetting struct {
	Verdicts []retention.Verdict // what was decided, by the time of the snapshots

	view    *view.View
	filter  catalog.Filter
	by      catalog.GroupBy
	options retention.Options
	floor   time.Duration
	owner   bool // the owner's key is used, whom the floor does not bind
}

// ForgettingOptions determine how a Forgetting decides.
type ForgettingOptions struct {
	By        catalog.GroupBy // which snapshots replace each other
	RemoveAll bool            // rules may forget even the newest snapshot
	Preview   bool            // the storage is not asked for the time
}

// NewForgetting returns a Forgetting for the snapshots in a view that pass a filter.
func NewForgetting(ctx context.Context, v *view.View, filter catalog.Filter, o ForgettingOptions) (f *Forgetting, err error) {
	f = &Forgetting{view: v, filter: filter, by: o.By, options: retention.Options{Now: time.Now(), Zone: time.Local, RemoveAll: o.RemoveAll}}
	if f.floor, err = v.Repo.Config.RetentionFloor(); err != nil {
		return nil, err
	}
	if f.owner = v.Repo.Collector() == nil; !f.owner {
		f.options.Floor = f.floor
	}
	if !o.Preview {
		f.options.Now, err = v.Repo.Now(ctx, v.Log)
	}
	return f, err
}

// Now returns the time on which decisions are based.
func (f *Forgetting) Now() time.Time { return f.options.Now }

// Named chooses snapshots by their names. It fails with ErrHeld for one that is held, and for one
// that is younger than the floor if a collector's key is used.
func (f *Forgetting) Named(names []string) error {
	ids, err := f.view.Subjects(names, view.Counting)
	if err != nil {
		return err
	}
	return f.These(ids)
}

// These is Named for snapshots with known ids.
func (f *Forgetting) These(ids []archive.Name) error {
	for _, s := range f.view.Repo.ForRetention(f.view.Log, f.view.Snapshots, f.by) {
		id, err := archive.ParseName(s.ID)
		if err != nil || !slices.Contains(ids, id) {
			continue
		}
		switch {
		case s.Held:
			return fmt.Errorf("snapshot %.12s is %w: release it with packstone unhold %.12s; nothing was changed", s.ID, catalog.ErrHeld, s.ID)
		case f.young(s):
			return catalog.Refuse("snapshot %.12s is younger than the retention floor of %s, which binds collectors: the owner's key may forget it; "+
				"nothing was changed", s.ID, retention.Period(f.floor))
		}
		f.add(retention.Verdict{Snapshot: s})
	}
	return nil
}

// young reports whether the floor keeps a snapshot from being forgotten.
func (f *Forgetting) young(s retention.Snapshot) bool {
	return f.options.Now.Sub(s.Date) < f.options.Floor
}

// ByRules applies one policy to all snapshots that pass the filter. If that is empty, and does not
// remove all, it applies to each set the policy that sets returns; it fails with catalog.ErrMisuse
// if there are none.
func (f *Forgetting) ByRules(p retention.Policy, sets func() (map[string]retention.Policy, error)) error {
	if !p.Empty() || f.options.RemoveAll {
		return f.Ruled(p)
	}
	policies, err := sets()
	if err != nil {
		return err
	}
	if err := f.OfSets(policies); err != nil {
		return err
	}
	if len(policies) == 0 {
		return catalog.Misuse("no retention rules: give rules such as --keep-daily 14, name snapshots, or set retention: in the settings' sets")
	}
	return nil
}

// Ruled applies one policy to all snapshots that pass the filter.
func (f *Forgetting) Ruled(p retention.Policy) error {
	if !f.view.Repo.CanRead() && (f.filtered() || len(p.Tags) > 0) {
		return fmt.Errorf("sets, hosts, paths and tags cannot be read without an identity: %w", catalog.ErrNoIdentity)
	}
	for i, name := range p.IDs {
		found := f.view.Log.Counting(name)
		if len(found) != 1 {
			return catalog.Misuse("--keep-id %s: %d snapshots have an id that begins so", entry.Printable(name), len(found))
		}
		p.IDs[i] = found[0].String()
	}
	f.decide("", p)
	return nil
}

// filtered reports whether the filter needs what only an identity can read.
func (f *Forgetting) filtered() bool {
	c := f.filter
	return c.Set != "" || c.Paths || c.Host != "" || len(c.Tags) > 0 || len(c.Of) > 0
}

// OfSets applies to each set its policy. Without an identity it needs a writer's key, which
// identifies the snapshots that the writer took of the host in the filter.
func (f *Forgetting) OfSets(policies map[string]retention.Policy) error {
	if !f.view.Repo.CanRead() && f.filter.Host != "" {
		return f.ofOwnSets(policies)
	}
	if !f.view.Repo.CanRead() {
		return fmt.Errorf("the sets of snapshots cannot be read without an identity; name the rules with --keep-…: %w", catalog.ErrNoIdentity)
	}
	for name, p := range policies {
		f.decide(name, p)
	}
	return nil
}

func (f *Forgetting) ofOwnSets(policies map[string]retention.Policy) error {
	for name, p := range policies {
		if f.filter.Set != "" && f.filter.Set != name {
			continue
		}
		if len(p.Tags) > 0 {
			return fmt.Errorf("the retention of the set %s uses tags, which cannot be read without an identity: %w", name, catalog.ErrNoIdentity)
		}
		group, err := f.view.Repo.OwnGroup(name, f.filter.Host)
		if err != nil {
			return err
		}
		own := slices.DeleteFunc(f.view.Repo.ForRetention(f.view.Log, nil, f.by), func(s retention.Snapshot) bool { return s.Group != group })
		f.add(retention.Decide(own, p, f.options)...)
	}
	return nil
}

func (f *Forgetting) decide(set string, p retention.Policy) {
	f.add(retention.Decide(f.passing(set), p, f.options)...)
}

// passing returns the snapshots that pass the filter, only those of set unless that is empty.
func (f *Forgetting) passing(set string) []retention.Snapshot {
	if !f.view.Repo.CanRead() {
		return f.view.Repo.ForRetention(f.view.Log, nil, f.by)
	}
	passing := slices.DeleteFunc(slices.Clone(f.view.Snapshots), func(s *catalog.Snapshot) bool {
		return !f.filter.Matches(s) || set != "" && s.Set != set
	})
	if len(passing) == 0 {
		return nil
	}
	return f.view.Repo.ForRetention(f.view.Log, passing, f.by)
}

// add adds verdicts, sorted by time.
func (f *Forgetting) add(verdicts ...retention.Verdict) {
	f.Verdicts = append(f.Verdicts, verdicts...)
	slices.SortStableFunc(f.Verdicts, func(a, b retention.Verdict) int { return a.Time.Compare(b.Time) })
}

// Gone returns the snapshots to be forgotten.
func (f *Forgetting) Gone() (ids []archive.Name, err error) {
	for _, v := range f.Verdicts {
		if v.Kept() {
			continue
		}
		id, err := archive.ParseName(v.ID)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Below returns how many of them are younger than the floor, which does not bind the owner.
func (f *Forgetting) Below() (young int, floor time.Duration) {
	for _, v := range f.Verdicts {
		if f.owner && !v.Kept() && f.options.Now.Sub(v.Date) < f.floor {
			young++
		}
	}
	return young, f.floor
}
