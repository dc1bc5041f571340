package main

import (
	"context"
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
	cmd := described("key-split", cobra.ExactArgs(1))
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write the shares into this `directory`")
	cmd.Flags().StringVar(&o.format, "format", "text", "`text` or svg")
	return a.verb(cmd, signsKeys, func(ctx context.Context, args []string) error {
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
	files, err := machine.ShareFiles(o.output, shares, o.as, time.Now())
	if err != nil {
		return err
	}
	m := message.SplitOf(shares, files, a.flags.dryRun)
	if !m.DryRun {
		if err := machine.WriteKeys(files); err != nil {
			return err
		}
		a.out.Note("give each custodian one share, and delete the files. The identity itself is still where it was")
	}
	return a.out.Message("key_split", m, m.Text())
}

type joinOptions struct {
	output  string
	offline bool
}

func newKeyJoin(a *app) *cobra.Command {
	var o joinOptions
	cmd := described("key-join", cobra.MinimumNArgs(1))
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
	joined, err := a.JoinSheets(names)
	if err != nil {
		return err
	}
	for _, text := range joined.Bad {
		a.Warn(text)
	}
	a.out.Note("put %s together", output.Plural(uint64(joined.Used), "share"))
	return a.takeIdentity(ctx, joined.Sheet, o.output, o.offline)
}
