package check

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
)

// Lost is a chunk, or a page of a tree, that snapshots need and that no sound pack has.
type Lost struct {
	Chunk  archive.Chunk // at the place where records look for it
	Domain uint64
	In     []Spot // where files have it, a few of them; none of a page
	Doubt  error  // why nobody knows that it was there: nil if all agree who need it
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

// compare sorts by domain and kind, and then by place.
func (l *Lost) compare(other *Lost) int {
	a, b := l.Chunk.Place, other.Chunk.Place
	return cmp.Or(cmp.Compare(l.Domain, other.Domain), cmp.Compare(a.Pack.Kind, b.Pack.Kind), bytes.Compare(a.Pack.Name[:], b.Pack.Name[:]), cmp.Compare(a.Ordinal, b.Ordinal))
}

// findElsewhere removes from the damaged chunks those that are also in a sound pack, and those that
// nothing needs in a pack out of which all was moved that is needed.
func (c *check) findElsewhere(ctx context.Context) error {
	if len(c.damaged) == 0 {
		return nil
	}
	if err := c.readUsers(ctx); err != nil {
		return err
	}
	for id := range c.damaged {
		places, err := c.index.Places(ctx, id)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(places, c.isGood) || c.users.areOver(places) {
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
	if len(w.damaged) == 0 {
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

// tellLost lists what is lost, at each place where records look for it.
func (c *check) tellLost(ctx context.Context) error {
	for id := range c.damaged {
		places, err := c.index.Places(ctx, id)
		if err != nil {
			return err
		}
		for _, at := range places {
			if c.users.need(at) {
				pack := at.Place.Pack
				c.report.Lost = append(c.report.Lost, Lost{Chunk: at, Domain: c.domainOf(pack.Name), In: c.spots[id], Doubt: c.doubt(pack)})
			}
		}
	}
	slices.SortFunc(c.report.Lost, func(a, b Lost) int { return a.compare(&b) })
	return nil
}

// doubt says why nobody knows what lay in a pack. What is moved from there, everybody looks for at
// the new place: so all who need something of the pack must rely on who says what that was.
func (c *check) doubt(pack *archive.Pack) error {
	if c.heard[pack.Name].contested {
		return fmt.Errorf("index runs contradict each other on what lay in pack %s", pack.Name)
	}
	if writer := c.doubter(pack); writer != "" {
		return fmt.Errorf("writer %s needs pack %s and relies on nobody who says what lay in it: revoke the writer if it is none of yours, or use --from source on its host", writer, pack.Name)
	}
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
