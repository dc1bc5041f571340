package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

func newDrillStatus(a *app) *cobra.Command {
	cmd := described("drill-status", cobra.NoArgs)
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions, func(ctx context.Context, _ []string) error {
		reports, _, err := a.drills(ctx)
		if err != nil {
			return err
		}
		return a.drillStatus(reports, time.Now())
	})
}

// drills are all reports of drills, the newest first.
func (a *app) drills(ctx context.Context) ([]*catalog.DrillReport, *catalog.Repository, error) {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead)
	if err != nil {
		return nil, nil, err
	}
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, nil, err
	}
	reports, problems, err := repo.ReadDrills(ctx, log)
	for _, problem := range problems {
		a.Warn(problem.Error())
	}
	return reports, repo, err
}

func (a *app) drillStatus(reports []*catalog.DrillReport, now time.Time) error {
	rows, failed := message.LastDrillsOf(drill.LatestOf(reports), now)
	if err := output.List(a.out, rows, message.LastDrillTable(rows)); err != nil {
		return err
	}
	if failed > 0 {
		return exitWith(exitDrill, "the last drill of %s failed; packstone drill report ID says why", output.Plural(failed, "set"))
	}
	return nil
}
