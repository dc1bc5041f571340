package catalog

import (
	"context"
	"fmt"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// AddDomain makes a new domain, and signs a config after which key files are made for it. Hosts
// write to the domain of their key file, so each goes on with its old domain until it gets another
// one. It needs the owner's key only.
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
		if c.Domain+1 != number {
			return fmt.Errorf("add domain %d: the configuration has %d: %w", number, c.Domain, ErrUntrusted)
		}
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

// storeDomain stores a domain's secret for the next config, sealed to recipients, and returns the
// object's name and SHA-256. An earlier failed try may have left an object for this config that is
// sealed to others, so the name depends on the content.
func (r *Repository) storeDomain(ctx context.Context, number uint64, domain crypto.Domain, recipients []age.Recipient) (object, sum string, err error) {
	sealed, err := r.sealDomain(number, domain, recipients)
	if err != nil {
		return "", "", err
	}
	object = domainName(number, r.nextNumber()) + "-" + hash(sealed)[:16]
	return object, hash(sealed), r.putDomain(ctx, object, sealed)
}

// Stored returns how many packs there are, and their bytes.
func (r *Repository) Stored(ctx context.Context) (packs int, bytes int64, err error) {
	for _, kind := range []archive.Kind{archive.Data, archive.Trees} {
		for info, err := range r.Store.List(ctx, string(kind)+"/", "") {
			if err != nil {
				return 0, 0, fmt.Errorf("list %s: %w", kind, err)
			}
			packs, bytes = packs+1, bytes+info.Size
		}
	}
	return packs, bytes, nil
}
