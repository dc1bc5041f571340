package tree

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/packstone/packstone/archive"
)

// Difference is all in which one tree differs from another, places of chunks and pages counted.
// What is not part of it is the same in both, and stands in the same order: if one was read whole
// and is right, no more than the difference need be read of the other.
type Difference struct {
	Gone, Come []archive.Chunk // pages of all heights that only the old tree has, and only the new one
	trees      [2]*Tree
	candidates *merged
}

// Compare finds the difference between two trees. It loads the pages of pages that are not in both.
func Compare(ctx context.Context, old, now *Tree) (*Difference, error) {
	c := &comparison{trees: [2]*Tree{old, now}, places: true}
	candidates, err := uncommon(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("compare trees: %w", err)
	}
	return &Difference{Gone: c.only[0], Come: c.only[1], trees: c.trees, candidates: candidates}, nil
}

// Nodes iterates, once, over the paths whose nodes differ, in order, and reads the pages that only
// one tree has. Nodes stay as they are.
func (d *Difference) Nodes(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		at := &differ{trees: d.trees, old: d.trees[0].finders().runs, now: d.trees[1].finders().runs}
		if err := at.run(ctx, d.candidates, identical, yield); err != nil {
			yield(Change{}, fmt.Errorf("compare trees: %w", err))
		}
	}
}

// identical is Same that minds places.
func identical(a, b *Node) bool {
	return Same(a, b) && slices.EqualFunc(a.Chunks, b.Chunks, func(a, b archive.Chunk) bool {
		return a.Place.Ordinal == b.Place.Ordinal && samePack(a.Place.Pack, b.Place.Pack)
	})
}

func samePack(a, b *archive.Pack) bool {
	return a == b || a != nil && b != nil && a.Kind == b.Kind && a.Name == b.Name
}
