package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// statsMessage is what stats prints as JSON.
type statsMessage struct {
	Mode             string  `json:"mode" doc:"all, restore-size or raw-data."`
	Snapshots        int     `json:"snapshots_count" doc:"Snapshots that were counted."`
	TotalSize        uint64  `json:"total_size" doc:"Bytes that a restore of all of them writes; in the mode raw-data, bytes that their chunks take in the repository."`
	Files            uint64  `json:"total_file_count,omitempty" doc:"Files in all of them."`
	Chunks           uint64  `json:"total_blob_count,omitempty" doc:"Different chunks, those of trees included."`
	Uncompressed     uint64  `json:"total_uncompressed_size,omitempty" doc:"Bytes of those before compression."`
	Stored           uint64  `json:"stored_size,omitempty" doc:"Bytes of those in the repository, without what packs add to them."`
	Trees            uint64  `json:"tree_size,omitempty" doc:"How many of the stored bytes are pages of trees."`
	CompressionRatio float64 `json:"compression_ratio,omitempty" doc:"Bytes before compression for each stored one."`
	Saving           float64 `json:"compression_space_saving,omitempty" doc:"Per cent that compression saves."`
	Deduplication    float64 `json:"deduplication_ratio,omitempty" doc:"Bytes that a restore writes for each byte of a different chunk; absent in the mode raw-data."`
}

func newStats(a *app) *cobra.Command {
	var mode, by string
	cmd := &cobra.Command{
		Use:   "stats [SNAPSHOT...]",
		Short: "Show the size of snapshots, and their size in the repository.",
		Long: `Without SNAPSHOT it counts all that match --set, --host and --tag together: a chunk that several of
them need counts once. With --by, each snapshot, set or host has a line: ADDED is what
it takes beyond those before it, ALONE what only it needs. Reads no content.`,
		Example: `  packstone stats
  packstone stats --by snapshot --set platform`,
	}
	cmd.Flags().StringVar(&mode, "mode", "all", "`what` to count: restore-size, raw-data or all")
	cmd.Flags().StringVar(&by, "by", "", "show each `group` on a line: snapshot, set or host")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if mode != "all" && mode != "restore-size" && mode != "raw-data" {
			return usage("--mode %s: want restore-size, raw-data or all", mode)
		}
		if _, ok := statsGroups[by]; by != "" && !ok {
			return usage("--by %s: want snapshot, set or host", by)
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
		m, err := a.stats(ctx, v.Repo, mode, chosen)
		if err != nil {
			return err
		}
		a.out.Message("stats", m, m.text())
		if len(args) > 0 {
			return a.out.Err()
		}
		return errors.Join(a.out.Err(), v.Whole(ctx))
	})
}

func (a *app) stats(ctx context.Context, repo *catalog.Repository, mode string, chosen []*catalog.Snapshot) (statsMessage, error) {
	m := statsMessage{Mode: mode, Snapshots: len(chosen)}
	if mode != "raw-data" {
		m.Files, m.TotalSize = browse.Sizes(chosen)
	}
	if mode == "restore-size" {
		return m, nil
	}
	w, err := browse.Weigh(ctx, repo, chosen)
	if err != nil {
		return m, err
	}
	for _, pack := range w.Unnamed {
		a.Warn("no index names pack " + pack.String() + ": run packstone check")
	}
	m.Chunks, m.Uncompressed, m.Stored, m.Trees = w.Chunks, w.Raw, w.Stored, w.Trees
	m.divide(w.Data)
	return m, nil
}

// divide fills in the ratios. data is how many of the bytes before compression are content.
func (m *statsMessage) divide(data uint64) {
	if m.Stored > 0 {
		m.CompressionRatio = float64(m.Uncompressed) / float64(m.Stored)
		m.Saving = 100 * (1 - 1/m.CompressionRatio)
	}
	if m.Mode == "raw-data" {
		m.TotalSize = m.Stored
	} else if data > 0 {
		m.Deduplication = float64(m.TotalSize) / float64(data)
	}
}

func (m statsMessage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "snapshots:      %d", m.Snapshots)
	if m.Mode != "raw-data" {
		fmt.Fprintf(&b, "\nfiles:          %s\nrestore size:   %s", output.Count(int64(m.Files)), output.Bytes(int64(m.TotalSize)))
	}
	if m.Mode == "restore-size" {
		return b.String()
	}
	fmt.Fprintf(&b, "\nchunks:         %s, %s before compression", output.Count(int64(m.Chunks)), output.Bytes(int64(m.Uncompressed)))
	fmt.Fprintf(&b, "\nstored:         %s, of which trees %s", output.Bytes(int64(m.Stored)), output.Bytes(int64(m.Trees)))
	if m.Deduplication > 0 {
		fmt.Fprintf(&b, "\ndeduplication:  %.2f : 1", m.Deduplication)
	}
	if m.CompressionRatio > 0 {
		fmt.Fprintf(&b, "\ncompression:    %.2f : 1", m.CompressionRatio)
	}
	return b.String()
}
