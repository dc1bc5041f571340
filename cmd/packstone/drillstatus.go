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
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the last drill of each set and host.",
		Long: `Reads the reports that hosts have signed into the repository, which takes an identity. Ends with 6 if
the last drill of a set has failed.`,
		Example: `  packstone drill status
  packstone drill status --json`,
		Args: cobra.NoArgs,
	}
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
	rows, failed := lastDrills(reports, now), 0
	table := output.Table{Head: []string{"SET", "HOST", "RESULT", "DRILLED", "AGE", "RPO", "RTO", "REPORT"}, Right: []int{4, 5, 6}, Cut: []int{0, 1}}
	for _, r := range rows {
		result := "passed"
		if !r.Passed {
			result = "failed"
			failed++
		}
		table.Rows = append(table.Rows, []string{output.OrDash(r.Set.String()), r.Hostname.String(), result, output.Time(r.Began),
			output.Elapsed(time.Duration(r.Age) * time.Second), drill.Duration(r.RPO), drill.Duration(r.RTO), r.ID[:shortID]})
	}
	if len(rows) == 0 {
		table.Footer = "there was no drill yet; packstone drill run does one"
	}
	if err := output.List(a.out, rows, table); err != nil {
		return err
	}
	if failed > 0 {
		return exitWith(exitDrill, "the last drill of %s failed; packstone drill report ID says why", output.Plural(failed, "set"))
	}
	return nil
}

// lastDrills are the last drills of each set and host.
func lastDrills(reports []*catalog.DrillReport, now time.Time) (rows []message.LastDrill) {
	at := map[[2]string]int{}
	for _, d := range reports {
		key := [2]string{d.Host, d.Set}
		i, known := at[key]
		if !known {
			i, at[key] = len(rows), len(rows)
			row := message.LastDrill{
				Set: output.Name(d.Set), Hostname: output.Name(d.Host), Passed: d.Passed, Began: d.Began, Age: int64(max(0, now.Sub(d.Began)) / time.Second),
				RPO: d.RPO, RTO: d.RTO, By: output.Name(d.By), SnapshotID: d.Snapshot, ID: d.ID.String(),
			}
			if len(d.Failures) > 0 {
				row.Failure = output.Name(d.Failures[0])
			}
			rows = append(rows, row)
		}
		if d.Passed && rows[i].LastPassed.IsZero() {
			rows[i].LastPassed = d.Began
		}
	}
	return rows
}
