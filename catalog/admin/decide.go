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
