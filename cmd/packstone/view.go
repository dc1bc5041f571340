package main

import (
	"context"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/browse"
)

// viewOptions are how the flags look at a repository.
func (a *app) viewOptions() view.Options {
	return view.Options{Filter: a.filter(), AcceptRollback: a.flags.AcceptRollback, Warn: a.Warn, Note: a.Note}
}

// look reads every snapshot of a repository.
func (a *app) look(ctx context.Context, repo *catalog.Repository) (v *view.View, err error) {
	v, err = view.Look(ctx, repo, a.viewOptions())
	a.seen = v
	return v, err
}

// readLog reads the log alone.
func (a *app) readLog(ctx context.Context, repo *catalog.Repository) (*view.View, error) {
	v, err := view.ReadLog(ctx, repo, a.viewOptions())
	a.seen = v
	return v, err
}

// openToLook opens the repository to read, and looks at all that is in it.
func (a *app) openToLook(ctx context.Context) (*view.View, error) {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead)
	if err != nil {
		return nil, err
	}
	return a.look(ctx, repo)
}

// openToDecide opens the repository for decisions about snapshots, which it may not be able to
// read.
func (a *app) openToDecide(ctx context.Context) (v *view.View, err error) {
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.MayDecide)
	if err != nil {
		return nil, err
	}
	if repo.CanRead() {
		return a.look(ctx, repo)
	}
	if v, err = view.LookAtLog(ctx, repo, a.viewOptions()); err != nil {
		return nil, err
	}
	a.seen = v
	if a.job {
		return v, nil
	}
	a.Warn("without an identity only the ids of snapshots are known")
	return v, nil
}

// decider is the key with which snapshots are forgotten and packs deleted. From then on the
// repository's disk may be full.
func (a *app) decider(ctx context.Context, repo *catalog.Repository) (crypto.Signer, error) {
	if storage, ok := repo.Store.(*config.Storage); ok {
		storage.KeepReserve(ctx)
		storage.UseReserve()
	}
	return a.Decider(repo)
}

// decide writes one record of the owner or a collector.
func (a *app) decide(ctx context.Context, repo *catalog.Repository, do func(s *catalog.Session) error) error {
	signer, err := a.decider(ctx, repo)
	if err != nil {
		return err
	}
	if err := a.letForget(ctx, repo, signer); err != nil {
		return err
	}
	return admin.Decide(ctx, repo, signer, do)
}

// letForget makes sure that every program that opens the repository knows what forgetting is.
func (a *app) letForget(ctx context.Context, repo *catalog.Repository, signer crypto.Signer) error {
	return admin.LetForget(ctx, repo, signer, a.out.Note)
}

// browser looks into snapshots, for the verbs that only read.
type browser struct {
	*view.View
	*browse.Browser
	app *app
}

// browse opens the repository to look into its snapshots.
func (a *app) browse(ctx context.Context) (*browser, error) {
	v, err := a.openToLook(ctx)
	if err != nil {
		return nil, err
	}
	return &browser{v, browse.New(v.Repo, a.fetchOptions()), a}, nil
}

// checkSnapshots refuses what can be no snapshot's name, before the storage is asked.
func checkSnapshots(names []string) error {
	for _, name := range names {
		if err := catalog.CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// checkPlaces is checkSnapshots for places in snapshots.
func checkPlaces(places ...string) error {
	for _, place := range places {
		if err := catalog.CheckName(catalog.ParsePlace(place).Snapshot); err != nil {
			return err
		}
	}
	return nil
}

// place opens the repository, and finds the snapshot and sources that text names.
func (a *app) place(ctx context.Context, text string) (b *browser, at catalog.Spot, err error) {
	if err := checkPlaces(text); err != nil {
		return nil, at, err
	}
	if b, err = a.browse(ctx); err == nil {
		at, err = b.find(text)
	}
	return b, at, err
}

// find finds the snapshot and sources that text names.
func (b *browser) find(text string) (catalog.Spot, error) {
	p := catalog.ParsePlace(text)
	s, err := b.Pick(p.Snapshot, b.app.filterFor(p))
	if err != nil {
		return catalog.Spot{}, err
	}
	return p.In(s)
}

// tellRequests says with -v what was asked of the storage.
func (a *app) tellRequests(t count.Totals) {
	if a.flags.verbose > 0 {
		a.out.Note("%s", message.Requests(t))
	}
}
