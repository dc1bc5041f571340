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

// decides is what verbs use that decide about snapshots.
const decides = usesRepository | usesIdentity | usesPast | usesSelection | usesPaths | usesDryRun

func newHold(a *app) *cobra.Command {
	var reason, until string
	cmd := described("hold", cobra.MinimumNArgs(1))
	cmd.Flags().StringVar(&reason, "reason", "", "`text` that packstone snapshots shows, to those who can restore")
	cmd.Flags().StringVar(&until, "until", "", "`time` at which the hold ends by itself")
	return a.verb(cmd, decides, func(ctx context.Context, args []string) error {
		end, err := catalog.ParseEnd(until, time.Now())
		if err != nil {
			return usage("--until: %w", err)
		}
		return a.decideAbout(ctx, args, "hold", view.Either, message.Hold{Until: end}, func(s *catalog.Session, ctx context.Context, ids []archive.Name) error {
			return s.Hold(ctx, ids, reason, end)
		})
	})
}

func newUnhold(a *app) *cobra.Command {
	return a.verb(described("unhold", cobra.MinimumNArgs(1)), decides, func(ctx context.Context, args []string) error {
		return a.decideAbout(ctx, args, "unhold", view.Held, message.Hold{}, (*catalog.Session).Unhold)
	})
}

func newUndelete(a *app) *cobra.Command {
	return a.verb(described("undelete", cobra.MinimumNArgs(1)), signsKeys, func(ctx context.Context, args []string) error {
		return a.decideAbout(ctx, args, "undelete", view.Forgotten, message.Hold{}, (*catalog.Session).Undelete)
	})
}

// decideAbout lets the owner or a collector decide about snapshots.
func (a *app) decideAbout(ctx context.Context, names []string, verb string, of view.Subject, m message.Hold, do func(*catalog.Session, context.Context, []archive.Name) error) error {
	if err := checkSnapshots(names); err != nil {
		return err
	}
	v, err := a.openToDecide(ctx)
	if err != nil {
		return err
	}
	ids, err := v.Subjects(names, of)
	if err != nil {
		return err
	}
	for _, id := range ids {
		m.Snapshots = append(m.Snapshots, id.String())
	}
	if m.DryRun = a.flags.dryRun; !m.DryRun {
		if err := a.decide(ctx, v.Repo, func(s *catalog.Session) error { return do(s, ctx, ids) }); err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
	}
	return a.out.Summary(m, m.Text(verb))
}
