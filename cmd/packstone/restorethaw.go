package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/thaw"
)

// thawFlags say what to do about packs that the storage has archived.
type thawFlags struct {
	ask  bool
	wait bool
	days int
	tier string
}

var tiers = map[string]store.Tier{"standard": store.Standard, "bulk": store.Bulk, "expedited": store.Expedited}

// thawDays is for how long packs are readable unless a person says otherwise.
const thawDays = 7

func (f *thawFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.ask, "thaw", false, "ask the storage to thaw packs that it has archived, such as in GLACIER; the storage bills it")
	flags.IntVar(&f.days, "thaw-days", thawDays, "with --thaw, keep them readable for `n` days")
	flags.StringVar(&f.tier, "thaw-tier", "standard", "with --thaw, how fast, and so at what price: the `tier` standard, bulk or expedited")
	flags.BoolVar(&f.wait, "thaw-wait", false, "with --thaw, wait until they are thawed, which takes hours, and restore then")
}

func (f *thawFlags) check() error {
	switch {
	case !f.ask && (f.wait || f.days != thawDays || f.tier != "standard"):
		return usage("--thaw-days, --thaw-tier and --thaw-wait go with --thaw")
	case tiers[f.tier] == "":
		return usage("--thaw-tier %s: want standard, bulk or expedited", f.tier)
	case f.days < 1:
		return usage("--thaw-days %d: want at least 1", f.days)
	}
	return nil
}

// thawPlan finds out which packs of what comes back the storage must thaw. Unless sure is set, it
// asks about one pack first, and about the others only if that is of a class that needs a thaw.
func (r *restoring) thawPlan(ctx context.Context, sure bool) (plan thaw.Plan, err error) {
	at, err := r.from.In(r.snapshot)
	if err != nil {
		return plan, err
	}
	var needs thaw.Needs
	r.legs.Path = at.Path
	if err := r.legs.Contents(ctx, at.Sources, needs.Add); err != nil {
		return plan, err
	}
	if !sure {
		return needs.PlanIfCold(ctx, r.storage.Archiver())
	}
	return needs.Plan(ctx, r.storage.Archiver())
}

// thawFirst makes sure, before anything is changed, that what comes back can be read, where the
// storage archives packs or somebody asks for it.
func (r *restoring) thawFirst(ctx context.Context) (err error) {
	sure := r.o.thaw.ask || store.Class(r.storage.Classes.Packs).NeedsThaw()
	switch storage := r.storage.Archiver(); {
	case storage == nil && r.o.thaw.ask:
		return usage("--thaw: %s has no storage classes, as only a bucket has that is read as it is now", r.storage.Location())
	case storage == nil || !sure && !r.dry():
		return nil
	}
	if r.frozen, err = r.thawPlan(ctx, sure); err != nil || r.frozen.Packs == 0 {
		return err
	}
	switch {
	case r.dry():
		r.out.Note("%s", r.mustThaw())
		return nil
	case r.o.thaw.ask:
		return r.askForThaw(ctx)
	}
	return exitWith(exitArchived, "refused before anything was changed: %s", r.mustThaw())
}

// mustThaw says what must be thawed, and how to go on.
func (r *restoring) mustThaw() string {
	p := r.frozen
	text := "the storage has archived " + p.String() + ", " + output.Bytes(p.Bytes) + ", and must thaw them first"
	if p.Thawing == p.Packs {
		return text + "; it was asked to, and is doing so. Repeat this command when it is done; with --thaw --thaw-wait it waits for that"
	}
	return text + ", which it bills. Ask for it by repeating this command with --thaw; -n says what a restore needs"
}

// tellFrozen completes the error of a restore that has met an archived pack.
func (r *restoring) tellFrozen(ctx context.Context, err error) error {
	if !errors.Is(err, store.ErrArchived) || r.storage.Archiver() == nil {
		return err
	}
	var failed error
	if r.frozen, failed = r.thawPlan(ctx, true); failed != nil || r.frozen.Packs == 0 {
		return errors.Join(err, failed)
	}
	return exitWith(exitArchived, "%s", r.mustThaw())
}

// askForThaw asks the storage to thaw what must be, and waits for it if a person wants that.
func (r *restoring) askForThaw(ctx context.Context) error {
	o, storage := r.o.thaw, r.storage.Archiver()
	asked, err := r.frozen.Ask(ctx, storage, store.Thaw{Days: o.days, Tier: tiers[o.tier]})
	if asked > 0 {
		r.out.Note("asked the storage to thaw %s for %s, tier %s", output.Plural(asked, "pack"), output.Plural(o.days, "day"), o.tier)
	}
	switch {
	case err != nil:
		return err
	case o.wait:
		return r.frozen.Wait(ctx, storage, r.pauseThaw)
	}
	return exitWith(exitArchived, "the storage is thawing %s, %s, which takes minutes to days: repeat this command when it is done; with --thaw-wait it waits for that",
		r.frozen, output.Bytes(r.frozen.Bytes))
}

// thawLook is how often a restore that waits looks whether its packs are thawed.
const thawLook = 5 * time.Minute

// pauseThaw waits until it is time to look again.
func (r *restoring) pauseThaw(ctx context.Context, left thaw.Plan) error {
	r.out.Note("waiting for the storage to thaw %s, %s", left, output.Bytes(left.Bytes))
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(thawLook):
		return nil
	}
}
