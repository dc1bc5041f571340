package check

import (
	"context"
	"math"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// follows reports whether a tree differs from a sound one only in sound ways. Then it takes over
// what is known of that one.
func (w *treeWalk) follows(ctx context.Context, last, now *sound) (bool, error) {
	now.needs = last.needs
	difference, err := tree.Compare(ctx, last.tree, now.tree)
	if err != nil {
		return false, store.Unavailable(ctx, err) // what it is will be found where all is read
	}
	for i := range difference.Gone {
		now.needs.remove(difference.Gone[i].Place)
	}
	for i := range difference.Come {
		if !named(now.refs, difference.Come[i].Place) {
			return false, nil
		}
		now.needs.add(difference.Come[i].Place)
	}
	for change, err := range difference.Nodes(ctx) {
		if err != nil {
			return false, store.Unavailable(ctx, err)
		}
		if ok, err := w.change(ctx, change, now); !ok {
			return false, err
		}
	}
	return !now.needs.any(last.refs.Without(now.refs)), nil
}

// change takes over the change of one node, and reports whether the change is sound.
func (w *treeWalk) change(ctx context.Context, c tree.Change, now *sound) (bool, error) {
	if c.Old != nil && c.Old.Type == entry.File {
		now.needs.removeAll(c.Old)
	}
	if c.New == nil || c.New.Type != entry.File {
		return true, nil
	}
	w.report.Chunks += uint64(len(c.New.Chunks))
	wrong, err := w.wrong(ctx, c.New, now.refs)
	if err != nil || len(wrong) > 0 {
		return false, err
	}
	now.needs.addAll(c.New)
	return true, nil
}

// mostCounted is how many chunks needs can count, at a byte each.
const mostCounted = 32 << 20

// needs counts how often a tree needs each chunk and page.
type needs struct {
	counts map[packKey][]uint8 // by ordinal; 255 is that often or more, and stays
	total  int
}

type packKey struct {
	kind archive.Kind
	name archive.Name
}

func newNeeds() *needs { return &needs{counts: map[packKey][]uint8{}} }

// counted reports whether the tree was small enough to be counted.
func (n *needs) counted() bool { return n.total <= mostCounted }

// at returns the counter of a place, nil if it is not counted.
func (n *needs) at(place archive.Place) *uint8 {
	if place.Pack == nil || !n.counted() {
		return nil
	}
	key := packKey{place.Pack.Kind, place.Pack.Name}
	counts := n.counts[key]
	if more := int(place.Ordinal) + 1 - len(counts); more > 0 {
		if n.total += more; !n.counted() {
			return nil
		}
		counts = append(counts, make([]uint8, more)...)
		n.counts[key] = counts
	}
	return &counts[place.Ordinal]
}

func (n *needs) add(place archive.Place) {
	if count := n.at(place); count != nil && *count < math.MaxUint8 {
		*count++
	}
}

func (n *needs) remove(place archive.Place) {
	if count := n.at(place); count != nil && *count > 0 && *count < math.MaxUint8 {
		*count--
	}
}

func (n *needs) addAll(node *tree.Node) {
	for i := range node.Chunks {
		if !node.Chunks[i].IsHole() {
			n.add(node.Chunks[i].Place)
		}
	}
}

func (n *needs) removeAll(node *tree.Node) {
	for i := range node.Chunks {
		if !node.Chunks[i].IsHole() {
			n.remove(node.Chunks[i].Place)
		}
	}
}

// any reports whether something that a set names is needed.
func (n *needs) any(set *archive.RefSet) bool {
	for ref := range set.All() {
		counts := n.counts[packKey{ref.Kind, ref.Name}]
		for ordinal := range ref.Ordinals.All() {
			if int(ordinal) < len(counts) && counts[ordinal] > 0 {
				return true
			}
		}
	}
	return !n.counted()
}
