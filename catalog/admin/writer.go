// Package admin decides who may do what with a repository: which hosts write to it and which hosts
// they may back up, who can read it, and what the credentials of a bucket allow. The owner's key
// signs what it changes.
package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// NewWriterKey makes the key file of a writer who is not admitted yet. It fails with
// catalog.ErrRefused if the name is taken.
func NewWriterKey(repo *catalog.Repository, name string) (*crypto.WriterFile, error) {
	if err := checkNewName(repo, name); err != nil {
		return nil, err
	}
	domain, err := repo.Domain(repo.Config.Domain)
	if err != nil {
		return nil, fmt.Errorf("admit writer %s: %w, or the key file of a writer", name, err)
	}
	recipients, err := repo.Config.AgeRecipients()
	if err != nil {
		return nil, err
	}
	signer, err := crypto.GenerateSigner(name)
	if err != nil {
		return nil, catalog.Misuse("host %s: %w", entry.Printable(name), err)
	}
	return &crypto.WriterFile{
		Repository: repo.Format.Repository, Signer: signer, Owner: repo.Owner(),
		DomainNumber: int(repo.Config.Domain), Domain: domain, Classic: repo.Config.Classic, Recipients: recipients,
	}, nil
}

// FreeName returns the name for a host's writer: that of the host, or if that was revoked, or is the
// one that is replaced, the first of name-2, name-3 and so on that nobody has had.
func FreeName(repo *catalog.Repository, name, replaced string) string {
	revoked, taken := name == replaced, map[string]bool{}
	for _, m := range slices.Concat(repo.Config.Writers, repo.Config.Collectors, repo.Config.Keepers) {
		taken[NameOf(m)] = true
		revoked = revoked || NameOf(m) == name && m.Revoked != nil
	}
	free := name
	for n := 2; revoked && taken[free]; n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	return free
}

// checkNewName refuses the name of a member, since records of two keys in one lane could not be
// told apart. It also refuses a name that is another's plus a dot and more: a bucket policy for the
// shorter name, log/NAME.*, would let its holder block the other's records.
func checkNewName(repo *catalog.Repository, name string) error {
	if name == repo.Owner().Name() {
		return catalog.Refuse("%s is the name of the repository's owner; choose another", name)
	}
	for _, m := range slices.Concat(repo.Config.Writers, repo.Config.Collectors, repo.Config.Keepers) {
		taken := NameOf(m)
		if taken == name && m.Revoked != nil {
			return catalog.Refuse("%s was revoked, and its name stays taken; choose another, such as %s-2", name, name)
		}
		if taken == name {
			return catalog.Refuse("%s is admitted already: choose another name, or use the key file that it has", name)
		}
		if short, long := min(taken, name), max(taken, name); strings.HasPrefix(long, short+".") {
			return catalog.Refuse("%s cannot be used beside %s: a bucket policy for %s would also apply to %s; choose another name, such as %s",
				name, taken, short, long, undotted(name))
		}
	}
	return nil
}

// undotted returns another name, without dots.
func undotted(name string) string {
	if strings.Contains(name, ".") {
		return strings.ReplaceAll(name, ".", "-")
	}
	return name + "-2"
}

// NameOf returns the name that a member signs with, even if its key cannot be read.
func NameOf(m catalog.Member) string {
	name, _, _ := strings.Cut(m.Key, "+")
	return name
}

// HostsOf returns the hosts that a writer may speak for by default: the host for which it is
// admitted, and that host's name in the form of a writer's name.
func HostsOf(host string) []string { return slices.Compact([]string{host, catalog.WriterName(host)}) }

// Keep stores a key before its holder is admitted. drop deletes it again.
type Keep func() (drop func() error, err error)

// Admit calls keep, unless nil, to store the writer's key, and then signs the config that admits
// the writer. If signing fails it drops the key, which does no harm. An admission without a stored
// key would waste the name.
func Admit(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, m catalog.Member, keep Keep) error {
	return admit(keep, func() error {
		return repo.Change(ctx, owner, func(c *catalog.Config) error {
			c.Writers = append(c.Writers, m)
			return nil
		})
	})
}

