package copy

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/inflight"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/source"
)

// original is a source of a snapshot, as the source of its copy.
type original struct {
	copier    *Copier
	snapshot  *catalog.Snapshot
	state     *catalog.SourceState
	sameNames bool
	tree      *tree.Tree
	base      *tree.Tree // which the repository has a copy of already; nil: none
	baseError error
	known     func(ctx context.Context, id archive.ID) (bool, error)
	fetcher   *fetch.Fetcher
	ahead     *fetch.Ahead
}

func (c *Copier) open(ctx context.Context, s *catalog.Snapshot, state *catalog.SourceState, sameNames bool) (source.Source, error) {
	f, err := c.fetcher(s.Domain)
	if err != nil {
		return nil, err
	}
	t, err := c.tree(s, state)
	if err != nil {
		return nil, err
	}
	return &original{copier: c, snapshot: s, state: state, sameNames: sameNames, tree: t, fetcher: f, ahead: f.Ahead(ctx)}, nil
}

// Class implements source.Source. Content that must be cut again is cut like that of its source.
func (o *original) Class() source.Class {
	switch o.state.Type {
	case "lake":
		return source.ClassLarge
	case "database", "command":
		return source.ClassSmall
	}
	return source.ClassMedium
}

// Readers implements source.Distant. If the copy is interrupted, what was read and cut of a distant
// repository is remembered. If ids are the same in both, the repository itself remembers it.
func (o *original) Readers() int {
	if o.sameNames || inflight.Of(o.copier.from.Store) == nil {
		return 0
	}
	return 1 // as many as processors: what is fetched is fetched ahead of them
}

// Begin implements backup.Copied.
func (o *original) Begin(since *catalog.Origin, known func(context.Context, archive.ID) (bool, error)) {
	o.known = known
	if since != nil && since.Repository == o.copier.from.Format.Repository {
		o.base, o.baseError = o.copier.sameSource(o.copier.byID[since.Snapshot], o.state)
	}
}

// Detail implements source.Source. A tree returns all details at once.
func (o *original) Detail(context.Context, *entry.Entry) error { return nil }

// Open implements source.Source. It is never called, since content comes with the walk.
func (o *original) Open(context.Context, *entry.Entry) (source.File, error) {
	return nil, fmt.Errorf("a snapshot is not opened file by file: %w", source.ErrFailed)
}

// Close implements source.Source.
func (o *original) Close() error {
	o.ahead.Close()
	return nil
}

// Walk implements source.Source. v is a backup.Copier.
func (o *original) Walk(ctx context.Context, v source.Visitor) error {
	to, ok := v.(backup.Copier)
	if !ok {
		return errors.New("a snapshot is copied by a backup alone")
	}
	if o.baseError != nil {
		return unreadable(o.baseError)
	}
	w := &window{original: o, to: to}
	changes := follow(ctx, o.base, o.tree)
	defer changes.stop()
	for n, err := range o.tree.All(ctx, "") {
		if err != nil {
			return o.fault(ctx, err)
		}
		same, err := changes.spares(n.Path)
		if err != nil {
			return o.fault(ctx, err)
		}
		if err := w.add(ctx, n.Clone(), same); err != nil {
			return err
		}
	}
	return w.hand(ctx)
}

func (o *original) fault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return unreadable(err)
}

// window is a number of nodes that are copied together, so that neighbouring content is fetched
// together.
type window struct {
	*original
	to     backup.Copier
	nodes  []*tree.Node
	same   []bool
	chunks int
}

func (w *window) add(ctx context.Context, n *tree.Node, same bool) error {
	w.nodes, w.same, w.chunks = append(w.nodes, n), append(w.same, same), w.chunks+len(n.Chunks)
	if len(w.nodes) < fetch.WindowNodes && w.chunks < fetch.WindowChunks {
		return nil
	}
	return w.hand(ctx)
}

// hand requests the content of the window, and passes on its nodes.
func (w *window) hand(ctx context.Context) error {
	contents := make([]*content, len(w.nodes))
	var lists [][]archive.Chunk
	var of []*content
	seen, names := map[archive.ID]bool{}, map[[2]uint64]bool{}
	for i, n := range w.nodes {
		contents[i] = &content{original: w.original, chunks: n.Chunks}
		if w.same[i] || n.Type != entry.File || again(names, n) {
			continue
		}
		list, err := w.want(ctx, contents[i], seen)
		if err != nil {
			return err
		}
		lists, of = append(lists, list), append(of, contents[i])
	}
	for i, flow := range w.ahead.Add(lists...) {
		of[i].flow = flow
	}
	for i, n := range w.nodes {
		if n.IsMark() {
			source.Leave(w.to, n.Path, n.Unknown)
			continue
		}
		if err := w.to.Copy(n, w.same[i], contents[i]); err != nil {
			return err
		}
	}
	w.nodes, w.same, w.chunks = nil, nil, 0
	return nil
}

