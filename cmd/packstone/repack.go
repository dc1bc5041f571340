package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/pipeline/collect"
)

// repackFlags say whether packs are copied anew of which a part is dead.
type repackFlags struct {
	repack bool
	most   flagvalue.Size
}

func (f *repackFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.repack, "repack", false, "copy used data out of packs that are mostly unused; needs an identity")
	flags.Var(&f.most, "max-repack-size", "with --repack, read at most this `size` of packs, such as 20GiB")
}

func (f *repackFlags) check(other bool) error {
	switch {
	case f.repack && other:
		return usage("--repack goes with none of --plan, --apply and --explain; -n says what it would do")
	case !f.repack && f.most > 0:
		return usage("--max-repack-size is for --repack")
	}
	return nil
}

// defaultUnused is the share of what is stored that --repack leaves dead.
const defaultUnused = 0.05

func (a *app) repackOptions(repo *catalog.Repository, o pruneOptions) *collect.Repack {
	if !o.repack {
		return nil
	}
	share := defaultUnused
	if o.maxUnused.Given {
		share = o.maxUnused.Percent / 100
	}
	var archiver store.Archiver
	if storage, ok := repo.Store.(*config.Storage); ok {
		archiver = storage.Archiver()
	}
	return &collect.Repack{Archiver: archiver, Share: share, Most: int64(o.most), Fetch: a.fetchOptions()}
}

// letRepack makes sure, before anything is done, that packs can be copied anew if that was asked
// for.
func (a *app) letRepack(ctx context.Context, repo *catalog.Repository, run collect.Options) error {
	if run.Repack == nil {
		return nil
	}
	if !repo.CanRead() {
		return fmt.Errorf("--repack reads contents: %w", catalog.ErrNoIdentity)
	}
	if err := repo.MayMove(run.By); err != nil {
		return fmt.Errorf("%w: use the owner's key, or a collector made with packstone key collector add NAME --repack", err)
	}
	before := repo.Config.Number
	if err := repo.LetMove(ctx, run.By); err != nil {
		return err
	}
	if repo.Config.Number != before {
		a.out.Note("from now on the repository needs a version of packstone that knows what copied packs are (configuration %d)", repo.Config.Number)
	}
	return nil
}

// planRepack says what --repack would do.
func (a *app) planRepack(ctx context.Context, repo *catalog.Repository, t catalog.Term, o pruneOptions) (message.Repack, error) {
	options := a.repackOptions(repo, o)
	if options == nil {
		return message.Repack{}, nil
	}
	plan, err := collect.PlanThinning(ctx, repo, t, options.Share, options.Most, options.Archiver)
	if errors.Is(err, catalog.ErrNoIdentity) {
		err = fmt.Errorf("--repack reads contents: %w", err)
	}
	if err != nil {
		return message.Repack{}, err
	}
	return message.RepackPlanOf(plan), nil
}