// Replace is Admit for a writer that takes the place of another one, whose name is m.Replaces. The
// same config revokes that one, unless it is revoked already: what it has written still counts, and
// the new writer relies on it.
func Replace(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, m catalog.Member, keep Keep) error {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return err
	}
	return admit(keep, func() error {
		return repo.Change(ctx, owner, func(c *catalog.Config) error {
			i := slices.IndexFunc(c.Writers, func(w catalog.Member) bool { return NameOf(w) == m.Replaces })
			if i < 0 {
				return noWriter(m.Replaces)
			}
			if c.Writers[i].Revoked == nil {
				c.Writers[i].Revoked = log.LastOf(m.Replaces)
			}
			c.Writers = append(c.Writers, m)
			return nil
		})
	})
}

// Successor returns the writer that takes the place of another one, with that one's hosts, group and
// roles, but for its key. It fails with catalog.ErrMisuse if there is no such writer, and with
// catalog.ErrRefused if another key has taken its place already.
func Successor(repo *catalog.Repository, name string) (catalog.Member, error) {
	for _, m := range repo.Config.Writers {
		if m.Replaces == name && m.Revoked == nil {
			return catalog.Member{}, catalog.Refuse("writer %s was replaced by %s already; replace that one", name, NameOf(m))
		}
	}
	for _, m := range repo.Config.Writers {
		if NameOf(m) == name {
			return catalog.Member{Hosts: m.Hosts, Group: m.Group, Roles: m.Roles, Replaces: name}, nil
		}
	}
	return catalog.Member{}, noWriter(name)
}

func noWriter(name string) error {
	return catalog.Misuse("this repository has no writer %s", entry.Printable(name))
}

// admit stores a key and signs the admission.
func admit(keep Keep, sign func() error) error {
	drop := func() error { return nil }
	if keep != nil {
		var err error
		if drop, err = keep(); err != nil {
			return err
		}
	}
	if err := sign(); err != nil {
		return errors.Join(err, drop())
	}
	return nil
}

// Writer is a writer that the owner is about to change.
type Writer struct {
	catalog.Member
	repo  *catalog.Repository
	owner crypto.Signer
	log   *catalog.Log
	index int // in the configuration's writers
}

// OpenWriter returns a writer. It fails with catalog.ErrMisuse if there is none of this name, and
// with catalog.ErrRefused if it is revoked.
func OpenWriter(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, name string) (*Writer, error) {
	i := slices.IndexFunc(repo.Config.Writers, func(m catalog.Member) bool { return NameOf(m) == name })
	switch {
	case i < 0:
		return nil, noWriter(name)
	case repo.Config.Writers[i].Revoked != nil:
		return nil, catalog.Refuse("writer %s is revoked already", name)
	}
	log, err := repo.ReadLog(ctx)
	return &Writer{Member: repo.Config.Writers[i], repo: repo, owner: owner, log: log, index: i}, err
}

// Last returns the last records of the writer's lanes, up to which its records count once it is
// revoked.
func (w *Writer) Last() map[string]uint64 { return w.log.LastOf(NameOf(w.Member)) }

// Revoke signs a config after which nothing counts that the writer writes later.
func (w *Writer) Revoke(ctx context.Context) error {
	next := w.Member
	next.Revoked = w.Last()
	return w.Set(ctx, next)
}

// Terms are what an owner grants a writer. A nil field means no change.
type Terms struct {
	Hosts, Roles *[]string
	Group        *string
}

// grant gives a member the group and the roles of the terms.
func (t Terms) grant(m *catalog.Member) {
	if t.Group != nil {
		m.Group = *t.Group
	}
	if t.Roles != nil {
		m.Roles = *t.Roles
	}
}

// With returns the writer under other terms. The standing of what it has written stays the same.
func (w *Writer) With(t Terms) catalog.Member {
	next := w.Member
	t.grant(&next)
	if t.Hosts != nil && !slices.Equal(*t.Hosts, next.Hosts) {
		next.Rebind(*t.Hosts, w.log)
	}
	return next
}

// Set signs a config with the writer changed to next.
func (w *Writer) Set(ctx context.Context, next catalog.Member) error {
	return w.repo.Change(ctx, w.owner, func(c *catalog.Config) error {
		c.Writers[w.index] = next
		return nil
	})
}
