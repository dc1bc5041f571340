package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

func newDiff(a *app) *cobra.Command {
	d := differ{app: a}
	cmd := &cobra.Command{
		Use:   "diff SNAPSHOT SNAPSHOT | diff SNAPSHOT[:SOURCE] --live",
		Short: "Show what differs between two snapshots, or has changed since one.",
		Long: `Each line begins with + for added, - for removed, M for modified content, T for a changed type, and
with --metadata U for changed owners, modes, times and attributes. Equal parts of the trees are not
read.

--live compares a snapshot with its sources as they are now: files by size and time, as a backup
does, without reading them; tables of a database by the digest of their rows.`,
		Example: `  packstone diff latest~1 latest --set platform
  packstone diff latest --live --set platform`,
		Args: cobra.RangeArgs(1, 2),
	}
	cmd.Flags().BoolVar(&d.isLive, "live", false, "compare the snapshot with its sources as they are now")
	cmd.Flags().BoolVar(&d.metadata, "metadata", false, "also list files of which only metadata changed")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, d.run)
}

// differ is one run of diff.
type differ struct {
	*app
	metadata bool
	isLive   bool
	summary  message.Diff
	problems int // what could not be compared
}

func (d *differ) run(ctx context.Context, args []string) error {
	if d.isLive != (len(args) == 1) {
		return usage("want diff SNAPSHOT SNAPSHOT, or diff SNAPSHOT[:SOURCE] --live")
	}
	if d.isLive {
		return d.live(ctx, args[0])
	}
	b, err := d.browse(ctx)
	if err != nil {
		return err
	}
	before, err := b.Pick(args[0], d.filter())
	if err != nil {
		return err
	}
	after, err := b.Pick(args[1], d.filter())
	if err != nil {
		return err
	}
	d.summary = message.Diff{Source: before.ID.String(), Target: after.ID.String()}
	if err := b.Diff(ctx, before, after, d.take); err != nil {
		return err
	}
	d.out.Summary(d.summary, d.summary.Text())
	return d.out.Err()
}

// take counts and tells a change.
func (d *differ) take(source string, kind browse.Kind, c *tree.Change) error {
	d.summary.Count(kind, c)
	if kind == browse.Touched && !d.metadata {
		return d.out.Err()
	}
	if d.out.JSON() {
		d.out.Message("change", message.Change{Source: output.Name(source), Path: output.Name(c.Path), Modifier: string(kind)}, "")
	} else {
		d.out.Line("%-4s %s", kind, message.Place(source, c.Path))
	}
	return d.out.Err()
}
