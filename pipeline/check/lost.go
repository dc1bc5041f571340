package check

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
)

// Lost is a chunk, or a page of a tree, that snapshots need and that no sound pack has.
type Lost struct {
	Chunk  archive.Chunk // at the place where records look for it
	Domain uint64
	In     []Spot // where files have it, a few of them; none of a page
}

// Spot is a position in the content of a file of a snapshot.
type Spot struct {
	Snapshot     archive.Name
	Source, Path string
	Offset       int64
}

// mostSpots is how many positions of a lost chunk are noted. More than one helps if a copy lacks
// the first.
const mostSpots = 4

// compare sorts by domain and kind, and then by place.
func (l *Lost) compare(other *Lost) int {
	a, b := l.Chunk.Place, other.Chunk.Place
	return cmp.Or(cmp.Compare(l.Domain, other.Domain), cmp.Compare(a.Pack.Kind, b.Pack.Kind), bytes.Compare(a.Pack.Name[:], b.Pack.Name[:]), cmp.Compare(a.Ordinal, b.Ordinal))
}

// findElsewhere removes from the damaged chunks those that are also in a sound pack, and those that
// nothing needs in a pack out of which all was moved that is needed.
func (c *check) findElsewhere(ctx context.Context) error {
	for id := range c.damaged {
		places, err := c.index.Places(ctx, id)
		if err != nil {
			return err
		}
		writers := c.users.at(places)
		good := func(at archive.Chunk) bool { return c.isGood(at.Place.Pack, writers) }
		if slices.ContainsFunc(places, good) || len(writers) == 0 && c.isOver(places) {
			delete(c.damaged, id)
		}
	}
	return nil
}

// isOver reports whether chunks were moved out of all packs that have one which nothing needs.
func (c *check) isOver(places []archive.Chunk) bool {
	return c.moves != nil && !c.unclear && !slices.ContainsFunc(places, func(at archive.Chunk) bool { return !c.moves.IsLeft(at.Place.Pack.Name) })
}

// isGood reports whether some writers may rely on finding in a pack what the index says.
func (c *check) isGood(pack *archive.Pack, writers []string) bool {
	return c.present[packKey{pack.Kind, pack.Name}] != nil && !c.report.Bad[pack.Name] && (c.proven[pack.Name] || c.credit(writers, pack.Name))
}

// isNeeded reports whether records look for a chunk at a place.
func (c *check) isNeeded(at archive.Chunk) bool {
	pack := at.Place.Pack
	return pack != nil && c.needed.Ordinals(pack.Kind, pack.Name).Has(at.Place.Ordinal)
}

// locate notes where a file has damaged chunks, and those that no index run lists.
func (w *treeWalk) locate(ctx context.Context, node *tree.Node, wrong bool) error {
	offset := int64(0)
	for i := range node.Chunks {
		chunk := &node.Chunks[i]
		spot := Spot{Snapshot: w.of.ID, Source: w.name, Path: node.Path, Offset: offset}
		offset += int64(chunk.Length)
		switch {
		case chunk.IsHole():
		case w.damaged[chunk.ID] != nil:
			if len(w.spots[chunk.ID]) < mostSpots {
				w.spots[chunk.ID] = append(w.spots[chunk.ID], spot)
			}
		case wrong && w.isNeeded(*chunk):
			_, known, err := w.index.Lookup(ctx, chunk.ID)
			if err != nil {
				return err
			}
			if !known {
				w.strays = append(w.strays, Lost{Chunk: *chunk, Domain: w.of.Domain, In: []Spot{spot}})
			}
		}
	}
	return nil
}

// tellLost lists what is lost, at each place where records look for it.
func (c *check) tellLost(ctx context.Context) error {
	lost := c.strays
	for id := range c.damaged {
		places, err := c.index.Places(ctx, id)
		if err != nil {
			return err
		}
		for _, at := range places {
			pack := at.Place.Pack
			if c.isNeeded(at) && c.credit(c.users.of(packKey{pack.Kind, pack.Name}), pack.Name) {
				lost = append(lost, Lost{Chunk: at, Domain: c.domainOf(pack.Name), In: c.spots[id]})
			}
		}
	}
	slices.SortFunc(lost, func(a, b Lost) int { return a.compare(&b) })
	c.report.Lost = slices.CompactFunc(lost, func(a, b Lost) bool { return a.compare(&b) == 0 })
	return nil
}

// domainOf returns the domain of a pack, the newest of which its records are.
func (c *check) domainOf(name archive.Name) uint64 {
	of := c.domainsOf(name)
	if len(of) == 0 {
		return c.repo.Config.Domain
	}
	return of[len(of)-1]
}
