package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/crypto"
)

type rotateOptions struct {
	domain, reencrypt, yes bool
	output                 string
	packSize               flagvalue.Size
}

func newKeyRotate(a *app) *cobra.Command {
	var o rotateOptions
	cmd := &cobra.Command{
		Use:   "rotate --domain|--reencrypt",
		Short: "Change to new keys for contents; store old backups anew with them.",
		Long: `--domain is for when a host's key file may have been copied. Contents are stored under new names
from then on; old backups stay as they are. Whoever had a key file can still test whether what it
knows was stored before. Nothing that is stored is recognised again, so that the next backups read and
store everything once more. The key files of this machine go on working. Those of other hosts,
collectors and keepers are refused until they are replaced: -o makes them all, and revokes the old
ones.

--reencrypt is for when a removed recipient is to lose what it could read: after key remove and key
rotate --domain it stores all older snapshots anew, and forgets the old ones, whose packs prune
deletes. Copies that somebody has taken, old versions in a bucket and what locks protect stay, and so
do descriptions of snapshots in the log: host, set and paths.

Needs the owner's key, an identity and, for --reencrypt, the key of a writer that may back up all
hosts. If it was interrupted, run it again: before all have key files, the domain does not change
again.`,
		Example: `  packstone key rotate --domain -o new-keys
  packstone key rotate --reencrypt -n`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.domain, "domain", false, "change to a new domain")
	flags.BoolVar(&o.reencrypt, "reencrypt", false, "store all snapshots of earlier domains anew")
	flags.Var(&o.packSize, "pack-size", "`size` of the objects that --reencrypt uploads (default 16MiB, 8MiB where memory is tight)")
	flags.StringVarP(&o.output, "output", "o", "", "with --domain: make new key files for all others, in this `directory`")
	flags.BoolVar(&o.yes, "yes", false, "do not ask before the change")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun|usesConcurrency, func(ctx context.Context, _ []string) error {
		switch {
		case o.domain == o.reencrypt:
			return usage("say what to rotate, one after the other: --domain, or --reencrypt")
		case o.reencrypt && o.output != "":
			return usage("--output is for --domain")
		case o.domain && cmd.Flags().Changed("pack-size"):
			return usage("--pack-size is for --reencrypt")
		case o.reencrypt:
			return a.reencrypt(ctx, o)
		}
		return a.rotate(ctx, o)
	})
}

func (a *app) rotate(ctx context.Context, o rotateOptions) error {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead)
	if err != nil {
		return err
	}
	owner, err := a.Owner(repo)
	if err != nil {
		return err
	}
	atHand, err := a.KeysAtHand(repo)
	if err != nil {
		return err
	}
	r, err := admin.NewRotation(ctx, repo, atHand)
	if err != nil {
		return err
	}
	m := message.Rotation{
		Before: r.Before, Domain: r.Before, Config: repo.Config.Number, Know: r.Know, Packs: r.Packs, Bytes: r.Bytes,
		Renewed: []string{}, Made: []message.RotatedFile{}, Lacking: []string{}, DryRun: a.flags.dryRun,
	}
	if m.DryRun {
		a.out.Message("key_rotate", m, strings.Join(append(m.Meaning(r), "dry run, nothing was changed"), "\n"))
		return a.out.Err()
	}
	if err := a.agreeToRotate(m.Meaning(r), r.Needed && !o.yes); err != nil {
		return err
	}
	if o.output != "" {
		if err := machine.TryDirectory(o.output); err != nil {
			return fmt.Errorf("nothing was changed: %w", err)
		}
	}
	if err := r.Make(ctx, owner); err != nil {
		return err
	}
	if err := a.handOverRotated(ctx, repo, owner, o.output, &m); err != nil {
		return fmt.Errorf("the repository is written with domain %d; to make the key files that are missing, run the same command again: %w", repo.Config.Domain, err)
	}
	m.Domain, m.Config = repo.Config.Domain, repo.Config.Number
	a.out.Message("key_rotate", m, m.Text())
	return a.out.Err()
}

// agreeToRotate asks whether to go on.
func (a *app) agreeToRotate(why []string, ask bool) error {
	if !ask {
		return nil
	}
	if !a.CanAsk() {
		return exitWith(exitRefused, "%s; confirm with --yes", strings.Join(why, "; "))
	}
	if ok, err := a.Confirm(why); err != nil || !ok {
		return errors.Join(err, exitWith(exitRefused, "nothing was changed"))
	}
	return nil
}

// handOverRotated gives this machine's key files the keys of the present domain, and makes those of
// others if there is a directory for them.
func (a *app) handOverRotated(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, directory string, m *message.Rotation) error {
	own, made, err := a.Reissue(ctx, repo, owner, directory)
	if err != nil {
		return err
	}
	m.Renewed = append(m.Renewed, own.Renewed...)
	if directory == "" {
		m.Lack(repo.Config, own.Keys)
	}
	for _, f := range made {
		m.Made = append(m.Made, message.RotatedFile{Name: admin.NameOf(f.Next), Replaces: admin.NameOf(f.Old), File: f.File})
	}
	return nil
}
