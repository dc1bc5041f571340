package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

type dumpOptions struct{ target, archive string }

func newDump(a *app) *cobra.Command {
	var o dumpOptions
	cmd := described("dump", cobra.ExactArgs(1))
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
	b, at, err := a.place(ctx, name)
	if err != nil {
		return err
	}
	d, err := b.Dump(ctx, at)
	if err != nil {
		return err
	}
	if _, terminal := machine.Terminal(a.stdout); terminal && o.target == "" && !d.IsFile() {
		return usage("the standard output is a terminal, and %s would be written to it: redirect it, as in > dump.%s, or name a file with --target", o.archive, o.archive)
	}
	unfit := 0
	write := func(w io.Writer) error {
		return d.Write(ctx, w, o.archive == "zip", func(e *entry.Entry, attribute string) {
			if attribute == "" {
				a.warnOf(e.Path, fmt.Sprintf("a %s cannot hold a %s", o.archive, e.Type.Word()))
				return
			}
			unfit++
			a.out.Problem(e.Path, "dump", fmt.Errorf("a tar cannot hold the extended attribute %q", attribute))
		})
	}
	if o.target == "" {
		err = write(a.stdout)
	} else {
		err = output.WriteWhole(o.target, write)
	}
	if unfit > 0 {
		return errors.Join(err, exitWith(exitMissing, "%s not in the tar (listed above)", output.Plural(unfit, "extended attribute")))
	}
	return err
}
