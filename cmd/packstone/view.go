package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

// view is what a verb that reads sees of the repository.
type view struct {
	*app
	repo      *catalog.Repository
	log       *catalog.Log
	snapshots []*catalog.Snapshot // all, oldest first
	doubts    []catalog.Doubt     // whether these are all that there were
}

// look reads every snapshot, and warns of what is wrong with the log.
func (a *app) look(ctx context.Context, repo *catalog.Repository) (*view, error) {
	log, err := a.readLog(ctx, repo)
	if err != nil {
		return nil, err
	}
	v := &view{app: a, repo: repo, log: log}
	snapshots, defects, err := repo.ReadSnapshots(ctx, log)
	if err == nil && len(snapshots) == 0 && len(defects) > 0 {
		err = defects[0]
	}
	for _, defect := range defects {
		a.out.Warn(output.Warning{Message: fmt.Sprintf("a snapshot is left out: %v", defect)})
	}
	if err != nil {
		return nil, err
	}
	for _, name := range log.Powerless {
		a.out.Warn(output.Warning{Message: fmt.Sprintf("%s forgets or holds snapshots, and a writer has signed it, who may not: it counts for nothing", name)})
	}
	v.snapshots = snapshots
	v.doubts, err = a.doubts(ctx, repo, log, defects)
	return v, err
}

// doubts are reasons to think that the repository does not show all, beside those that readLog has
// told: it warns of what the owner or a collector says is missing.
func (a *app) doubts(ctx context.Context, repo *catalog.Repository, log *catalog.Log, defects []error) ([]catalog.Doubt, error) {
	doubts, err := repo.Doubts(ctx, log, defects)
	for _, d := range doubts {
		if d.Claim && d.Proven {
			a.damaged = true
			a.out.Warn(output.Warning{Message: d.Err.Error()})
		}
	}
	return doubts, err
}

// readLog reads the log and warns of what is wrong with it.
func (a *app) readLog(ctx context.Context, repo *catalog.Repository) (*catalog.Log, error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	for _, text := range repo.Defects(log) {
		a.damaged = true
		a.out.Warn(output.Warning{Message: text})
	}
	return log, nil
}

// pick finds the snapshot that a name means. If another might be meant that the repository does not
// show any more, it fails, unless that was accepted.
func (v *view) pick(name string, f catalog.Filter) (*catalog.Snapshot, error) {
	s, err := v.app.pick(v.snapshots, name, f)
	if errors.Is(err, catalog.ErrNoSnapshot) {
		err = v.orForgotten(name, err)
	}
	if err != nil {
		return nil, err
	}
	host := f.Host
	if f.Prefer == s.Host {
		host = s.Host
	}
	err = v.repo.Certain(v.log, v.doubts, name, host, s)
	if err != nil && !v.flags.AcceptRollback {
		return nil, fmt.Errorf("%w; name a snapshot by its id, or take what there is with --accept-rollback", err)
	}
	return s, nil
}

// orForgotten says of a name that means no snapshot whether it did before it was forgotten.
func (v *view) orForgotten(name string, err error) error {
	for _, id := range v.log.Forgotten(name) {
		gone := v.log.Fate(id).Gone(time.Now())
		return exitWith(exitFailed, "snapshot %.12s was forgotten on %s; packstone undelete %.12s brings it back, as long as nothing of it is deleted: %w",
			id, output.Time(gone), id, catalog.ErrNoSnapshot)
	}
	return err
}

// choose returns the named snapshots, or those that pass the flags.
func (v *view) choose(names []string) ([]*catalog.Snapshot, error) {
	var chosen []*catalog.Snapshot
	for _, name := range names {
		s, err := v.pick(name, v.filter())
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, s)
	}
	for _, s := range v.snapshots {
		if len(names) == 0 && v.filter().Matches(s) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// whole is how a verb ends that has shown all snapshots: with ErrDoubtful if some may be missing,
// unless that was accepted.
func (v *view) whole(names []string) error {
	if len(names) > 0 {
		return nil
	}
	return v.app.whole(v.repo, v.doubts)
}

// wholeLog is whole for a verb that reads the log alone.
func (a *app) wholeLog(ctx context.Context, repo *catalog.Repository, log *catalog.Log) error {
	doubts, err := a.doubts(ctx, repo, log, nil)
	if err != nil {
		return err
	}
	return a.whole(repo, doubts)
}

// whole fails with ErrDoubtful if doubts concern what the flags ask for, unless that was accepted.
func (a *app) whole(repo *catalog.Repository, doubts []catalog.Doubt) error {
	for _, d := range doubts {
		if repo.Concerns(d, a.flags.host) && !a.flags.AcceptRollback {
			return fmt.Errorf("%w, as warned above; --accept-rollback takes what there is", catalog.ErrDoubtful)
		}
	}
	return nil
}

// tellClaims names what single writers say is missing. They may lie, so that it stops nobody.
func (a *app) tellClaims(doubts []catalog.Doubt) {
	for _, d := range doubts {
		if d.Claim && !d.Proven {
			a.out.Warn(output.Warning{Message: d.Err.Error()})
		}
	}
}
