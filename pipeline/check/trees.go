package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
)

// checkTrees checks that every page of every snapshot can be read, and that index and refs contain
// everything that is needed. It names the files that damage affects. Of a tree that follows a sound
// one, it reads only the difference.
func (c *check) checkTrees(ctx context.Context) error {
	w := &treeWalk{check: c, loads: map[uint64]tree.Load{}, recent: fetch.RecentPages{Most: mostRecent}}
	for _, s := range slices.SortedStableFunc(slices.Values(c.snapshots), compareSets) {
		if err := s.CheckNames(); err != nil {
			c.find(c.log.Find(s.ID).Name(), err)
		}
		if err := w.snapshot(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// compareSets sorts snapshots so that those of the same things are adjacent.
func compareSets(a, b *catalog.Snapshot) int {
	return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Set, b.Set))
}

// mostRecent is how many bytes of pages are cached for the next tree, which has most of them too.
const mostRecent = 8 << 20

// treeWalk is the check of all trees.
type treeWalk struct {
	*check
	loads   map[uint64]tree.Load // by domain
	recent  fetch.RecentPages
	decoded tree.Cache
	of      *catalog.Snapshot // the snapshot before, or this one
	name    string            // of the source that is read in full
	last    map[string]*sound // of the snapshots of the same set: by source
}

// sound is a tree without damage.
type sound struct {
	tree  *tree.Tree
	refs  *archive.RefSet
	needs *needs
}

func (w *treeWalk) snapshot(ctx context.Context, s *catalog.Snapshot) error {
	load, err := w.load(s.Domain)
	if err != nil {
		return err
	}
	if w.of == nil || compareSets(w.of, s) != 0 {
		w.last = map[string]*sound{}
	}
	w.of = s
	refs, err := w.refs.Load(ctx, w.log.Find(s.ID).Refs)
	if err != nil {
		refs = nil // checkRefs has found this
	}
	for i := range s.Sources {
		source := &s.Sources[i]
		now := &sound{tree: tree.Open(source.Root, load, tree.OpenOptions{Cache: &w.decoded}), refs: refs}
		if err := w.source(ctx, s, source, now); err != nil {
			return err
		}
	}
	return nil
}

// load reads pages of a domain.
func (w *treeWalk) load(domain uint64) (tree.Load, error) {
	if load := w.loads[domain]; load != nil {
		return load, nil
	}
	fetcher, err := fetch.New(w.repo, domain, fetch.Options{})
	if err != nil {
		return nil, err
	}
	w.loads[domain] = w.recent.Load(fetcher.Pages())
	return w.loads[domain], nil
}

// source checks one tree: the difference from the last one if that was sound, else all of it.
func (w *treeWalk) source(ctx context.Context, s *catalog.Snapshot, source *catalog.SourceState, now *sound) error {
	key := source.Name + "\x00" + source.Location
	last := w.last[key]
	delete(w.last, key)
	if last != nil && now.refs != nil && len(w.damaged) == 0 {
		ok, err := w.follows(ctx, last, now)
		if err != nil {
			return err
		}
		if ok {
			w.last[key] = now
			return nil
		}
	}
	found := len(w.report.Findings)
	now.needs = newNeeds()
	w.name = source.Name
	if err := w.whole(ctx, s.ID.String()[:8]+":"+source.Name, now); err != nil {
		return err
	}
	if now.refs != nil && now.needs.counted() && len(w.report.Findings) == found {
		w.last[key] = now
	}
	return nil
}

// whole checks all of a tree.
func (w *treeWalk) whole(ctx context.Context, place string, now *sound) error {
	if err := w.pages(ctx, place, now); err != nil {
		return w.note(ctx, place, fmt.Errorf("read the tree: %w", err))
	}
	for node, err := range now.tree.All(ctx, "") {
		if err != nil {
			return w.note(ctx, place, fmt.Errorf("read the tree: %w", err))
		}
		if err := w.node(ctx, place, node, now); err != nil {
			return err
		}
	}
	return nil
}

// pages checks that the refs name all pages of a tree.
func (w *treeWalk) pages(ctx context.Context, place string, now *sound) error {
	for page, err := range now.tree.PageChunks(ctx) {
		if err != nil {
			return err
		}
		if !named(now.refs, page.Chunk.Place) {
			w.find(place, fmt.Errorf("the refs do not name page %s, so that a collection would delete it", page.Chunk.ID))
			continue
		}
		now.needs.add(page.Chunk.Place)
	}
	return nil
}

// named reports whether refs, if there are any, name the chunk at a place.
func named(refs *archive.RefSet, place archive.Place) bool {
	return refs == nil || place.Pack != nil && refs.Ordinals(place.Pack.Kind, place.Pack.Name).Has(place.Ordinal)
}

func (w *treeWalk) node(ctx context.Context, place string, node *tree.Node, now *sound) error {
	if node.Type != entry.File {
		return nil
	}
	w.report.Chunks += uint64(len(node.Chunks))
	name := place + "/" + strings.TrimPrefix(node.Path, "/")
	wrong, err := w.wrong(ctx, node, now.refs)
	if err != nil {
		return err
	}
	for _, err := range wrong {
		w.findFile(name, err)
	}
	if len(wrong) == 0 {
		now.needs.addAll(node)
	}
	w.nameHurt(name, node)
	w.locate(node)
	return nil
}

// wrong returns what is wrong with a file's content, each kind of fault once.
func (w *treeWalk) wrong(ctx context.Context, node *tree.Node, refs *archive.RefSet) (wrong []error, err error) {
	if err := node.CheckContent(); err != nil {
		wrong = append(wrong, err)
	}
	for i := range node.Chunks {
		if !node.Chunks[i].IsHole() && !named(refs, node.Chunks[i].Place) {
			wrong = append(wrong, fmt.Errorf("the refs do not name chunk %s, so that a collection would delete it", node.Chunks[i].ID))
			break
		}
	}
	for i := range node.Chunks {
		if node.Chunks[i].IsHole() {
			continue
		}
		fault, err := w.wrongChunk(ctx, &node.Chunks[i])
		if err != nil {
			return nil, err
		}
		if fault != nil {
			return append(wrong, fault), nil
		}
	}
	return wrong, nil
}

// wrongChunk returns what is wrong with a chunk, if the index does not know it, or not with that
// length.
func (w *treeWalk) wrongChunk(ctx context.Context, c *archive.Chunk) (wrong, err error) {
	found, known, err := w.index.Lookup(ctx, c.ID)
	switch {
	case err != nil || known && found.Length == c.Length:
		return nil, err
	case !known:
		return fmt.Errorf("chunk %s is in no index run", c.ID), nil
	}
	all, err := w.index.Places(ctx, c.ID) // who tells of the first one may lie
	if err != nil || slices.ContainsFunc(all, func(other archive.Chunk) bool { return other.Length == c.Length }) {
		return nil, err
	}
	return fmt.Errorf("chunk %s has %d bytes, and the tree says %d", c.ID, found.Length, c.Length), nil
}

// nameHurt adds a file to the findings about its chunks.
func (w *treeWalk) nameHurt(name string, node *tree.Node) {
	for i := range node.Chunks {
		if node.Chunks[i].IsHole() {
			continue
		}
		for _, finding := range w.damaged[node.Chunks[i].ID] {
			f := &w.report.Findings[finding]
			if !slices.Contains(f.Files, name) {
				f.Files = append(f.Files, name)
			}
		}
	}
}
