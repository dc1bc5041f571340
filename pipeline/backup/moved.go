package backup

import (
	"github.com/packstone/packstone/archive"
)

// elsewhere gives what the last tree has of an entry other places that may be relied on, where it
// has some that may not: it was copied there, or another backup has stored it since. Then it need
// not be read.
func (v *visitor) elsewhere(it *item) (bool, error) {
	old := it.step.Old.Clone()
	for i := range old.Chunks {
		c := &old.Chunks[i]
		if c.IsHole() || c.Place.Pack == nil || !v.unreliable(v.ctx, c.Place.Pack) {
			continue
		}
		known, ok, err := v.index.Lookup(v.ctx, c.ID)
		if err != nil || !ok || known.Length != c.Length {
			return false, err
		}
		*c = archive.Chunk{ID: c.ID, Length: c.Length, Place: known.Place}
	}
	it.step.Old, it.moved = old, true
	return true, nil
}
