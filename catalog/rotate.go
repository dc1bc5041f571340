package catalog

import (
	"context"

	"github.com/packstone/packstone/crypto"
)

// AddDomain makes a new domain, seals its secret to the recipients, and signs a config under which
// the repository is written with it. From then on Writer refuses key files of earlier domains. An
// interrupted call may leave a sealed secret that no config names. Like Change it must not run
// concurrently with other methods.
func (r *Repository) AddDomain(ctx context.Context, owner crypto.Signer) error {
	recipients, err := r.Config.AgeRecipients()
	if err != nil {
		return err
	}
	domain, err := crypto.NewDomain(r.Format.Repository)
	if err != nil {
		return err
	}
	number := uint64(len(r.Config.Domains)) + 1
	object, sum, err := r.storeDomain(ctx, number, domain, recipients)
	if err != nil {
		return err
	}
	err = r.Change(ctx, owner, func(c *Config) error {
		if err := c.addDomain(domain, object); err != nil {
			return err
		}
		c.Domains[number-1].SHA256 = sum
		return nil
	})
	if err == nil {
		r.domains[number] = domain
	}
	return err
}

// Uses reports whether something was stored with the keys of a domain.
func (l *Log) Uses(domain uint64) bool {
	for _, rec := range l.Namers() {
		if rec.Domain == domain && len(rec.Index) > 0 {
			return true
		}
	}
	return false
}

// IsOutdated reports whether a member's key file was made before the domain with which the
// repository is written. Such a file does not have that domain's keys, unless it was made anew for
// the same key.
func (c *Config) IsOutdated(m Member) bool {
	return m.Revoked == nil && c.chain.tenures[m.Key].since < c.chain.rotated
}
