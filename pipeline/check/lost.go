package check

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
)

// Lost is a chunk, or a page of a tree, that records need and that no sound pack has. Who lists the
// pack may lie: nothing but the id says what it is.
type Lost struct {
	Chunk   archive.Chunk // at one of its places
	Domains []uint64      // of which it may be
	In      []Spot        // where files have it, a few of them; none of a page
	Live    bool          // something needs it that was not forgotten
}

// Spot is a position in the content of a file of a snapshot.
type Spot struct {
	Snapshot     archive.Name
	Source, Path string
	Offset       int64 // bytes
}

// mostSpots is how many positions of a lost chunk are noted. More than one helps if a copy lacks
// the first.
const mostSpots = 4

// compare sorts by kind, and then by what it is and where.
func (l *Lost) compare(other *Lost) int {
	a, b := l.Chunk.Place, other.Chunk.Place
	return cmp.Or(
		cmp.Compare(a.Pack.Kind, b.Pack.Kind), bytes.Compare(l.Chunk.ID[:], other.Chunk.ID[:]), cmp.Compare(l.Chunk.Length, other.Chunk.Length),
		bytes.Compare(a.Pack.Name[:], b.Pack.Name[:]), cmp.Compare(a.Ordinal, b.Ordinal),
	)
}

// findElsewhere removes from the damaged chunks those that are also in a sound pack, and those of
// packs that were mended that nothing needs which counts.
func (c *check) findElsewhere(ctx context.Context) error {
	if len(c.damaged) == 0 {
		return nil
	}
	if err := c.readNeeded(ctx); err != nil {
		return err
	}
	for id := range c.damaged {
		places, err := c.index.Places(ctx, id)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(places, c.isGood) || c.needed.isOver(places) {
			delete(c.damaged, id)
		}
	}
	return nil
}

// isGood reports whether a chunk lies in a pack that is there, and in which no damage was found.
func (c *check) isGood(at archive.Chunk) bool {
	pack := at.Place.Pack
	return c.present[packKey{pack.Kind, pack.Name}] != nil && !c.report.Bad[pack.Name]
}

// locate notes where a file has damaged chunks.
func (w *treeWalk) locate(node *tree.Node) {
	if !w.o.Lost || len(w.damaged) == 0 {
		return
	}
	offset := int64(0)
	for i := range node.Chunks {
		chunk := &node.Chunks[i]
		if !chunk.IsHole() && w.damaged[chunk.ID] != nil && len(w.spots[chunk.ID]) < mostSpots {
			w.spots[chunk.ID] = append(w.spots[chunk.ID], Spot{Snapshot: w.of.ID, Source: w.name, Path: node.Path, Offset: offset})
		}
		offset += int64(chunk.Length)
	}
}

// tellLost lists what is lost, at each of its places, if records look for it at one.
func (c *check) tellLost(ctx context.Context) error {
	if !c.o.Lost {
		return nil
	}
	for id := range c.damaged {
		places, err := c.index.Places(ctx, id)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(places, func(at archive.Chunk) bool { return named(&c.needed.named, at.Place) }) {
			continue
		}
		for _, at := range places { // a backup may come to need any of them
			c.report.Lost = append(c.report.Lost, Lost{
				Chunk: at, Domains: c.domainsOf(at.Place.Pack.Name), In: c.spots[id], Live: named(&c.needed.live, at.Place),
			})
		}
	}
	slices.SortFunc(c.report.Lost, func(a, b Lost) int { return a.compare(&b) })
	return nil
}
