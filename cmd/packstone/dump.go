package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

type dumpOptions struct{ target, archive string }

func newDump(a *app) *cobra.Command {
	var o dumpOptions
	cmd := &cobra.Command{
		Use:   "dump SNAPSHOT[:SOURCE[/PATH]]",
		Short: "Write a file, or a directory as tar or zip, to standard output.",
		Long: `The tar keeps owners, times to the nanosecond, hard links, devices, extended attributes,
capabilities, ACLs and SELinux labels, with names as restore creates them below its target. GNU tar
restores all of that with

  tar --acls --selinux --xattrs --xattrs-include='*' --numeric-owner -xpf TAR

A zip (--archive zip) has no owners, attributes or hard links. Holes of sparse files are written as
zeros. Every chunk is verified.`,
		Example: `  packstone dump latest:files/report.pdf > report.pdf
  packstone dump latest:settings --target settings.tar`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&o.target, "target", "t", "", "write to this `file`, which appears when it is complete")
	cmd.Flags().StringVarP(&o.archive, "archive", "a", "tar", "`format` of directories: tar or zip")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if o.archive != "tar" && o.archive != "zip" {
			return usage("--archive %s: want tar or zip", o.archive)
		}
		return a.dump(ctx, o, args[0])
	})
}

func (a *app) dump(ctx context.Context, o dumpOptions, name string) error {
	b, err := a.browse(ctx)
	if err != nil {
		return err
	}
	at, err := b.find(name)
	if err != nil {
		return err
	}
	d := &dumping{browser: b, at: at, zip: o.archive == "zip"}
	if err := d.look(ctx); err != nil {
		return err
	}
	if _, terminal := machine.Terminal(a.stdout); terminal && o.target == "" && d.file == nil {
		return usage("the standard output is a terminal, and %s would be written to it: redirect it, as in > dump.%s, or name a file with --target", o.archive, o.archive)
	}
	if o.target == "" {
		return errors.Join(d.write(ctx, a.stdout), d.outcome())
	}
	return errors.Join(output.WriteWhole(o.target, func(w io.Writer) error { return d.write(ctx, w) }), d.outcome())
}

// dumping is one run of dump.
type dumping struct {
	*browser
	at    catalog.Spot
	file  *tree.Node // the one file that is meant, if it is one
	zip   bool       // not a tar
	unfit int
}

// look finds out whether a file or a directory is meant, before anything is written.
func (d *dumping) look(ctx context.Context) error {
	if d.at.Path == "" {
		return nil
	}
	node, err := d.Node(ctx, d.at)
	if err == nil && node.Type == entry.File {
		d.file = node.Clone()
	}
	return err
}

func (d *dumping) outcome() error {
	if d.unfit > 0 {
		return exitWith(exitMissing, "%s not in the tar (listed above)", output.Plural(d.unfit, "extended attribute"))
	}
	return nil
}

func (d *dumping) write(ctx context.Context, w io.Writer) error {
	if d.file != nil {
		return d.Content(ctx, d.at.Snapshot, d.file, w)
	}
	if d.zip {
		return d.Zip(ctx, d.at, w, func(e *entry.Entry) {
			d.app.out.Warn(output.Warning{Message: fmt.Sprintf("a zip cannot hold a %s", e.Type.Word()), Item: output.Name(e.Path)})
		})
	}
	return d.Tar(ctx, d.at, w, d.tellUnfit)
}

// tellUnfit tells of what has no place in a tar.
func (d *dumping) tellUnfit(e *entry.Entry, attribute string) {
	if attribute == "" {
		d.app.out.Warn(output.Warning{Message: fmt.Sprintf("a tar cannot hold a %s", e.Type.Word()), Item: output.Name(e.Path)})
		return
	}
	d.unfit++
	d.app.out.Problem(e.Path, "dump", fmt.Errorf("a tar cannot hold the extended attribute %q", attribute))
}
