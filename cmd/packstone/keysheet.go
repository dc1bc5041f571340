package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/crypto/sheet"
)

// sheetMessage is what key sheet prints as JSON.
type sheetMessage struct {
	Repository string `json:"repository" doc:"The repository's id."`
	Address    string `json:"address" doc:"The repository's address on the sheet."`
	Owner      string `json:"owner" doc:"The fingerprint of the repository's owner."`
	Identity   string `json:"identity,omitempty" doc:"The fingerprint of the recipient to which the identity or share belongs; absent without one."`
	Verified   bool   `json:"verified,omitempty" doc:"Whether the repository is that of the sheet, and was opened with its identity."`
	File       string `json:"file,omitempty" doc:"The file that was written."`
	Content    string `json:"content,omitempty" doc:"The sheet, where no file was named; secret."`
	DryRun     bool   `json:"dry_run,omitempty" doc:"Whether nothing was written."`
}

type sheetOptions struct {
	verify, output, format string
	noIdentity, offline    bool
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
	return checkFormat(&o.format, o.output)
}

// checkFormat sets the format by the name of a file if none is given.
func checkFormat(format *string, file string) error {
	switch *format {
	case "":
		*format = "text"
		if filepath.Ext(file) == ".svg" {
			*format = "svg"
		}
	case "text", "svg":
	default:
		return usage("--format %s: must be text or svg", *format)
	}
	return nil
}

// printed returns a sheet in a format.
func printed(s sheet.Sheet, format string) ([]byte, error) {
	if format == "svg" {
		return s.SVG(time.Now())
	}
	return s.Text(time.Now())
}

func (a *app) printSheet(ctx context.Context, o sheetOptions) error {
	if _, terminal := machine.Terminal(a.stdout); !terminal && !o.noIdentity && o.output == "" && !a.flags.dryRun {
		return usage("standard output is no terminal, and the sheet has a secret: name a file with -o, or print it all the same with -o -")
	}
	s, err := a.sheetAtHand(ctx, o.noIdentity)
	if err != nil {
		return err
	}
	text, err := printed(s, o.format)
	if err != nil {
		return err
	}
	m := sheetMessageOf(s)
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

// sheetAtHand returns the sheet of the repository, with the identity at hand or without.
func (a *app) sheetAtHand(ctx context.Context, noIdentity bool) (s sheet.Sheet, err error) {
	address, err := a.AddressForOthers()
	if err != nil {
		return sheet.Sheet{}, err
	}
	if server := cmp.Or(a.Env["AWS_ENDPOINT_URL_S3"], a.Env["AWS_ENDPOINT_URL"]); strings.HasPrefix(address, "s3://") && !strings.Contains(server, "@") {
		defer func() { s.Server = server }()
	}
	if noIdentity {
		repo, err := a.openWithAnyKeys(ctx)
		if err != nil {
			return sheet.Sheet{}, err
		}
		return admin.PublicSheetOf(repo, address), nil
	}
	repo, _, err := a.OpenRepository(ctx, machine.MustRead)
	if err != nil {
		return sheet.Sheet{}, err
	}
	identities, err := a.NeedIdentities(ctx)
	if err != nil {
		return sheet.Sheet{}, err
	}
	return admin.SheetOf(repo, address, identities.Identities)
}

func sheetMessageOf(s sheet.Sheet) sheetMessage {
	m := sheetMessage{Repository: s.Owner.Repository, Address: s.Address, Owner: s.Owner.Owner.Fingerprint().String()}
	if s.Identity != nil || s.Share != nil {
		m.Identity = s.Of.String()
	}
	return m
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
	m := sheetMessageOf(s)
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
	a.out.Message("key_sheet_verify", m, m.text())
	return a.out.Err()
}

// text says what was proved, and what was written.
func (m sheetMessage) text() string {
	text := "repository  " + m.Address + "\nid          " + m.Repository + "\nowner       " + m.Owner
	if m.Identity != "" {
		text += "\nidentity    " + m.Identity
	}
	switch {
	case m.Verified && m.Identity != "":
		text += "\nthe sheet is right: its identity opens the repository, and the owner is the one on the sheet"
	case m.Verified:
		text += "\nthe sheet is right: the owner is the one on the sheet; it has no identity"
	default:
		text += "\nthe sheet is right in itself; the repository was not opened"
	}
	if m.File != "" {
		text += "\nwrote the identity to " + m.File
	}
	return text
}
