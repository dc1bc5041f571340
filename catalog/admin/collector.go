package admin

import (
	"context"
	"fmt"

	"filippo.io/age"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// NewCollectorKey makes the key file of a collector that is not admitted yet. It opens the reference
// maps of all domains.
func NewCollectorKey(repo *catalog.Repository, name string) (*crypto.CollectorFile, error) {
	if err := checkNewName(repo, name); err != nil {
		return nil, err
	}
	key := &crypto.CollectorFile{Repository: repo.Format.Repository, Owner: repo.Owner(), Classic: repo.Config.Classic, Index: map[int]age.Identity{}}
	for _, d := range repo.Config.Domains {
		domain, err := repo.Domain(d.Number)
		if err != nil {
			return nil, fmt.Errorf("admit collector %s: %w, or the key file of a host", name, err)
		}
		if key.Index[int(d.Number)], _, err = domain.IndexIdentity(repo.Config.Classic); err != nil {
			return nil, err
		}
	}
	var err error
	if key.Signer, err = crypto.GenerateSigner(name); err != nil {
		return nil, catalog.Misuse("collector %s: %w", entry.Printable(name), err)
	}
	return key, nil
}

// AdmitCollector keeps the key of a collector, where keep is not nil, and then signs the configuration that admits it and lets it forget.
func AdmitCollector(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, m catalog.Member, keep Keep) error {
	return admit(keep, func() error {
		return repo.Change(ctx, owner, func(c *catalog.Config) error {
			c.Collectors = append(c.Collectors, m)
			c.LetForget()
			return nil
		})
	})
}
