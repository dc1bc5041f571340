package admin

import (
	"context"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// Kind is what a member's key is for.
type Kind string

// The kinds of members.
const (
	KindWriter    Kind = "writer"    // backs up
	KindCollector Kind = "collector" // forgets and deletes
	KindKeeper    Kind = "keeper"    // extends locks
)

// Admission is a member that is not admitted yet, and its key.
type Admission struct {
	Kind   Kind
	Name   string // that the key signs with
	Member catalog.Member

	repo *catalog.Repository
	key  interface{ Encode() ([]byte, error) }
}

// NewAdmission makes a key of a kind, under the name for a host or what else it is called, with
// these terms. A writer of which they do not name the hosts may speak for its own. It may take the
// place of another writer, replaces, unless that is "": what the terms do not name it takes over
// from that one. It fails with catalog.ErrRefused if the name is taken.
func NewAdmission(repo *catalog.Repository, kind Kind, host string, t Terms, replaces string) (*Admission, error) {
	a := &Admission{Kind: kind, Name: catalog.WriterName(host), repo: repo}
	if kind != KindWriter {
		return a.withCollectorKey(t)
	}
	name, err := NextName(repo, a.Name, replaces)
	if err != nil {
		return nil, err
	}
	a.Name = name
	if replaces != "" {
		if a.Member, err = Successor(repo, replaces); err != nil {
			return nil, err
		}
	}
	switch {
	case t.Hosts != nil:
		a.Member.Hosts = *t.Hosts
	case a.Member.Hosts == nil:
		a.Member.Hosts = HostsOf(host)
	}
	t.grant(&a.Member)
	key, err := NewWriterKey(repo, name)
	if err != nil {
		return nil, err
	}
	a.key, a.Member.Key = key, key.Signer.Verifier().Text()
	return a, nil
}

func (a *Admission) withCollectorKey(t Terms) (*Admission, error) {
	key, err := NewCollectorKey(a.repo, a.Name)
	if err != nil {
		return nil, err
	}
	a.key, a.Member.Key = key, key.Signer.Verifier().Text()
	t.grant(&a.Member)
	return a, nil
}

// Encode returns the key file, which is secret.
func (a *Admission) Encode() ([]byte, error) { return a.key.Encode() }

// Sign calls keep, unless nil, to store the key, and then signs the config that admits it. If
// signing fails it drops the key, which does no harm.
func (a *Admission) Sign(ctx context.Context, owner crypto.Signer, keep Keep) error {
	sign := Admit
	switch {
	case a.Kind == KindCollector:
		sign = AdmitCollector
	case a.Kind == KindKeeper:
		sign = AdmitKeeper
	case a.Member.Replaces != "":
		sign = Replace
	}
	return sign(ctx, a.repo, owner, a.Member, keep)
}
