// Package reception backs up to several repositories, one after the other: each reads the sources
// and has a success of its own. Afterwards each is brought what it has missed while others had it.
package reception

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/copy"
)

// Reception is one of the repositories, and what became of it.
type Reception struct {
	Name    string // in the settings
	Repo    *catalog.Repository
	Storage *config.Storage
	Made    *Made // nil: it has no snapshot of this run
	Err     error
}

// Made is a snapshot that was made, and what is told of it.
type Made struct {
	*catalog.Snapshot
	Summary message.Backup
}

// Told returns what is told of a snapshot; nil if there is none.
func (m *Made) Told() *message.Backup {
	if m == nil {
		return nil
	}
	return &m.Summary
}

// Several are how a backup goes to several repositories.
type Several struct {
	// Receive backs up to the repository that r names, and completes r. origin is the snapshot that
	// another one has of this run; nil: none has one yet.
	Receive func(ctx context.Context, r *Reception, origin *catalog.Origin) error
	// Copy copies snapshots of these ids from one to another, which lacks them.
	Copy   func(ctx context.Context, from, to *Reception, missing []archive.Name) error
	DryRun bool // nothing is copied
	Warn   func(text string)
	// Problem tells why a repository lacks something.
	Problem func(item, during string, err error)
	// Code is the exit code of an error.
	Code func(err error) int
}

// BackUp backs up to each of the repositories of these names. It returns what the first took that
// has a snapshot, nil if none has.
func (s *Several) BackUp(ctx context.Context, names []string) (*message.Backup, error) {
	var all []*Reception
	var made *message.Backup
	var origin *catalog.Origin
	for _, name := range names {
		r := &Reception{Name: name}
		r.Err = s.Receive(ctx, r, origin)
		if all = append(all, r); ctx.Err() != nil {
			return made, context.Cause(ctx)
		}
		if origin == nil && r.Made != nil && r.Made.Summary.SnapshotID != "" {
			made = r.Made.Told()
			origin = &catalog.Origin{Repository: r.Repo.Format.Repository, Snapshot: r.Made.ID.String()}
		}
	}
	if !s.DryRun {
		s.catchUp(ctx, all)
	}
	return made, s.outcome(all)
}

// outcome is how the backup ends: with the only error where no repository has a snapshot, else with
// what is missing.
func (s *Several) outcome(all []*Reception) error {
	var failed []string
	var first, damage, unfit error
	for _, r := range all {
		if r.Err == nil {
			continue
		}
		first = cmp.Or(first, r.Err)
		switch s.Code(r.Err) {
		case exitcode.Integrity:
			damage = cmp.Or(damage, r.Err)
		case exitcode.Drill:
			unfit = cmp.Or(unfit, r.Err)
		}
		failed = append(failed, r.Name)
		s.Problem("repository "+r.Name, "backup", r.Err)
	}
	switch kept := slices.ContainsFunc(all, func(r *Reception) bool { return r.Made != nil }); {
	case first == nil:
		return nil
	case !kept:
		return first
	case damage != nil || unfit != nil:
		return cmp.Or(damage, unfit)
	}
	return exitcode.With(exitcode.Missing, "of %d repositories, these lack a part of this run, for the reasons above: %s", len(all), strings.Join(failed, ", "))
}

// caughtUp is how far back a repository is brought what it has missed, by itself: as long as no
// usual retention forgets anything.
const caughtUp = 14 * 24 * time.Hour

// catchUp brings each repository the snapshots that it has missed while others had them. What goes
// wrong is noted in its Reception.
func (s *Several) catchUp(ctx context.Context, all []*Reception) {
	for _, to := range all {
		for _, from := range all {
			if to == from || to.Made == nil || from.Repo == nil || ctx.Err() != nil {
				continue
			}
			if err := s.catchUpFrom(ctx, from, to); err != nil {
				to.Err = errors.Join(to.Err, fmt.Errorf("catch up from %s: %w", from.Name, err))
			}
		}
	}
}

func (s *Several) catchUpFrom(ctx context.Context, from, to *Reception) error {
	missing, err := copy.Missed(ctx, from.Repo, to.Repo, to.Made.Set, to.Made.Host, time.Now().Add(-caughtUp))
	if err != nil || len(missing) == 0 {
		return err
	}
	if !from.Repo.CanRead() {
		s.Warn(fmt.Sprintf("%s missing in %s: to copy from %s, an identity is needed. Run packstone copy --from %s -r %s",
			output.Plural(len(missing), "snapshot"), to.Name, from.Name, from.Name, to.Name))
		return nil
	}
	return s.Copy(ctx, from, to, missing)
}
