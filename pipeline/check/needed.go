package check

import (
	"context"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

// needed is what records need where something is damaged.
type needed struct {
	live  archive.RefSet // what counts needs
	named archive.RefSet // what anything names: what was forgotten may be brought back
	moves *catalog.Moves // nil: not known
	all   bool           // nothing is missing in live
}

// readNeeded reads once more what records need. A check of a sound repository does without.
func (c *check) readNeeded(ctx context.Context) error {
	n := &needed{all: !c.closed}
	c.needed = n
	counts := map[*catalog.Record]bool{}
	for _, rec := range c.live() {
		counts[rec] = true
	}
	records := slices.DeleteFunc(slices.Clone(c.log.Records), func(rec *catalog.Record) bool { return rec.Refs.Full == "" || c.isClosed(rec) })
	slices.SortStableFunc(records, func(a, b *catalog.Record) int { return catalog.CompareRefs(a.Refs, b.Refs) })
	c.refs.Ahead(ctx, records)
	for _, rec := range records {
		set, err := c.refs.Load(ctx, rec.Refs)
		if away := store.Unavailable(ctx, err); away != nil {
			return away
		}
		if err != nil {
			n.all = n.all && !counts[rec]
			continue
		}
		n.named.Union(set)
		if counts[rec] {
			n.live.Union(set)
		}
	}
	return n.follow(ctx, c)
}

// follow adds where it is now.
func (n *needed) follow(ctx context.Context, c *check) error {
	moves, err := c.repo.ReadMoves(ctx, c.log, true)
	if err != nil {
		n.all = false
		return store.Unavailable(ctx, err)
	}
	n.moves = moves
	n.live.Union(moves.Now(&n.live))
	n.named.Union(moves.Now(&n.named))
	return nil
}

// isOver reports whether nothing that counts needs a chunk at these places, which are in damaged
// packs of which all was stored again that a copy had.
func (n *needed) isOver(places []archive.Chunk) bool {
	if n.moves == nil || !n.all || len(places) == 0 {
		return false
	}
	for _, at := range places {
		if named(&n.live, at.Place) || !n.moves.Heals(at.Place.Pack) {
			return false
		}
	}
	return true
}
