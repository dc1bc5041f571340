package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

func newStats(a *app) *cobra.Command {
	var mode, by string
	cmd := described("stats", nil)
	cmd.Flags().StringVar(&mode, "mode", "all", "`what` to count: restore-size, raw-data or all")
	cmd.Flags().StringVar(&by, "by", "", "show each `group` on a line: snapshot, set or host")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if mode != "all" && mode != "restore-size" && mode != "raw-data" {
			return usage("--mode %s: want restore-size, raw-data or all", mode)
		}
		if _, ok := statsGroups[by]; by != "" && !ok {
			return usage("--by %s: want snapshot, set or host", by)
		}
		if err := checkSnapshots(args); err != nil {
			return err
		}
		v, err := a.openToLook(ctx)
		if err != nil {
			return err
		}
		chosen, err := v.Choose(args)
		if err != nil {
			return err
		}
		if by != "" {
			return errors.Join(a.statsBy(ctx, v.Repo, by, chosen), v.Whole(ctx))
		}
		var w browse.Weight
		if mode != "restore-size" {
			if w, err = browse.Weigh(ctx, v.Repo, chosen); err != nil {
				return err
			}
		}
		a.warnUnnamed(w.Unnamed)
		m := message.StatsOf(mode, chosen, w)
		err = a.out.Message("stats", m, m.Text())
		if len(args) == 0 {
			err = errors.Join(err, v.Whole(ctx))
		}
		return err
	})
}

// warnUnnamed tells of packs that are needed and that no index names.
func (a *app) warnUnnamed(packs []archive.Name) {
	for _, pack := range packs {
		a.Warn("no index names pack " + pack.String() + ": run packstone check")
	}
}

// statsGroups are what stats counts by: the name of a snapshot's group.
var statsGroups = map[string]func(*catalog.Snapshot) string{
	"snapshot": func(s *catalog.Snapshot) string { return s.ID.String() },
	"set":      func(s *catalog.Snapshot) string { return s.Set },
	"host":     func(s *catalog.Snapshot) string { return s.Host },
}

// statsBy prints a line for each group, the oldest first.
func (a *app) statsBy(ctx context.Context, repo *catalog.Repository, by string, chosen []*catalog.Snapshot) error {
	groups := browse.Groups(chosen, statsGroups[by])
	shares, unnamed, err := browse.WeighBy(ctx, repo, groups)
	if err != nil {
		return err
	}
	a.warnUnnamed(unnamed)
	rows := message.StatsRowsOf(groups, shares[0], statsGroups[by])
	return output.List(a.out, rows, message.StatsTable(by, rows))
}
