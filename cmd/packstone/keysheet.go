package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/crypto/sheet"
)

type sheetOptions struct {
	verify, output, format string
	noIdentity, offline    bool
	as                     sheet.Format
}

func newKeySheet(a *app) *cobra.Command {
	var o sheetOptions
	cmd := described("key-sheet", cobra.NoArgs)
	flags := cmd.Flags()
	flags.StringVar(&o.verify, "verify", "", "read the sheet in this `file`, - for standard input, instead of printing one")
	flags.StringVarP(&o.output, "output", "o", "", "write to this `file`; - prints a sheet even if standard output is no terminal")
	flags.StringVar(&o.format, "format", "", "`text` or svg (default svg if the file's name ends with .svg)")
	flags.BoolVar(&o.noIdentity, "no-identity", false, "leave the identity out: the sheet has no secret")
	flags.BoolVar(&o.offline, "offline", false, "with --verify: do not open the repository")
	return a.verb(cmd, signsKeys, func(ctx context.Context, _ []string) error {
		if err := o.check(); err != nil {
			return err
		}
		if o.verify != "" {
			return a.verifySheet(ctx, o)
		}
		return a.printSheet(ctx, o)
	})
}

func (o *sheetOptions) check() error {
	switch {
	case o.verify != "" && (o.noIdentity || o.format != ""):
		return usage("--verify reads a sheet: --no-identity and --format are for printing one")
	case o.verify != "" && o.output == "-":
		return usage("-o - is for printing a sheet; --verify writes an identity to a file")
	case o.verify == "" && o.offline:
		return usage("--offline is for --verify: a sheet is printed of an open repository")
	}
	var err error
	if o.as, err = sheet.FormatOf(o.format, o.output); err != nil {
		return usage("%w", err)
	}
	return nil
}

func (a *app) printSheet(ctx context.Context, o sheetOptions) error {
	if _, terminal := machine.Terminal(a.stdout); !terminal && !o.noIdentity && o.output == "" && !a.flags.dryRun {
		return usage("standard output is no terminal, and the sheet has a secret: name a file with -o, or print it all the same with -o -")
	}
	s, err := a.Sheet(ctx, !o.noIdentity)
	if err != nil {
		return err
	}
	text, err := s.In(o.as, time.Now())
	if err != nil {
		return err
	}
	m := message.SheetOf(s)
	switch m.DryRun = a.flags.dryRun; {
	case m.DryRun:
	case o.output == "" || o.output == "-":
		m.Content = string(text)
	default:
		if err := machine.WriteKey(o.output, text); err != nil {
			return err
		}
		if m.File = o.output; !o.noIdentity {
			a.out.Note("whoever has the sheet can read every backup: print it, verify what you have printed with packstone key sheet --verify, and delete the file")
		}
	}
	return a.out.Message("key_sheet", m, m.Printed())
}

func (a *app) verifySheet(ctx context.Context, o sheetOptions) error {
	s, err := a.ReadSheet(o.verify)
	if err != nil {
		return err
	}
	if s.Identity == nil && o.output != "" {
		return usage("%s has no identity that could be written to %s", o.verify, o.output)
	}
	return a.takeIdentity(ctx, s, o.output, o.offline)
}

// takeIdentity proves a sheet, and takes its identity.
func (a *app) takeIdentity(ctx context.Context, s sheet.Sheet, file string, offline bool) error {
	if a.flags.dryRun {
		file = ""
	}
	if err := a.TakeIdentity(ctx, s, file, offline); err != nil {
		return err
	}
	m := message.SheetOf(s)
	m.DryRun, m.Verified, m.File = a.flags.dryRun, !offline, file
	return a.out.Message("key_sheet_verify", m, m.Text())
}
