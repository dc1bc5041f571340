package main

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// statsRow is a line of stats --by.
type statsRow struct {
	Group     output.Name `json:"group" doc:"The id of the snapshot, the set (empty: backups of paths) or the host."`
	Time      time.Time   `json:"time" doc:"When the first snapshot of the group was taken."`
	Snapshots int         `json:"snapshots_count" doc:"Snapshots of the group."`
	Files     uint64      `json:"total_file_count" doc:"Files in all of them."`
	TotalSize uint64      `json:"total_size" doc:"Bytes that a restore of all of them writes."`
	Added     uint64      `json:"data_added_packed" doc:"Stored bytes that no group before it needs."`
	Alone     uint64      `json:"data_alone" doc:"Stored bytes that no other group needs."`
}

// statsGroups are what stats counts by: the name of a snapshot's group.
var statsGroups = map[string]func(*catalog.Snapshot) string{
	"snapshot": func(s *catalog.Snapshot) string { return s.ID.String() },
	"set":      func(s *catalog.Snapshot) string { return s.Set },
	"host":     func(s *catalog.Snapshot) string { return s.Host },
}

// statsBy prints a line for each group, the oldest first.
func (a *app) statsBy(ctx context.Context, repo *catalog.Repository, by string, chosen []*catalog.Snapshot) error {
	groups := groupSnapshots(chosen, statsGroups[by])
	shares, unnamed, err := browse.WeighBy(ctx, repo, groups)
	if err != nil {
		return err
	}
	for _, pack := range unnamed {
		a.Warn("no index names pack " + pack.String() + ": run packstone check")
	}
	var rows []statsRow
	for i, group := range groups {
		files, size := browse.Sizes(group)
		rows = append(rows, statsRow{Group: output.Name(statsGroups[by](group[0])), Time: group[0].Time, Snapshots: len(group),
			Files: files, TotalSize: size, Added: shares[0][i].Added, Alone: shares[0][i].Alone})
	}
	return output.List(a.out, rows, statsTable(by, rows))
}

// groupSnapshots puts snapshots of one name together. Groups and what is in them are in order of
// time.
func groupSnapshots(chosen []*catalog.Snapshot, name func(*catalog.Snapshot) string) (groups [][]*catalog.Snapshot) {
	at := map[string]int{}
	byTime := func(a, b *catalog.Snapshot) int { return a.Time.Compare(b.Time) }
	for _, s := range slices.SortedStableFunc(slices.Values(chosen), byTime) {
		i, ok := at[name(s)]
		if !ok {
			i, at[name(s)] = len(groups), len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

func statsTable(by string, rows []statsRow) output.Table {
	table := output.Table{Head: []string{map[string]string{"snapshot": "SNAPSHOT", "set": "SET", "host": "HOST"}[by], "TIME", "SNAPSHOTS", "FILES", "RESTORE SIZE", "ADDED", "ALONE"},
		Right: []int{2, 3, 4, 5, 6}, Cut: []int{0}}
	for _, r := range rows {
		name := output.OrDash(r.Group.String())
		if by == "snapshot" {
			name = name[:shortID]
		}
		table.Rows = append(table.Rows, []string{name, output.Time(r.Time), strconv.Itoa(r.Snapshots), output.Count(int64(r.Files)), output.Bytes(int64(r.TotalSize)),
			output.Bytes(int64(r.Added)), output.Bytes(int64(r.Alone))})
	}
	if len(rows) == 0 {
		table.Footer = "no snapshot matches"
	}
	return table
}