// again reports whether n is another name of a file whose content was requested already.
func again(names map[[2]uint64]bool, n *tree.Node) bool {
	if n.Links < 2 || n.Inode == 0 {
		return false
	}
	key := [2]uint64{n.Device, n.Inode}
	known := names[key]
	names[key] = true
	return known
}

// want returns the chunks of a file that will probably be needed: all if the file is cut again,
// else those that the repository lacks, each once.
func (o *original) want(ctx context.Context, c *content, seen map[archive.ID]bool) (list []archive.Chunk, err error) {
	for i := range c.chunks {
		chunk := c.chunks[i]
		if chunk.IsHole() {
			continue
		}
		if o.known != nil {
			there := seen[chunk.ID]
			if !there {
				if there, err = o.known(ctx, chunk.ID); err != nil {
					return nil, err
				}
			}
			seen[chunk.ID] = true
			if there {
				continue
			}
		}
		list, c.planned = append(list, chunk), append(c.planned, i)
	}
	return list, nil
}

// content is a file's content, being fetched for its copy.
type content struct {
	original *original
	chunks   []archive.Chunk
	planned  []int          // numbers of the chunks that come
	flow     *fetch.Content // by which they do; nil: nothing was planned
	single   []byte
}

// Piece implements backup.Content.
func (c *content) Piece(ctx context.Context, i int) ([]byte, error) {
	if c.flow == nil {
		c.plan(i)
	}
	for len(c.planned) > 0 && c.planned[0] <= i {
		data, err := c.flow.Next()
		if err != nil {
			return nil, err
		}
		number := c.planned[0]
		if c.planned = c.planned[1:]; number == i {
			return data, nil
		}
	}
	return c.fetch(ctx, i)
}

// plan requests all chunks from one on.
func (c *content) plan(from int) {
	var list []archive.Chunk
	for i := from; i < len(c.chunks); i++ {
		if !c.chunks[i].IsHole() {
			list, c.planned = append(list, c.chunks[i]), append(c.planned, i)
		}
	}
	c.flow = c.original.ahead.Add(list)[0]
}

// fetch reads a chunk that was not planned.
func (c *content) fetch(ctx context.Context, i int) ([]byte, error) {
	missing, err := c.original.fetcher.Each(ctx, c.chunks[i:i+1], func(_ int, data []byte) error {
		c.single = append(c.single[:0], data...)
		return nil
	})
	if err == nil && len(missing) > 0 {
		err = missing[0].Err
	}
	return c.single, err
}

// Close implements backup.Content.
func (c *content) Close() {
	if c.flow != nil {
		c.flow.Close()
	}
}

// changes iterates over the paths in which a tree differs from an earlier one.
type changes struct {
	next func() (tree.Change, error, bool)
	stop func()
	now  *tree.Change // nil: no more
	all  bool         // there is no earlier one
}

func follow(ctx context.Context, old, now *tree.Tree) *changes {
	if old == nil {
		return &changes{all: true, stop: func() {}}
	}
	c := &changes{}
	c.next, c.stop = iter.Pull2(tree.Diff(ctx, old, now))
	return c
}

// spares reports whether the node at a path is unchanged. Paths must ascend.
func (c *changes) spares(path string) (bool, error) {
	if c.all {
		return false, nil
	}
	for c.next != nil && (c.now == nil || entry.ComparePaths(c.now.Path, path) < 0) {
		change, err, more := c.next()
		if err != nil {
			return false, err
		}
		if c.now = &change; !more {
			c.next, c.now = nil, nil
		}
	}
	return c.now == nil || c.now.Path != path, nil
}

// differing yields the nodes of a tree that differ from an earlier one, or all if there is none.
func differing(ctx context.Context, old, now *tree.Tree) iter.Seq2[*tree.Node, error] {
	if old == nil {
		return now.All(ctx, "")
	}
	return func(yield func(*tree.Node, error) bool) {
		for change, err := range tree.Diff(ctx, old, now) {
			if err == nil && change.New == nil {
				continue
			}
			if !yield(change.New, err) {
				return
			}
		}
	}
}
