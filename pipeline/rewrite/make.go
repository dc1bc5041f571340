package rewrite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/source/exclude"
)

// maker makes one snapshot anew, in one session.
type maker struct {
	repo    *catalog.Repository
	session *catalog.Session
	index   *index.Index
	load    tree.Load
	trees   *archive.Writer
	packs   []archive.RunPack // that the store has acknowledged
	refs    *archive.RefSet
}

// treePack is the size of tree packs, as a backup makes them.
const treePack = 4 << 20

func (c *Cut) makeOnce(ctx context.Context, repo *catalog.Repository, o Options) (*catalog.Snapshot, error) {
	session, err := repo.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	m := &maker{repo: repo, session: session, index: repo.NewIndex(), refs: &archive.RefSet{}}
	defer m.index.Close()
	snapshot, err := m.run(ctx, c, o)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()
		_ = session.End(ctx, nil, nil) // if this fails too, a later run of this host ends it
	}
	return snapshot, err
}

// endTime is how long it is tried to end a session that has come to nothing.
const endTime = 10 * time.Second

func (m *maker) run(ctx context.Context, c *Cut, o Options) (*catalog.Snapshot, error) {
	m.index.SetFilter(func(p *archive.Pack) bool { return !m.session.Avoid(p) })
	if _, err := m.session.LoadIndex(ctx, m.index); err != nil {
		return nil, err
	}
	fetcher, err := fetch.New(m.repo, c.Snapshot.Domain, o.Fetch)
	if err != nil {
		return nil, err
	}
	m.load = fetcher.Pages()
	m.trees = archive.NewWriter(ctx, m.repo.Store, archive.WriterOptions{
		Kind: archive.Trees, Recipients: m.session.Recipients(), PackSize: treePack, Spill: m.repo.Scratch(),
		Stored: func(p *archive.Pack, d *archive.Directory) {
			m.packs = append(m.packs, archive.RunPack{Pack: p, Directory: d})
		},
	})
	defer m.trees.Close()
	if c.roots, err = m.roots(ctx, c); err != nil {
		return nil, err
	}
	snapshot := c.next()
	return snapshot, m.commit(ctx, snapshot, c.Snapshot)
}

// roots are the trees of all sources, without what is left out.
func (m *maker) roots(ctx context.Context, c *Cut) ([]tree.Root, error) {
	roots := make([]tree.Root, len(c.parts))
	for i, p := range c.parts {
		src := &c.Snapshot.Sources[i]
		root, err := m.root(ctx, src.Root, p.patterns)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", src.Name, err)
		}
		roots[i] = root
	}
	if err := m.trees.Flush(ctx); err != nil {
		return nil, err
	}
	for i, root := range roots {
		if err := tree.Open(root, m.load, tree.OpenOptions{}).AddNeeds(ctx, m.refs); err != nil {
			return nil, fmt.Errorf("list what source %s needs: %w", c.Snapshot.Sources[i].Name, err)
		}
	}
	return roots, nil
}

// root is one tree: the old one where all of it stays and lies where it may be relied on.
func (m *maker) root(ctx context.Context, old tree.Root, patterns *exclude.Patterns) (tree.Root, error) {
	if patterns == nil {
		usable, err := m.usable(ctx, old)
		if err != nil || usable {
			return old, err
		}
	}
	return m.write(ctx, old, patterns)
}

// usable tells whether nothing that a tree needs is being collected.
func (m *maker) usable(ctx context.Context, root tree.Root) (bool, error) {
	needs := &archive.RefSet{}
	if err := tree.Open(root, m.load, tree.OpenOptions{}).AddNeeds(ctx, needs); err != nil {
		return false, err
	}
	for ref := range needs.All() {
		if m.session.Avoid(&archive.Pack{Kind: ref.Kind, Name: ref.Name}) {
			return false, nil
		}
	}
	return true, nil
}

// write writes a tree of a base alone: in a delta the names would stand that are left out. Where
// pages end depends on paths alone, so most are there already.
func (m *maker) write(ctx context.Context, old tree.Root, patterns *exclude.Patterns) (tree.Root, error) {
	domain := m.session.Domain()
	ids := domain.TreeID()
	w := tree.NewWriter(nil, tree.WriterOptions{
		Key:   domain.PageKey(),
		ID:    func(page []byte) archive.ID { return ids.Sum(page) },
		Seal:  m.trees.Seal,
		Flush: m.trees.Flush,
		Store: m.store,
	})
	for n, err := range tree.Open(old, m.load, tree.OpenOptions{Marks: true}).All(ctx, "") {
		if err != nil {
			return tree.Root{}, err
		}
		if patterns != nil && leaves(patterns, n) {
			continue
		}
		n = n.Clone()
		if err := m.settle(ctx, n); err != nil {
			return tree.Root{}, err
		}
		if err := w.Add(ctx, n, nil, tree.Step{}); err != nil {
			return tree.Root{}, err
		}
	}
	return w.Finish(ctx)
}

func (m *maker) store(ctx context.Context, slot *archive.Slot, page []byte) error {
	known, ok, err := m.index.Lookup(ctx, slot.ID())
	if err != nil {
		return err
	}
	if ok {
		slot.Seal(known.Place)
		return nil
	}
	return m.trees.Add(ctx, slot, page, "page")
}

// settle gives chunks other places that lie where nothing may be relied on: they were copied to
// them.
func (m *maker) settle(ctx context.Context, n *tree.Node) error {
	for i := range n.Chunks {
		c := &n.Chunks[i]
		if c.IsHole() || c.Place.Pack == nil || !m.session.Avoid(c.Place.Pack) {
			continue
		}
		known, ok, err := m.index.Lookup(ctx, c.ID)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("content of %q: %w", n.Path, catalog.ErrCollected)
		}
		c.Place = known.Place
	}
	return nil
}

// commit makes the snapshot exist. What it needs is told as a change to what the old one does,
// where that can be read.
func (m *maker) commit(ctx context.Context, snapshot, old *catalog.Snapshot) error {
	content := catalog.Content{Snapshot: snapshot, Packs: m.packs, Refs: m.refs}
	if rec := m.session.Log.Find(old.ID); rec != nil {
		set, err := m.repo.LoadRefs(ctx, rec.Refs)
		switch {
		case err == nil:
			content.Parent = &catalog.Base{List: rec.Refs, Set: set}
		case !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, store.ErrNotExist):
			return err
		}
	}
	_, err := m.session.Commit(ctx, content)
	return err
}
