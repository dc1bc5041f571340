package main

import (
	"context"
	"errors"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
)

// maxDecisions bounds how often a decision is tried anew since something else has ended its session.
const maxDecisions = 4

// decide writes one record of the owner or a collector.
func (a *app) decide(ctx context.Context, repo *catalog.Repository, do func(s *catalog.Session) error) error {
	signer, err := a.Decider(repo)
	if err != nil {
		return err
	}
	if err := a.letForget(ctx, repo, signer); err != nil {
		return err
	}
	for range maxDecisions {
		if err = decideOnce(ctx, repo, signer, do); !errors.Is(err, catalog.ErrRestart) {
			return err
		}
	}
	return err
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

func decideOnce(ctx context.Context, repo *catalog.Repository, signer crypto.Signer, do func(s *catalog.Session) error) error {
	session, err := repo.BeginDeciding(ctx, signer)
	if err != nil {
		return err
	}
	defer session.Close()
	return do(session)
}

// lookToDecide opens the repository for decisions about snapshots, which it may not be able to read.
func (a *app) lookToDecide(ctx context.Context) (*view, error) {
	repo, _, err := a.openRepository(ctx, machine.MayRead|machine.MayWrite|machine.MayDecide)
	if err != nil {
		return nil, err
	}
	if repo.CanRead() {
		return a.look(ctx, repo)
	}
	log, err := a.readLog(ctx, repo)
	if err != nil {
		return nil, err
	}
	v := &view{app: a, repo: repo, log: log}
	v.doubts, err = a.doubts(ctx, repo, log, nil)
	a.out.Warn(output.Warning{Message: "without an identity snapshots are known by their ids alone"})
	return v, err
}
