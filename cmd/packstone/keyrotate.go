package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/copy"
)

type rotateOptions struct {
	domain, reencrypt, yes bool
	output                 string
	packSize               flagvalue.Size
}

func newKeyRotate(a *app) *cobra.Command {
	var o rotateOptions
	cmd := described("key-rotate", cobra.NoArgs)
	flags := cmd.Flags()
	flags.BoolVar(&o.domain, "domain", false, "change to a new domain")
	flags.BoolVar(&o.reencrypt, "reencrypt", false, "store all snapshots of earlier domains anew")
	flags.Var(&o.packSize, "pack-size", "`size` of the objects that --reencrypt uploads (default 16MiB, 8MiB where memory is tight)")
	flags.StringVarP(&o.output, "output", "o", "", "with --domain: make new key files for all others, in this `directory`")
	flags.BoolVar(&o.yes, "yes", false, "do not ask before the change")
	return a.verb(cmd, signsKeys|usesConcurrency, func(ctx context.Context, _ []string) error {
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
	m := message.RotationOf(r, repo.Config, a.flags.dryRun)
	if m.DryRun {
		return a.out.Message("key_rotate", m, m.Text())
	}
	if r.Needed && !o.yes {
		if err := a.Agree("", m.Meaning()...); err != nil {
			return err
		}
	}
	own, made, err := a.Rotate(ctx, repo, owner, r, o.output)
	if err != nil {
		return err
	}
	m.HandedOver(repo.Config, own, made, o.output)
	return a.out.Message("key_rotate", m, m.Text())
}

func (a *app) reencrypt(ctx context.Context, o rotateOptions) error {
	write, err := a.writeOptions(o.packSize)
	if err != nil {
		return err
	}
	v, owner, err := a.openToReencrypt(ctx)
	if err != nil {
		return err
	}
	anew, err := copy.PlanAnew(v)
	if err != nil {
		return err
	}
	_, stored, err := admin.Stored(ctx, v.Repo)
	if err != nil {
		return err
	}
	m, err := message.ReencryptionOf(anew, v.Repo.Config, stored)
	if err != nil {
		return err
	}
	if m.DryRun = a.flags.dryRun; m.DryRun {
		for _, s := range anew.Snapshots {
			m.Add(s, nil)
		}
		return a.out.Summary(m, m.Text())
	}
	if len(anew.Snapshots) > 0 && !o.yes {
		if err := a.Agree("", m.Meaning(len(anew.Snapshots))...); err != nil {
			return err
		}
	}
	if err := a.letForget(ctx, v.Repo, owner); err != nil {
		return err
	}
	stop := a.out.Progress(meter.Of(write.Progress))
	m.Forgotten, err = anew.Replace(ctx, v.Repo, owner, copy.Options{
		Fetch: a.fetchOptions(), Write: write, Done: func(s *catalog.Snapshot, id archive.Name) { m.Add(s, &id) },
	})
	stop()
	m.Added = write.Progress.BytesPacked.Load()
	if err != nil {
		return fmt.Errorf("%d of %s stored anew; to continue, run the same command again: %w", len(m.Snapshots), output.Plural(len(anew.Snapshots), "snapshot"), err)
	}
	return a.out.Summary(m, m.Text())
}

// openToReencrypt opens the repository with all the keys that are needed, before anything is read.
func (a *app) openToReencrypt(ctx context.Context) (v *view.View, owner crypto.Signer, err error) {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MustWrite)
	if err != nil {
		return nil, owner, err
	}
	if owner, err = a.Owner(repo); err != nil {
		return nil, owner, err
	}
	if v, err = a.look(ctx, repo); err != nil {
		return nil, owner, err
	}
	return v, owner, v.Whole(ctx)
}
