package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// Rotation is a change to a new domain.
type Rotation struct {
	Before uint64   // the domain with which the repository is written
	Needed bool     // whether something was stored with it, and nobody lacks its keys; else the change to it is not over
	Lack   []string // names of the members who still need a key file of it
	Know   []string // names of those who have, or had, keys of a domain so far; the revoked ones among them
	Packs  int      // that are stored
	Bytes  int64    // of these

	repo *catalog.Repository
}

// NewRotation returns what a change to a new domain would mean. atHand are the public keys of members
// whose files are at hand, and so need not be made. It needs an identity, since nobody
// could make key files for the new domain if nobody could read its secret.
func NewRotation(ctx context.Context, repo *catalog.Repository, atHand []string) (*Rotation, error) {
	if !repo.CanRead() {
		return nil, fmt.Errorf("change to a new domain: %w", catalog.ErrNoIdentity)
	}
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	r := &Rotation{Before: repo.Config.Domain, repo: repo}
	members := slices.Concat(repo.Config.Writers, repo.Config.Collectors, repo.Config.Keepers)
	for _, m := range members {
		r.Know = append(r.Know, NameOf(m))
	}
	for _, m := range Outdated(members, repo.Config, atHand) {
		r.Lack = append(r.Lack, NameOf(m))
	}
	r.Needed = log.Uses(r.Before) && len(r.Lack) == 0
	r.Packs, r.Bytes, err = Stored(ctx, repo)
	return r, err
}

// Stored returns how many packs a repository has, and their bytes.
func Stored(ctx context.Context, repo *catalog.Repository) (packs int, bytes int64, err error) {
	for pack, err := range archive.ListPacks(ctx, repo.Store) {
		if err != nil {
			return 0, 0, err
		}
		packs, bytes = packs+1, bytes+int64(pack.Size)
	}
	return packs, bytes, nil
}

// Make changes to a new domain if that is needed. So a second call after an interrupted one does not
// make another.
func (r *Rotation) Make(ctx context.Context, owner crypto.Signer) error {
	if !r.Needed {
		return nil
	}
	return r.repo.AddDomain(ctx, owner)
}

// RenewWriter returns a writer's key file with the keys of the present domain: the writer keeps its
// name and its signing key. It returns nil if the owner does not admit the key, or if the file needs
// no change.
func RenewWriter(repo *catalog.Repository, key *crypto.WriterFile) (*crypto.WriterFile, error) {
	if key == nil || uint64(key.DomainNumber) == repo.Config.Domain || !admits(repo.Config.Writers, key.Signer) {
		return nil, nil
	}
	domain, err := repo.Domain(repo.Config.Domain)
	if err != nil {
		return nil, err
	}
	next := *key
	next.DomainNumber, next.Domain = int(repo.Config.Domain), domain
	next.Recipients, err = repo.Config.AgeRecipients()
	return &next, err
}

// RenewCollector returns a collector's or keeper's key file that opens the index runs and refs of
// all domains. It returns nil if the owner does not admit the key, or if the file needs no change.
func RenewCollector(repo *catalog.Repository, key *crypto.CollectorFile) (*crypto.CollectorFile, error) {
	if key == nil || key.Index[int(repo.Config.Domain)] != nil || !admits(slices.Concat(repo.Config.Collectors, repo.Config.Keepers), key.Signer) {
		return nil, nil
	}
	next := *key
	var err error
	next.Index, err = indexIdentities(repo)
	return &next, err
}

func admits(members []catalog.Member, key crypto.Signer) bool {
	return slices.ContainsFunc(members, func(m catalog.Member) bool { return m.Revoked == nil && m.Key == key.Verifier().Text() })
}

// Outdated returns the members whose key files lack the keys of the present domain. It leaves out
// those with the public keys renewed, whose files were renewed.
func Outdated(members []catalog.Member, c *catalog.Config, renewed []string) (list []catalog.Member) {
	for _, m := range members {
		if c.IsOutdated(m) && !slices.Contains(renewed, m.Key) {
			list = append(list, m)
		}
	}
	return list
}

// Reissue makes new key files for outdated members. It calls keep with each file, under the name of
// the new member, and then signs the config that admits that member in the place of the old one,
// with its hosts, group and roles. It calls done for each. keep may be called again, with another
// key, for a name that was not admitted since the call was interrupted.
func Reissue(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, o Reissuing) error {
	for _, old := range Outdated(repo.Config.Writers, repo.Config, o.Renewed) {
		key, err := NewWriterKey(repo, nextName(repo, old))
		if err != nil {
			return err
		}
		next, err := Successor(repo, NameOf(old))
		if err != nil {
			return err
		}
		next.Key = key.Signer.Verifier().Text()
		if err := Replace(ctx, repo, owner, next, o.keeping(key.Signer.Name(), key)); err != nil {
			return err
		}
		o.Done(old, next)
	}
	if err := o.reissue(ctx, repo, owner, func(c *catalog.Config) *[]catalog.Member { return &c.Collectors }); err != nil {
		return err
	}
	return o.reissue(ctx, repo, owner, func(c *catalog.Config) *[]catalog.Member { return &c.Keepers })
}

// Reissuing is what Reissue needs.
type Reissuing struct {
	Renewed []string // public keys of members whose files were renewed
	Keep    func(name string, file []byte) error
	Done    func(old, next catalog.Member)
}

// reissue is Reissue for the collectors or the keepers.
func (o Reissuing) reissue(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, of func(*catalog.Config) *[]catalog.Member) error {
	for _, old := range Outdated(*of(repo.Config), repo.Config, o.Renewed) {
		key, err := NewCollectorKey(repo, nextName(repo, old))
		if err != nil {
			return err
		}
		next := catalog.Member{Key: key.Signer.Verifier().Text(), Roles: old.Roles, Replaces: NameOf(old)}
		last, err := lastOfDecider(ctx, repo)
		if err != nil {
			return err
		}
		err = admit(o.keeping(key.Signer.Name(), key), func() error {
			return repo.Change(ctx, owner, func(c *catalog.Config) error {
				members := of(c)
				*members = append(*members, next)
				i := slices.IndexFunc(*members, func(m catalog.Member) bool { return m.Key == old.Key })
				(*members)[i].Revoked = last
				return nil
			})
		})
		if err != nil {
			return err
		}
		o.Done(old, next)
	}
	return nil
}

// keeping keeps a key file, and never drops it: after an error nobody knows whether its holder was
// admitted.
func (o Reissuing) keeping(name string, key interface{ Encode() ([]byte, error) }) Keep {
	return func() (func() error, error) {
		text, err := key.Encode()
		if err != nil {
			return nil, err
		}
		return func() error { return nil }, o.Keep(name, text)
	}
}

// nextName returns a free name for the member that takes the place of another one, which may itself
// have taken that of another.
func nextName(repo *catalog.Repository, old catalog.Member) string {
	all := slices.Concat(repo.Config.Writers, repo.Config.Collectors, repo.Config.Keepers)
	first := NameOf(old)
	for range all {
		i := slices.IndexFunc(all, func(m catalog.Member) bool { return NameOf(m) == first })
		if i < 0 || all[i].Replaces == "" {
			break
		}
		first = all[i].Replaces
	}
	return FreeName(repo, first, first)
}
