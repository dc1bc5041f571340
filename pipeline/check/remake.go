package check

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
)

// remaking makes pages of trees again. A page says where chunks lie, so another repository has other
// pages. It has the same nodes, and with the places of this repository a Writer makes the same pages
// of them. The ids show whether it did.
type remaking struct {
	*giver
	domain crypto.Domain
	index  *index.Index // of repo
	lost   map[archive.ID]bool
	made   map[archive.ID][]byte
}

// remade passes lost pages to store, as far as copies of their snapshots make them again.
func (g *giver) remade(ctx context.Context, domain crypto.Domain, shared bool, want []Lost, store func(i int, data []byte) error) (map[int]error, error) {
	m := &remaking{giver: g, domain: domain, index: g.repo.NewIndex(), lost: map[archive.ID]bool{}, made: map[archive.ID][]byte{}}
	defer m.index.Close()
	for i := range want {
		m.lost[want[i].Chunk.ID] = true
	}
	if shared {
		if err := m.all(ctx, want); err != nil {
			return nil, err
		}
	}
	lacking := map[int]error{}
	for i := range want {
		page := m.made[want[i].Chunk.ID]
		if page == nil {
			lacking[i] = errNoPage
		} else if err := store(i, page); err != nil {
			return nil, err
		}
	}
	return lacking, nil
}

// errNoPage: a page cannot be made again.
var errNoPage = fmt.Errorf("the list of files cannot be made again: %w", errNotGiven)

// all makes again the trees that have lost pages.
func (m *remaking) all(ctx context.Context, want []Lost) error {
	if _, err := m.repo.LoadIndex(ctx, m.log, m.index, nil); err != nil {
		return err
	}
	reader := m.repo.RefsReader()
	for _, s := range m.snapshots {
		if len(m.made) == len(m.lost) {
			return nil
		}
		twin := m.twins[s.ID]
		if twin == nil {
			continue
		}
		refs, err := reader.Load(ctx, m.log.Find(s.ID).Refs)
		if away := store.Unavailable(ctx, err); away != nil {
			return away
		}
		if err != nil || !slices.ContainsFunc(want, func(l Lost) bool { return named(refs, l.Chunk.Place) }) {
			continue
		}
		if err := m.snapshot(ctx, s, twin, refs); err != nil {
			return err
		}
	}
	return nil
}

// snapshot makes the trees of one snapshot again. A copy that is damaged itself makes none.
func (m *remaking) snapshot(ctx context.Context, s, twin *catalog.Snapshot, refs *archive.RefSet) error {
	for i := range s.Sources {
		state, ok := twin.Source(s.Sources[i].Name)
		if !ok {
			continue
		}
		nodes, err := m.giver.tree(twin, state)
		if err == nil {
			err = m.tree(ctx, nodes, refs)
		}
		if away := store.Unavailable(ctx, err); away != nil {
			return away
		}
	}
	return nil
}

// tree writes the nodes of a copy as a tree of this repository, and keeps the pages that are lost.
func (m *remaking) tree(ctx context.Context, copied *tree.Tree, refs *archive.RefSet) error {
	ids := m.domain.TreeID()
	w := tree.NewWriter(nil, tree.WriterOptions{
		Key: m.domain.PageKey(), ID: func(page []byte) archive.ID { return archive.ID(ids.Sum(page)) },
		Seal: done, Flush: done,
		Store: func(ctx context.Context, slot *archive.Slot, page []byte) error {
			if m.lost[slot.ID()] && m.made[slot.ID()] == nil {
				m.made[slot.ID()] = bytes.Clone(page)
			}
			place, err := m.place(ctx, slot.ID(), refs)
			slot.Seal(place)
			return err
		},
	})
	for node, err := range copied.All(ctx, "") {
		if err != nil {
			return err
		}
		n := node.Clone()
		for i := range n.Chunks {
			if n.Chunks[i].IsHole() {
				continue
			}
			if n.Chunks[i].Place, err = m.place(ctx, n.Chunks[i].ID, refs); err != nil {
				return err
			}
		}
		if err := w.Add(ctx, n, nil, tree.Step{}); err != nil {
			return err
		}
	}
	_, err := w.Finish(ctx)
	return err
}

func done(context.Context) error { return nil }

// nowhere is the place of what this repository does not have: what names it is no page of it.
var nowhere = archive.Place{Pack: &archive.Pack{Kind: archive.Data}, Stored: 1}

// place returns where a snapshot has a chunk.
func (m *remaking) place(ctx context.Context, id archive.ID, refs *archive.RefSet) (archive.Place, error) {
	places, err := m.index.Places(ctx, id)
	if err != nil {
		return archive.Place{}, err
	}
	for _, at := range places {
		if named(refs, at.Place) {
			return at.Place, nil
		}
	}
	return nowhere, nil
}
