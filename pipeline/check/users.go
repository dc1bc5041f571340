package check

import (
	"context"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

// users is what records need where something is damaged.
type users struct {
	of    map[string]*archive.RefSet // by writer: what its live records need, where it is now
	moves *catalog.Moves             // nil: not known
	all   bool                       // of holds everything that is needed
}

// readUsers reads once more what the live records need. Healthy repositories do without.
func (c *check) readUsers(ctx context.Context) error {
	u := &users{of: map[string]*archive.RefSet{}, all: !c.closed}
	c.users = u
	for _, rec := range c.live() {
		set, err := c.refs.Load(ctx, rec.Refs)
		if away := store.Unavailable(ctx, err); away != nil {
			return away
		}
		if err != nil { // checkRefs has found this
			u.all = false
			continue
		}
		if u.of[rec.Lane.Writer] == nil {
			u.of[rec.Lane.Writer] = &archive.RefSet{}
		}
		u.of[rec.Lane.Writer].Union(set)
	}
	return u.follow(ctx, c)
}

// follow makes it where that is now.
func (u *users) follow(ctx context.Context, c *check) error {
	moves, err := c.repo.ReadMoves(ctx, c.log, true)
	if err != nil {
		u.all = false
		return store.Unavailable(ctx, err)
	}
	u.moves = moves
	for writer, set := range u.of {
		u.of[writer] = moves.Now(set)
	}
	return nil
}

// need reports whether some record looks for a chunk at a place.
func (u *users) need(at archive.Chunk) bool {
	for _, set := range u.of {
		if named(set, at.Place) {
			return true
		}
	}
	return false
}

// areOver reports whether nothing needs a chunk at these places, and something was moved out of each
// of their packs: then all that was needed there has been.
func (u *users) areOver(places []archive.Chunk) bool {
	if u.moves == nil || !u.all || len(places) == 0 {
		return false
	}
	for _, at := range places {
		if u.need(at) || !u.moves.IsLeft(at.Place.Pack.Name) {
			return false
		}
	}
	return true
}

// doubter returns a writer who needs something of a pack and relies on nobody who says what lies in
// it, "" if there is none. A run of a writer who means ill may say that a pack has what it has not.
func (c *check) doubter(pack *archive.Pack) string {
	t := c.heard[pack.Name]
	if t.vouched || c.when(pack.Name) > 0 {
		return ""
	}
	for writer, set := range c.users.of {
		if len(set.Ordinals(pack.Kind, pack.Name)) > 0 && !c.reliesOn(writer, t.by) {
			return writer
		}
	}
	return ""
}

// reliesOn reports whether a writer relies on what one of others has stored.
func (c *check) reliesOn(writer string, others []string) bool {
	for _, other := range others {
		if c.repo.SharesWith(writer, other) {
			return true
		}
	}
	return false
}
