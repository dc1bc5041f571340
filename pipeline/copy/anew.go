package copy

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/crypto"
)

// Anew is the making anew of all snapshots of earlier domains, in the domain with which their
// repository is written, for the present recipients.
type Anew struct {
	Snapshots []*catalog.Snapshot // to be made anew, oldest first
	Left      []*catalog.Snapshot // of earlier domains, that stay, since their writers may not back up their hosts

	rewriting *admin.Rewriting
	all       []*catalog.Snapshot
}

// PlanAnew finds the snapshots of earlier domains, and changes nothing. If an earlier run was
// interrupted, it leaves out what that has made. It fails with catalog.ErrRefused if that would
// shut nobody out: if there is only one domain, or if somebody was removed from the recipients since
// the repository is written with the present one.
func PlanAnew(v *view.View) (*Anew, error) {
	c := v.Repo.Config
	if len(c.Domains) < 2 {
		return nil, catalog.Refuse("everything is of domain %d, with which the repository is written: change to a new domain first, with packstone key rotate --domain", c.Domain)
	}
	if former := c.Former(); len(former) > 0 {
		return nil, catalog.Refuse("%s was removed after the change to domain %d, and reads what is of that domain: change to a new domain first, with packstone key rotate --domain",
			admin.ShortRecipient(former[0]), c.Domain)
	}
	a := &Anew{all: v.Snapshots}
	var err error
	if a.rewriting, err = admin.NewRewriting(v, nil); err != nil {
		return nil, err
	}
	for _, s := range a.rewriting.Snapshots {
		switch {
		case s.Domain == c.Domain:
		case s.Standing == catalog.Outside:
			a.Left = append(a.Left, s)
		default:
			a.Snapshots = append(a.Snapshots, s)
			if err := v.Repo.MaySpeakFor(s.Host); err != nil {
				return nil, fmt.Errorf("snapshot %s cannot be made anew: %w", s.ShortID(), err)
			}
		}
	}
	return a, nil
}

// Replace commits a snapshot in the place of each, with the same content, time and tags, which says
// which one it replaces. Then it forgets those, and passes their dates and holds on. An interrupted
// call is continued by the next plan, from the last checkpoint.
func (a *Anew) Replace(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, o Options) (forgotten int, err error) {
	if err := a.commit(ctx, repo, o); err != nil {
		return 0, err
	}
	return a.rewriting.Finish(ctx, func(do func(*catalog.Session) error) error { return admin.Decide(ctx, repo, owner, do) })
}

func (a *Anew) commit(ctx context.Context, repo *catalog.Repository, o Options) error {
	var failed error
	done := o.Done
	o.Done = func(s *catalog.Snapshot, id archive.Name) {
		a.rewriting.Made(s, &catalog.Snapshot{ID: id})
		if done != nil {
			done(s, id)
		}
	}
	o.Failed = func(s *catalog.Snapshot, err error) {
		failed = errors.Join(failed, fmt.Errorf("snapshot %s: %w", s.ShortID(), err))
	}
	c := newCopier(repo, repo, a.all, o)
	c.anew = true
	err := c.Run(ctx, a.Snapshots)
	if err == nil && failed != nil {
		err = fmt.Errorf("repair or forget what is damaged, and run this again: %w", failed)
	}
	return err
}
