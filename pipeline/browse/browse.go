// Package browse looks into the snapshots of a repository: what is in them, what they need, how
// they differ. It changes nothing, and reads content only if that is requested.
package browse

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
)

// Browser looks into the snapshots of one repository. It is not safe for concurrent use.
type Browser struct {
	repo     *catalog.Repository
	o        fetch.Options
	fetchers map[uint64]*fetch.Fetcher
	recent   *Recent
}

// Recent are recently read pages of trees, some of them decoded. Several Browsers of one repository
// may share them.
type Recent struct {
	pages   fetch.RecentPages
	decoded tree.Cache
}

// NewRecent returns room for about twice so many bytes of pages, and some decoded ones; a default if
// 0.
func NewRecent(bytes int) *Recent { return &Recent{pages: fetch.RecentPages{Most: bytes}} }

// New returns a Browser that fetches with these options.
func New(repo *catalog.Repository, o fetch.Options) *Browser { return NewWith(NewRecent(0), repo, o) }

// NewWith returns a Browser that shares the pages that others have read.
func NewWith(recent *Recent, repo *catalog.Repository, o fetch.Options) *Browser {
	return &Browser{repo: repo, o: o, fetchers: map[uint64]*fetch.Fetcher{}, recent: recent}
}

// Fetcher returns a Fetcher for the content of a snapshot.
func (b *Browser) Fetcher(s *catalog.Snapshot) (*fetch.Fetcher, error) {
	if f := b.fetchers[s.Domain]; f != nil {
		return f, nil
	}
	f, err := fetch.New(b.repo, s.Domain, b.o)
	if err != nil {
		return nil, err
	}
	b.fetchers[s.Domain] = f
	return f, nil
}

// Tree opens the tree of one source of a snapshot.
func (b *Browser) Tree(s *catalog.Snapshot, source *catalog.SourceState) (*tree.Tree, error) {
	f, err := b.Fetcher(s)
	if err != nil {
		return nil, err
	}
	return tree.Open(source.Root, b.recent.pages.Load(f.Pages()), tree.OpenOptions{Cache: &b.recent.decoded}), nil
}

// TreeOf returns the tree of a source, an empty one if the snapshot does not have the source.
func (b *Browser) TreeOf(s *catalog.Snapshot, name string) (*tree.Tree, error) {
	source, ok := s.Source(name)
	if !ok {
		return tree.Open(tree.Root{}, nil, tree.OpenOptions{}), nil
	}
	return b.Tree(s, source)
}

// Node returns what is at a spot, in its only source.
func (b *Browser) Node(ctx context.Context, at catalog.Spot) (*tree.Node, error) {
	t, err := b.Tree(at.Snapshot, at.Sources[0])
	if err != nil {
		return nil, err
	}
	return at.Node(ctx, t)
}

// Content writes the content of a file to w.
func (b *Browser) Content(ctx context.Context, s *catalog.Snapshot, node *tree.Node, w io.Writer) error {
	f, err := b.Fetcher(s)
	if err != nil {
		return err
	}
	return f.InOrder(ctx, oneNode(node), fetch.Reading{
		Begin: func(*tree.Node) error { return nil },
		Data: func(data []byte) error {
			if _, err := w.Write(data); err != nil {
				return fmt.Errorf("write the output: %w", err)
			}
			return nil
		},
	})
}

func oneNode(n *tree.Node) iter.Seq2[*tree.Node, error] {
	return func(yield func(*tree.Node, error) bool) { yield(n, nil) }
}
