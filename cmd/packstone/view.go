package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
)

// viewOptions are how the flags look at a repository.
func (a *app) viewOptions() view.Options {
	return view.Options{Filter: a.filter(), AcceptRollback: a.flags.AcceptRollback, Warn: a.Warn, Note: a.Note}
}

// look reads every snapshot of a repository.
func (a *app) look(ctx context.Context, repo *catalog.Repository) (*view.View, error) {
	v, err := view.Look(ctx, repo, a.viewOptions())
	a.seen = v
	if err == nil {
		a.tellUnknown("host", a.flags.host, v.Snapshots, func(s *catalog.Snapshot) string { return s.Host })
		a.tellUnknown("set", a.flags.set, v.Snapshots, func(s *catalog.Snapshot) string { return s.Set })
	}
	return v, err
}

// tellUnknown warns of a name that no snapshot has.
func (a *app) tellUnknown(what, name string, snapshots []*catalog.Snapshot, of func(s *catalog.Snapshot) string) {
	var known []string
	for _, s := range snapshots {
		known = append(known, output.Name(of(s)).String())
		if of(s) == name {
			return
		}
	}
	if name == "" || len(snapshots) == 0 {
		return
	}
	slices.Sort(known)
	known = slices.DeleteFunc(slices.Compact(known), func(k string) bool { return k == "" })
	if len(known) == 0 {
		known = []string{"none"}
	}
	a.Warn(fmt.Sprintf("no snapshot is of %s %s; these are known: %s", what, output.Name(name), strings.Join(known, ", ")))
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
	before := repo.Config.Number
	if err := repo.LetForget(ctx, signer); err != nil {
		return err
	}
	if repo.Config.Number != before {
		a.out.Note("from now on the repository needs a version of packstone that knows what forgetting is (configuration %d)", repo.Config.Number)
	}
	return nil
}
