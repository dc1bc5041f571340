package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/check"
)

// repairFromCopy stores again the chunks that are lost, from another repository that has copies of
// the snapshots.
func (a *app) repairFromCopy(ctx context.Context, repo *catalog.Repository, other *machine.Machine) error {
	if !repo.CanRead() {
		return fmt.Errorf("what is lost is compared with what a copy has: %w", catalog.ErrNoIdentity)
	}
	from, _, err := other.OpenRepository(ctx, machine.MustRead)
	if err != nil {
		return fmt.Errorf("to repair from: %w", err)
	}
	before, err := a.readAll(ctx, repo)
	if err != nil {
		return err
	}
	return a.mend(ctx, repo, before, func() error { return a.takeBack(ctx, repo, from, before.Lost) })
}

// takeBack mends what is lost. While the list of files is lost, nothing tells what all of them need:
// so when there is one again, it looks a second time.
func (a *app) takeBack(ctx context.Context, repo, from *catalog.Repository, lost []check.Lost) error {
	if len(lost) == 0 {
		return nil
	}
	by, err := a.mover(ctx, repo)
	if err != nil {
		return err
	}
	mended, err := a.takeOnce(ctx, repo, from, lost, by)
	if err == nil && mended.Stored > 0 && slices.ContainsFunc(lost, func(l check.Lost) bool { return l.Chunk.Place.Pack.Kind == archive.Trees }) {
		var now *check.Report
		if now, err = a.readAll(ctx, repo); err == nil {
			mended, err = a.takeOnce(ctx, repo, from, now.Lost, by)
		}
	}
	for _, f := range mended.Left {
		a.out.Problem(f.Object, "repair", f.Err)
	}
	return err
}

func (a *app) takeOnce(ctx context.Context, repo, from *catalog.Repository, lost []check.Lost, by crypto.Signer) (*check.Mended, error) {
	o := check.MendOptions{Fetch: a.fetchOptions(), Progress: new(pipeline.Progress)}
	stop := a.out.Progress(meter.Of(o.Progress))
	mended, err := check.Mend(ctx, repo, from, lost, by, o)
	stop()
	if mended.Stored > 0 {
		a.out.Note("stored %s again (%s), from %s", output.Plural(mended.Stored, "chunk"), output.Bytes(int64(mended.Bytes)), from.Store.Location())
	}
	return mended, err
}

// mover is the key of the owner or of a collector on whom hosts rely, and the repository allows what
// it will do.
func (a *app) mover(ctx context.Context, repo *catalog.Repository) (crypto.Signer, error) {
	by, err := a.Decider(repo)
	if err != nil {
		return by, err
	}
	if err := repo.MayMove(by); err != nil {
		return by, fmt.Errorf("%w: use the owner's key, or a collector made with packstone key collector add NAME --repack", err)
	}
	if err := a.letForget(ctx, repo, by); err != nil {
		return by, err
	}
	return by, repo.LetMove(ctx, by)
}
