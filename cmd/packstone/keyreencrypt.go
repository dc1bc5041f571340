package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/copy"
)

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
	m, err := newReencryption(ctx, v.Repo, anew)
	if err != nil {
		return err
	}
	if m.DryRun = a.flags.dryRun; m.DryRun {
		for _, s := range anew.Snapshots {
			m.Snapshots = append(m.Snapshots, message.Reencrypted{ID: s.ID.String()})
		}
		a.out.Summary(m, strings.Join(append(m.Meaning(len(anew.Snapshots)), "dry run, nothing was changed"), "\n"))
		return a.out.Err()
	}
	if err := a.agreeToRotate(m.Meaning(len(anew.Snapshots)), len(anew.Snapshots) > 0 && !o.yes); err != nil {
		return err
	}
	if err := a.letForget(ctx, v.Repo, owner); err != nil {
		return err
	}
	err = a.makeAnew(ctx, v.Repo, anew, copy.Options{Fetch: a.fetchOptions(), Write: write}, owner, m)
	m.Added = write.Progress.BytesPacked.Load()
	if err != nil {
		return fmt.Errorf("%d of %s stored anew; to continue, run the same command again: %w", len(m.Snapshots), output.Plural(len(anew.Snapshots), "snapshot"), err)
	}
	a.out.Summary(m, m.Text())
	return a.out.Err()
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

func newReencryption(ctx context.Context, repo *catalog.Repository, anew *copy.Anew) (*message.Reencryption, error) {
	grace, err := repo.Config.GracePeriod()
	if err != nil {
		return nil, err
	}
	m := &message.Reencryption{Domain: repo.Config.Domain, Grace: retention.Period(grace), Snapshots: []message.Reencrypted{}, Left: []string{}}
	for _, s := range anew.Left {
		m.Left = append(m.Left, s.ID.String())
	}
	for pack, err := range archive.ListPacks(ctx, repo.Store) {
		if err != nil {
			return nil, err
		}
		m.Stored += int64(pack.Size)
	}
	return m, nil
}

// makeAnew makes the new snapshots, and then forgets the old ones.
func (a *app) makeAnew(ctx context.Context, repo *catalog.Repository, anew *copy.Anew, o copy.Options, owner crypto.Signer, m *message.Reencryption) (err error) {
	o.Done = func(s *catalog.Snapshot, id archive.Name) {
		m.Snapshots = append(m.Snapshots, message.Reencrypted{ID: s.ID.String(), New: id.String()})
	}
	stop := a.out.Progress(meter.Of(o.Write.Progress))
	err = anew.Make(ctx, repo, o)
	stop()
	if err != nil {
		return err
	}
	m.Forgotten, err = anew.Finish(ctx, func(do func(*catalog.Session) error) error { return admin.Decide(ctx, repo, owner, do) })
	return err
}
