package catalog

import (
	"context"
	"maps"
	"slices"

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

// Successor returns the snapshot that the session's writer has made of one of an earlier domain, nil
// if there is none that counts. It opens only commits of the same moment.
func (s *Session) Successor(ctx context.Context, old *Snapshot) (*Snapshot, error) {
	like := s.Log.commits(func(f *Fate) bool { return f.Gone(s.Log.now).IsZero() })
	like = slices.DeleteFunc(like, func(rec *Record) bool {
		return rec.Lane.Writer != s.signer.Name() || rec.Domain != uint64(s.writer.DomainNumber) || !rec.Time.Equal(old.Claimed)
	})
	made, _, err := s.repo.readSnapshots(ctx, s.Log, like)
	if err != nil {
		return nil, err
	}
	for _, m := range made {
		if m.Replaces == old.ID.String() {
			return m, nil
		}
	}
	return nil, nil
}

// Former returns who was a recipient since the repository is written with the present domain, and is
// no more: they can read what is of this domain.
func (c *Config) Former() (former []string) {
	for _, recipient := range slices.Sorted(maps.Keys(c.chain.readers)) {
		if !slices.Contains(c.Recipients, recipient) {
			former = append(former, recipient)
		}
	}
	return former
}
