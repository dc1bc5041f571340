package admin

import (
	"context"
	"errors"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// maxDecisions bounds how often a decision is tried anew since something else has ended its
// session.
const maxDecisions = 4

// Decide writes one record of the owner or a collector.
func Decide(ctx context.Context, repo *catalog.Repository, signer crypto.Signer, do func(s *catalog.Session) error) (err error) {
	for range maxDecisions {
		if err = decideOnce(ctx, repo, signer, do); !errors.Is(err, catalog.ErrRestart) {
			return err
		}
	}
	return err
}

func decideOnce(ctx context.Context, repo *catalog.Repository, signer crypto.Signer, do func(s *catalog.Session) error) error {
	session, err := repo.BeginDeciding(ctx, signer)
	if err != nil {
		return err
	}
	defer session.Close()
	return do(session)
}
