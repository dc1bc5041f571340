package check

import (
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

// users is what the records of each writer need.
type users map[string]*archive.RefSet

func (u users) add(writer string, set *archive.RefSet) {
	if u[writer] == nil {
		u[writer] = &archive.RefSet{}
	}
	u[writer].Union(set)
}

// move makes it where that is now.
func (u users) move(moves *catalog.Moves) {
	for writer, set := range u {
		u[writer] = moves.Now(set)
	}
}

// of returns the writers who need something of a pack.
func (u users) of(key packKey) (writers []string) {
	for writer, set := range u {
		if len(set.Ordinals(key.kind, key.name)) > 0 {
			writers = append(writers, writer)
		}
	}
	return writers
}

// at returns the writers who need a chunk at one of these places.
func (u users) at(places []archive.Chunk) (writers []string) {
	for writer, set := range u {
		if slices.ContainsFunc(places, func(at archive.Chunk) bool { return named(set, at.Place) }) {
			writers = append(writers, writer)
		}
	}
	return writers
}

// credit reports whether some writers may rely on what index runs say of a pack, as when they back
// up: a run of a writer who means ill may say that a pack has what it has not.
func (c *check) credit(writers []string, name archive.Name) bool {
	t := c.heard[name]
	if t == nil || t.moot {
		return false
	}
	return t.vouched || c.when(name) > 0 || !slices.ContainsFunc(writers, func(writer string) bool {
		return !slices.ContainsFunc(t.by, func(by string) bool { return c.repo.SharesWith(writer, by) })
	})
}

// isProven notes that a pack has what the index says.
func (c *check) isProven(name archive.Name) {
	if !c.repo.CanRead() {
		return // only its hash is compared
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proven[name] = true
}
