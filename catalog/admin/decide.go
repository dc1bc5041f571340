package admin

import (
	"context"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// Decide writes one record of the owner or a collector.
func Decide(ctx context.Context, repo *catalog.Repository, signer crypto.Signer, do func(s *catalog.Session) error) error {
	return catalog.Again(func() error { return decideOnce(ctx, repo, signer, do) })
}

func decideOnce(ctx context.Context, repo *catalog.Repository, signer crypto.Signer, do func(s *catalog.Session) error) error {
	session, err := repo.BeginDeciding(ctx, signer)
	if err != nil {
		return err
	}
	defer session.Close()
	return do(session)
}

// LetForget makes sure that every program that opens the repository knows what forgetting is, and
// says so if that is new.
func LetForget(ctx context.Context, repo *catalog.Repository, signer crypto.Signer, note func(format string, args ...any)) error {
	before := repo.Config.Number
	if err := repo.LetForget(ctx, signer); err != nil {
		return err
	}
	if repo.Config.Number != before {
		note("from now on the repository needs a version of packstone that knows what forgetting is (configuration %d)", repo.Config.Number)
	}
	return nil
}
