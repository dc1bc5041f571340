package tree

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/packstone/packstone/archive"
)

// Difference is everything in which one tree differs from another, including the places of chunks
// and pages. All else is the same in both, in the same order: if one tree was read in full and is
// right, only the difference must be read of the other.
type Difference struct {
	Gone, Come []archive.Chunk // pages of all heights that only the old tree has, and only the new one
	trees      [2]*Tree
	candidates *merged
}

// Compare returns the difference between two trees. It loads the pages of pages that only one of
// them has.
func Compare(ctx context.Context, old, now *Tree) (*Difference, error) {
	c := &comparison{trees: [2]*Tree{old, now}, places: true}
	candidates, err := uncommon(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("compare trees: %w", err)
	}
	return &Difference{Gone: c.only[0], Come: c.only[1], trees: c.trees, candidates: candidates}, nil
}

// Nodes iterates, once, over the paths whose nodes differ, in order. It reads the pages that only
// one tree has. Nodes stay valid.
func (d *Difference) Nodes(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		at := &differ{trees: d.trees, old: d.trees[0].finders().runs, now: d.trees[1].finders().runs}
		if err := at.run(ctx, d.candidates, identical, yield); err != nil {
			yield(Change{}, fmt.Errorf("compare trees: %w", err))
		}
	}
}

// identical is like Same, but also compares places.
func identical(a, b *Node) bool {
	return Same(a, b) && slices.EqualFunc(a.Chunks, b.Chunks, func(a, b archive.Chunk) bool {
		return a.Place.Ordinal == b.Place.Ordinal && samePack(a.Place.Pack, b.Place.Pack)
	})
}

func samePack(a, b *archive.Pack) bool {
	return a == b || a != nil && b != nil && a.Kind == b.Kind && a.Name == b.Name
}
