package main

import (
	"context"
	"errors"
	"fmt"
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
	cmd := &cobra.Command{
		Use:   "sheet",
		Short: "Print a recovery sheet: all that a bare machine needs to restore.",
		Long: `The sheet has the identity, the owner whom to trust, the repository's address, and what to do. It is
text, or an SVG page with QR codes. Its rows have checksums, so that --verify finds typos. The login
to the storage is not on it. A file is readable by its owner only, and never replaces another one.

--verify reads a sheet that was typed or scanned: case, spaces and line breaks do not matter. It opens
the repository with the sheet's identity, and with -o writes an identity file. The address on the
sheet is used unless -r names another one.`,
		Example: `  packstone key sheet -o sheet.svg
  packstone key sheet --verify typed.txt -o identity.txt`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.verify, "verify", "", "read the sheet in this `file`, - for standard input, instead of printing one")
	flags.StringVarP(&o.output, "output", "o", "", "write to this `file`; - prints a sheet even if standard output is no terminal")
	flags.StringVar(&o.format, "format", "", "`text` or svg (default svg if the file's name ends with .svg)")
	flags.BoolVar(&o.noIdentity, "no-identity", false, "leave the identity out: the sheet has no secret")
	flags.BoolVar(&o.offline, "offline", false, "with --verify: do not open the repository")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, _ []string) error {
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
	switch {
	case a.flags.dryRun:
		m.DryRun = true
		a.out.Message("key_sheet", m, "dry run: would print the sheet of repository "+m.Repository)
		return a.out.Err()
	case o.output == "" || o.output == "-":
		m.Content = string(text)
		a.out.Message("key_sheet", m, string(text))
		return a.out.Err()
	}
	if err := machine.WriteKey(o.output, text); err != nil {
		return err
	}
	m.File = o.output
	if !o.noIdentity {
		a.out.Note("whoever has the sheet can read every backup: print it, verify what you have printed with packstone key sheet --verify, and delete the file")
	}
	a.out.Message("key_sheet", m, "wrote the sheet of repository "+m.Repository+" to "+m.File)
	return a.out.Err()
}

func (a *app) verifySheet(ctx context.Context, o sheetOptions) error {
	s, err := a.ReadSheet(o.verify)
	switch {
	case errors.Is(err, machine.ErrKey):
		return err
	case err != nil:
		return fmt.Errorf("read sheet %s: %w", o.verify, err)
	case s.Share != nil:
		return usage("%s is share %d of %d, any %d of which have the identity: put them together with packstone key join", o.verify,
			s.Share.Number, s.Share.Total, s.Share.Threshold)
	case s.Identity == nil && o.output != "":
		return usage("%s has no identity that could be written to %s", o.verify, o.output)
	}
	return a.takeIdentity(ctx, s, o.output, o.offline)
}

// takeIdentity proves that what a sheet says is true of the repository, and writes the identity to
// a file unless that is "".
func (a *app) takeIdentity(ctx context.Context, s sheet.Sheet, file string, offline bool) error {
	m := message.SheetOf(s)
	m.DryRun = a.flags.dryRun
	if !offline {
		if _, err := a.OpenFromSheet(ctx, s); err != nil {
			return err
		}
		m.Verified = true
	}
	if file != "" && !m.DryRun {
		if err := machine.WriteSheetIdentity(file, s); err != nil {
			return err
		}
		m.File = file
	}
	a.out.Message("key_sheet_verify", m, m.Text())
	return a.out.Err()
}
