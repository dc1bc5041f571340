package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/message"
)

func newHold(a *app) *cobra.Command {
	var reason, until string
	cmd := &cobra.Command{
		Use:   "hold SNAPSHOT...",
		Short: "Protect snapshots from being forgotten.",
		Long: `Needs the owner's key or a collector's. A hold also cancels an earlier forget, unless the snapshot's
data is already being deleted.`,
		Example: `  packstone hold latest --reason "audit 2026"
  packstone hold 4f2a81c0 --until 2027-12-31`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`text` that packstone snapshots shows, to those who can restore")
	cmd.Flags().StringVar(&until, "until", "", "`time` at which the hold ends by itself")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths|usesDryRun, func(ctx context.Context, args []string) error {
		end, err := catalog.ParseEnd(until, time.Now())
		if err != nil {
			return usage("--until: %w", err)
		}
		return a.decideAbout(ctx, args, "hold", message.Hold{Until: end}, func(s *catalog.Session, ids []archive.Name) error {
			return s.Hold(ctx, ids, reason, end)
		})
	})
}

func newUnhold(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unhold SNAPSHOT...",
		Short: "Remove all holds from snapshots.",
		Example: `  packstone unhold 4f2a81c0
  packstone unhold latest --set platform`,
		Args: cobra.MinimumNArgs(1),
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths|usesDryRun, func(ctx context.Context, args []string) error {
		return a.decideAbout(ctx, args, "unhold", message.Hold{}, func(s *catalog.Session, ids []archive.Name) error { return s.Unhold(ctx, ids) })
	})
}

func newUndelete(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "undelete SNAPSHOT...",
		Short: "Bring back forgotten snapshots that are not deleted yet.",
		Long: `Needs the owner's key or a collector's. Nothing is deleted within the grace period (7 days, unless
the owner has set another). packstone snapshots --all lists forgotten snapshots.`,
		Example: `  packstone undelete 4f2a81c0
  packstone undelete 4f2a81c0 9be70d12`,
		Args: cobra.MinimumNArgs(1),
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		return a.decideAbout(ctx, args, "undelete", message.Hold{}, func(s *catalog.Session, ids []archive.Name) error { return s.Undelete(ctx, ids) })
	})
}

// decideAbout lets the owner or a collector decide about snapshots.
func (a *app) decideAbout(ctx context.Context, names []string, verb string, m message.Hold, do func(s *catalog.Session, ids []archive.Name) error) error {
	v, err := a.openToDecide(ctx)
	if err != nil {
		return err
	}
	ids, err := v.Subjects(names, subjects[verb])
	if err != nil {
		return err
	}
	for _, id := range ids {
		m.Snapshots = append(m.Snapshots, id.String())
	}
	m.DryRun = a.flags.dryRun
	if !m.DryRun {
		err := a.decide(ctx, v.Repo, func(s *catalog.Session) error { return do(s, ids) })
		if err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
	}
	a.out.Summary(m, m.Text(verb))
	return a.out.Err()
}

// subjects are what the verbs decide about.
var subjects = map[string]view.Subject{"hold": view.Either, "unhold": view.Held, "undelete": view.Forgotten}
