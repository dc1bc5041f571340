package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// NewCollectorKey makes the key file of a collector who is not admitted yet. It opens the index
// runs and refs of all domains.
func NewCollectorKey(repo *catalog.Repository, name string) (*crypto.CollectorFile, error) {
	if err := checkNewName(repo, name); err != nil {
		return nil, err
	}
	key := &crypto.CollectorFile{Repository: repo.Format.Repository, Owner: repo.Owner(), Classic: repo.Config.Classic}
	var err error
	if key.Index, err = indexIdentities(repo); err != nil {
		return nil, fmt.Errorf("admit collector %s: %w", name, err)
	}
	if key.Signer, err = crypto.GenerateSigner(name); err != nil {
		return nil, catalog.Misuse("collector %s: %w", entry.Printable(name), err)
	}
	return key, nil
}

// indexIdentities returns the index identities of all domains, by their numbers.
func indexIdentities(repo *catalog.Repository) (map[int]age.Identity, error) {
	identities := map[int]age.Identity{}
	for _, d := range repo.Config.Domains {
		domain, err := repo.Domain(d.Number)
		if errors.Is(err, catalog.ErrNoIdentity) && len(repo.Config.Domains) == 1 {
			err = fmt.Errorf("%w, or the key file of a host", err)
		}
		if err != nil {
			return nil, err
		}
		if identities[int(d.Number)], _, err = domain.IndexIdentity(repo.Config.Classic); err != nil {
			return nil, err
		}
	}
	return identities, nil
}

// AdmitCollector calls keep, unless nil, to store the collector's key, and then signs the config
// that admits the collector and lets it forget.
func AdmitCollector(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, m catalog.Member, keep Keep) error {
	return admit(keep, func() error {
		return repo.Change(ctx, owner, func(c *catalog.Config) error {
			c.Collectors = append(c.Collectors, m)
			c.LetForget()
			return nil
		})
	})
}

// AdmitKeeper calls keep, unless nil, to store the keeper's key, and then signs the config that
// names the keeper. A keeper signs nothing, so that the config gives it no right.
func AdmitKeeper(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, m catalog.Member, keep Keep) error {
	return admit(keep, func() error {
		return repo.Change(ctx, owner, func(c *catalog.Config) error {
			c.Keepers = append(c.Keepers, m)
			return nil
		})
	})
}

// lastOfCollector returns up to which records a collector's signatures count if it is revoked now:
// all that exist.
func lastOfCollector(ctx context.Context, repo *catalog.Repository, name string) (map[string]uint64, error) {
	i := collectorAt(repo.Config, name)
	switch {
	case i < 0:
		return nil, catalog.Misuse("this repository has no collector %s; packstone key collector list shows them", entry.Printable(name))
	case repo.Config.Collectors[i].Revoked != nil:
		return nil, catalog.Refuse("collector %s is revoked already", name)
	}
	return lastOfDecider(ctx, repo)
}

// lastOfDecider returns the last records of all lanes, and the last round and roll.
func lastOfDecider(ctx context.Context, repo *catalog.Repository) (map[string]uint64, error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	rounds, err := repo.ReadRounds(ctx)
	if err != nil {
		return nil, err
	}
	last := log.LastOfAll() // it may have ended sessions in any lane
	last["gc"], last["roll"] = rounds.Next()-1, log.Roll()
	return last, nil
}

// Revocation is a writer or a collector that is about to be revoked.
type Revocation struct {
	Name string
	Last map[string]uint64 // by lane, its last record that counts
	sign func(ctx context.Context) error
}

// NewRevocation returns what revoking a writer or a collector would mean. It fails with
// catalog.ErrMisuse if there is none of this name, and with catalog.ErrRefused if it is revoked
// already.
func NewRevocation(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, kind Kind, name string) (*Revocation, error) {
	if kind == KindWriter {
		w, err := OpenWriter(ctx, repo, owner, name)
		if err != nil {
			return nil, err
		}
		return &Revocation{Name: name, Last: w.Last(), sign: w.Revoke}, nil
	}
	last, err := lastOfCollector(ctx, repo, name)
	return &Revocation{Name: name, Last: last, sign: func(ctx context.Context) error {
		return repo.Change(ctx, owner, func(c *catalog.Config) error {
			c.Collectors[collectorAt(c, name)].Revoked = last
			return nil
		})
	}}, err
}

// Sign signs a config after which nothing counts that the member signs after its last records.
func (r *Revocation) Sign(ctx context.Context) error { return r.sign(ctx) }

func collectorAt(c *catalog.Config, name string) int {
	return slices.IndexFunc(c.Collectors, func(m catalog.Member) bool { return m.Name() == name })
}
