package tree

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// checkDifference compares Compare with what the models say, and with the pages of both trees.
func checkDifference(t *testing.T, a, b content, old, now *Tree) {
	t.Helper()
	var shared Cache
	old, now = Open(old.root, old.load, OpenOptions{Cache: &shared}), Open(now.root, now.load, OpenOptions{Cache: &shared})
	difference, err := Compare(t.Context(), old, now)
	if err != nil {
		t.Fatal(err)
	}
	pages := pagesOf(t, old)
	for i := range difference.Gone {
		pages[fmt.Sprint(difference.Gone[i].ID, difference.Gone[i].Place.Ordinal)]--
	}
	for i := range difference.Come {
		pages[fmt.Sprint(difference.Come[i].ID, difference.Come[i].Place.Ordinal)]++
	}
	maps.DeleteFunc(pages, func(_ string, n int) bool { return n == 0 })
	if want := pagesOf(t, now); !maps.Equal(pages, want) {
		t.Fatalf("with the pages that came and went there are %d, want %d", len(pages), len(want))
	}
	is := maps.Clone(a)
	for change, err := range difference.Nodes(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if was := is[change.Path]; (was == nil) != (change.Old == nil) || was != nil && !equal(was, change.Old) {
			t.Fatalf("%q was %+v, got %+v", change.Path, was, change.Old)
		}
		delete(is, change.Path)
		if change.New != nil {
			is[change.Path] = change.New.Clone()
		}
	}
	if !slices.Equal(is.paths(), b.paths()) {
		t.Fatalf("with the changes there are %d nodes, want %d", len(is), len(b))
	}
	for path, n := range b {
		if !equal(is[path], n) || !identical(is[path], n) {
			t.Fatalf("%q: got %+v, want %+v", path, is[path], n)
		}
	}
}

// pagesOf counts the pages of a tree.
func pagesOf(t *testing.T, tree *Tree) map[string]int {
	t.Helper()
	pages := map[string]int{}
	for page, err := range tree.PageChunks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		pages[fmt.Sprint(page.Chunk.ID, page.Chunk.Place.Ordinal)]++
	}
	return pages
}

// TestAPageThatWasRightIsReadAgainWhereItStandsBeforeAnother: it may reach over that one now.
func TestAPageThatWasRightIsReadAgainWhereItStandsBeforeAnother(t *testing.T) {
	f := newForger(t)
	ac, d, b := f.leaf("a", "c"), f.leaf("d"), f.leaf("b")
	sound := f.tree(f.index(1, ref{first: "a", chunk: ac}, ref{first: "d", chunk: d}), 1)
	for _, c := range []struct {
		name  string
		pages []ref
		good  bool
	}{
		{"the same", []ref{{first: "a", chunk: ac}, {first: "d", chunk: d}}, true},
		{"one less", []ref{{first: "a", chunk: ac}}, true},
		{"reaches over the next", []ref{{first: "a", chunk: ac}, {first: "b", chunk: b}, {first: "d", chunk: d}}, false},
		{"begins elsewhere", []ref{{first: "a", chunk: ac}, {first: "c1", chunk: d}}, false},
	} {
		difference, err := Compare(t.Context(), sound, f.tree(f.index(1, c.pages...), 1))
		if err == nil {
			for _, failed := range difference.Nodes(t.Context()) {
				err = errors.Join(err, failed)
			}
		}
		if (err == nil) != c.good || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}
