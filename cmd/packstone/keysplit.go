package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto/share"
	"github.com/packstone/packstone/crypto/sheet"
)

type splitOptions struct {
	output, format string
	as             sheet.Format
}

func newKeySplit(a *app) *cobra.Command {
	var o splitOptions
	cmd := &cobra.Command{
		Use:   "split N-of-M",
		Short: "Split the identity among custodians, so that no single one can read.",
		Long: `Any N of the M shares together have the identity; fewer say nothing of it. Each share is a sheet of
its own, text or an SVG page with a QR code, for one custodian. packstone key join puts them together.

The identity itself stays where it is. To leave reading to the custodians alone, delete it and all its
copies, after you have tried the shares.`,
		Example: `  packstone key split 2-of-3 -o shares
  packstone key split 3-of-5 -o shares --format svg -i identity.txt`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write the shares into this `directory`")
	cmd.Flags().StringVar(&o.format, "format", "text", "`text` or svg")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		threshold, total, err := share.ParseSplit(args[0])
		if err != nil {
			return usage("%w", err)
		}
		if o.as, err = sheet.FormatOf(o.format, ""); err != nil {
			return usage("%w", err)
		}
		if o.output == "" {
			return usage("name the directory for the shares with -o")
		}
		return a.splitIdentity(ctx, threshold, total, o)
	})
}

func (a *app) splitIdentity(ctx context.Context, threshold, total int, o splitOptions) error {
	whole, err := a.Sheet(ctx, true)
	if err != nil {
		return err
	}
	shares, err := whole.Split(threshold, total)
	if err != nil {
		return err
	}
	m := message.Split{
		Repository: whole.Owner.Repository, Identity: whole.Of.String(), Set: fmt.Sprintf("%x", shares[0].Share.Set[:]), Threshold: threshold, Total: total,
		DryRun: a.flags.dryRun,
	}
	files, err := machine.ShareFiles(o.output, shares, o.as, time.Now())
	if err != nil {
		return err
	}
	for _, file := range files {
		m.Files = append(m.Files, file.Path)
	}
	if !m.DryRun {
		if err := machine.WriteKeys(files); err != nil {
			return err
		}
		a.out.Note("give each custodian one share, and delete the files. The identity itself is still where it was")
	}
	a.out.Message("key_split", m, m.Text())
	return a.out.Err()
}

type joinOptions struct {
	output  string
	offline bool
}

func newKeyJoin(a *app) *cobra.Command {
	var o joinOptions
	cmd := &cobra.Command{
		Use:   "join FILE...",
		Short: "Put the shares of custodians together to the identity.",
		Long: `The files hold shares as packstone key split has printed them, typed or scanned, one or several in each:
case, spaces and line breaks do not matter. Damaged, doubled and strange shares are named, and do no harm if there are
enough good ones. The identity is written only if it is the one that was split and opens the
repository. It never replaces a file.`,
		Example: `  packstone key join share-1.txt share-3.txt -o identity.txt
  packstone key join share-1.txt share-3.txt --dry-run`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write the identity to this `file`")
	cmd.Flags().BoolVar(&o.offline, "offline", false, "do not open the repository")
	return a.verb(cmd, usesRepository|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		if o.output == "" && !a.flags.dryRun {
			return usage("name the file for the identity with -o, or try the shares with --dry-run")
		}
		if o.output == "-" {
			return usage("an identity is written to a file alone: name one with -o")
		}
		return a.joinShares(ctx, args, o)
	})
}

func (a *app) joinShares(ctx context.Context, names []string, o joinOptions) error {
	var parts []sheet.Part
	for _, name := range names {
		found, err := a.ReadSheets(name)
		if err != nil {
			return err
		}
		parts = append(parts, found...)
	}
	joined, err := sheet.Join(parts)
	if err != nil {
		return err
	}
	for _, text := range joined.Bad {
		a.out.Warn(output.Warning{Message: text})
	}
	a.out.Note("put %s together", output.Plural(uint64(joined.Used), "share"))
	return a.takeIdentity(ctx, joined.Sheet, o.output, o.offline)
}
