package admin

import (
	"context"
	"slices"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
)

// Tagging is a change of tags.
type Tagging struct {
	Snapshots []*catalog.Snapshot // that it changes

	view   *view.View
	change catalog.TagChange
	own    bool // all were made with the key of this host
}

// NewTagging chooses the named snapshots, or without names those of this host that pass the view's
// filter, and which of them a change changes; change is told what was chosen. With this host's key
// one changes what was made with it. For others mayDecide says whether the key of the owner or a
// collector is there; without it NewTagging fails with catalog.ErrRefused.
func NewTagging(v *view.View, names []string, change func(chosen []*catalog.Snapshot) catalog.TagChange, mayDecide func() error) (*Tagging, error) {
	own := ""
	writer, err := v.Repo.Writer()
	if err == nil {
		own = writer.Signer.Name()
	} else if len(names) == 0 {
		return nil, err
	}
	chosen, err := v.Choose(names)
	if err != nil {
		return nil, err
	}
	isOther := func(s *catalog.Snapshot) bool { return s.Writer != own }
	if len(names) == 0 {
		chosen = slices.DeleteFunc(chosen, isOther)
	}
	t := &Tagging{view: v, own: true}
	if i := slices.IndexFunc(chosen, isOther); i >= 0 {
		if err := mayDecide(); err != nil {
			return nil, catalog.Refuse("snapshot %s was made with the key of %s; its tags are changed with that key, the owner's or a collector's: %v", chosen[i].ShortID(), chosen[i].Writer, err)
		}
		t.own = false
	}
	t.change = change(chosen)
	t.Snapshots = slices.DeleteFunc(chosen, func(s *catalog.Snapshot) bool { return !t.change.Changes(s) })
	return t, nil
}

// Make makes the change. decide writes one record of the owner or a collector.
func (t *Tagging) Make(ctx context.Context, decide func(do func(*catalog.Session) error) error) error {
	switch {
	case len(t.Snapshots) == 0:
		return nil
	case t.own:
		return t.view.Repo.ChangeTags(ctx, t.Snapshots, t.change)
	}
	return decide(func(s *catalog.Session) error { return s.SetTags(ctx, t.Snapshots, t.change.Add, t.change.Remove) })
}
