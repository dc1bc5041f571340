// Package view provides what a process sees of a repository: its log and its snapshots, whether
// some are missing, and which snapshot a name means. It reports problems as it finds them.
package view

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// Options of a view.
type Options struct {
	Filter         catalog.Filter // which snapshots are spoken of
	AcceptRollback bool           // take what there is, even if some of it is missing
	Warn           func(text string)
	Note           func(format string, args ...any)
}

// View is a process's view of a repository. It is not safe for concurrent use.
type View struct {
	Repo      *catalog.Repository
	Log       *catalog.Log
	Snapshots []*catalog.Snapshot // all, oldest first; none of a view of the log alone

	options Options
	damaged bool            // some records do not hold
	doubts  []catalog.Doubt // whether these are all that there were
	doubted bool            // doubts were looked for
}

// Look reads every snapshot, and warns of what is wrong with the log.
func Look(ctx context.Context, repo *catalog.Repository, o Options) (*View, error) {
	v, err := ReadLog(ctx, repo, o)
	if err != nil {
		return nil, err
	}
	snapshots, defects, err := repo.ReadSnapshots(ctx, v.Log)
	if err == nil && len(snapshots) == 0 && len(defects) > 0 {
		err = defects[0]
	}
	for _, defect := range defects {
		v.warn("a snapshot is left out: %v", defect)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range v.Log.Powerless {
		v.warn("%s forgets or holds snapshots, which its writer may not do: ignored", name)
	}
	v.Snapshots = snapshots
	if err := v.doubt(ctx, defects); err != nil {
		return v, err
	}
	v.warnUnknown("host", o.Filter.Host, func(s *catalog.Snapshot) string { return s.Host })
	v.warnUnknown("set", o.Filter.Set, func(s *catalog.Snapshot) string { return s.Set })
	return v, nil
}

// warnUnknown warns of a name that no snapshot has.
func (v *View) warnUnknown(what, name string, of func(s *catalog.Snapshot) string) {
	var known []string
	for _, s := range v.Snapshots {
		if of(s) == name {
			return
		}
		if of(s) != "" {
			known = append(known, entry.Printable(of(s)))
		}
	}
	if name == "" || len(v.Snapshots) == 0 {
		return
	}
	if slices.Sort(known); len(known) == 0 {
		known = []string{"none"}
	}
	v.warn("no snapshot is of %s %s; these are known: %s", what, entry.Printable(name), strings.Join(slices.Compact(known), ", "))
}

// LookAtLog reads only the log, without an identity. It knows snapshots by their ids only.
func LookAtLog(ctx context.Context, repo *catalog.Repository, o Options) (*View, error) {
	v, err := ReadLog(ctx, repo, o)
	if err != nil {
		return nil, err
	}
	return v, v.doubt(ctx, nil)
}

// ReadLog reads the log and warns of what is wrong with it.
func ReadLog(ctx context.Context, repo *catalog.Repository, o Options) (*View, error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	v := &View{Repo: repo, Log: log, options: o}
	for _, text := range repo.Defects(log) {
		v.damaged = true
		o.Warn(text)
	}
	return v, nil
}

func (v *View) warn(format string, args ...any) { v.options.Warn(fmt.Sprintf(format, args...)) }

// doubt looks for further reasons, besides those found by ReadLog, to think that the repository
// does not show everything, and warns of what the owner or a collector says is missing.
func (v *View) doubt(ctx context.Context, defects []error) (err error) {
	v.doubted = true
	v.doubts, err = v.Repo.Doubts(ctx, v.Log, defects)
	for _, d := range v.doubts {
		if d.Claim && d.Proven {
			v.damaged = true
			v.options.Warn(d.Err.Error())
		}
	}
	return err
}

// Damaged reports whether some records do not verify, of which ReadLog has warned. A snapshot that
// is not found may be in one of them.
func (v *View) Damaged() bool { return v.damaged }

// AddForgotten adds forgotten snapshots to the view.
func (v *View) AddForgotten(ctx context.Context) error {
	forgotten, defects, err := v.Repo.ReadForgotten(ctx, v.Log)
	for _, defect := range defects {
		v.warn("a forgotten snapshot is left out: %v", defect)
	}
	v.Snapshots = append(v.Snapshots, forgotten...)
	slices.SortStableFunc(v.Snapshots, func(a, b *catalog.Snapshot) int { return a.Time.Compare(b.Time) })
	return err
}

// Whole returns ErrDoubtful if snapshots of the filter's host may be missing, unless the options
// accept that. Verbs that show all snapshots, or the log, end with it.
func (v *View) Whole(ctx context.Context) error {
	if !v.doubted {
		if err := v.doubt(ctx, nil); err != nil {
			return err
		}
	}
	for _, d := range v.doubts {
		if v.Repo.Concerns(d, v.options.Filter.Host) && !v.options.AcceptRollback {
			return fmt.Errorf("%w, as warned above; --accept-rollback continues with what is there", catalog.ErrDoubtful)
		}
	}
	return nil
}

// TellClaims warns of what single writers claim is missing. It stops nothing, since they may lie.
func (v *View) TellClaims() {
	for _, d := range v.doubts {
		if d.Claim && !d.Proven {
			v.options.Warn(d.Err.Error())
		}
	}
}
