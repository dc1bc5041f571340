package main

import (
	"context"
	"slices"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// statsGroups are what stats counts by: the name of a snapshot's group.
var statsGroups = map[string]func(*catalog.Snapshot) string{
	"snapshot": func(s *catalog.Snapshot) string { return s.ID.String() },
	"set":      func(s *catalog.Snapshot) string { return s.Set },
	"host":     func(s *catalog.Snapshot) string { return s.Host },
}

// statsBy prints a line for each group, the oldest first.
func (a *app) statsBy(ctx context.Context, repo *catalog.Repository, by string, chosen []*catalog.Snapshot) error {
	byTime := func(a, b *catalog.Snapshot) int { return a.Time.Compare(b.Time) }
	groups := catalog.Divide(slices.SortedStableFunc(slices.Values(chosen), byTime), statsGroups[by])
	shares, unnamed, err := browse.WeighBy(ctx, repo, groups)
	if err != nil {
		return err
	}
	a.warnUnnamed(unnamed)
	var rows []message.StatsRow
	for i, group := range groups {
		files, size := browse.Sizes(group)
		rows = append(rows, message.StatsRow{Group: output.Name(statsGroups[by](group[0])), Time: group[0].Time, Snapshots: len(group),
			Files: files, TotalSize: size, Added: shares[0][i].Added, Alone: shares[0][i].Alone})
	}
	return output.List(a.out, rows, message.StatsTable(by, rows))
}
