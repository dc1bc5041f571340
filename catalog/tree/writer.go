package tree

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

const (
	defaultHold = 8 << 20
	foldPercent = 15   // of the base's entries: deltas beyond become part of a new base
	smallBase   = 2048 // entries: a smaller base is always written anew
	maxDeltas   = 3
	deltaRatio  = 4 // of a delta to all later ones: a smaller one is merged with them
)

// WriterOptions determine where a Writer stores its pages. Hold and Settle may be zero, the rest is
// required.
type WriterOptions struct {
	Key   [32]byte                // the tree-page key, which decides where pages end
	ID    func([]byte) archive.ID // with the tree-id key
	Store Store
	// Seal ensures that all stored pages have their places, Flush that they can also be loaded.
	Seal, Flush func(ctx context.Context) error

	// Hold is how many bytes of changed pages stay in memory until Finish decides on the shape of
	// the tree; 8 MiB if zero. Further pages are stored at once, and written again if they are
	// merged into a new base.
	Hold int64
	// Settle seals the data packs, so that pending chunks get their places. It is called when pages
	// that wait for places take some 30 MiB. If nil, they may take more.
	Settle func(ctx context.Context) error
}

// Writer writes a tree, given its nodes in the order of entry.ComparePaths. It is for one
// goroutine.
//
// Without a last tree, nodes go straight into the pages of a base. With one, the Writer keeps only
// the changes: new and changed nodes, and a deletion for each path that the caller skipped. Finish
// makes a delta run of them, or merges them with some or all of the last tree's runs.
type Writer struct {
	opts WriterOptions
	key  pageKey
	prev *Tree // nil or with at least one node
	out  *runWriter

	begun          bool
	last           string
	passed         uint64 // nodes of prev up to last
	entries, bytes uint64
}

// NewWriter begins a tree on top of the last one, which may be nil. Steps passed to Add and Keep
// come from a Merger of this last tree.
func NewWriter(prev *Tree, opts WriterOptions) *Writer {
	if opts.Hold == 0 {
		opts.Hold = defaultHold
	}
	if prev != nil && len(prev.root.Runs) == 0 {
		prev = nil
	}
	w := &Writer{opts: opts, key: newPageKey(opts.Key), prev: prev.whole()}
	w.out = newRunWriter(&w.opts, w.key)
	if prev != nil {
		w.out.hold = opts.Hold
	}
	return w
}

// Add adds a new or changed node. If pending[i] is not nil, it stands for Chunks[i] until its pack
// is sealed, and the value of Chunks[i] does not matter. pending may be shorter than Chunks, or
// nil. Add does not keep n.
func (w *Writer) Add(ctx context.Context, n *Node, pending []*archive.Slot, step Step) error {
	if err := checkSize(n); err != nil {
		return fmt.Errorf("add %q to tree: %w", n.Path, err)
	}
	if err := w.advance(ctx, n.Path, step); err != nil {
		return fmt.Errorf("add %q to tree: %w", n.Path, err)
	}
	w.count(n)
	if err := w.out.addNode(ctx, n, pending, false); err != nil {
		return fmt.Errorf("add %q to tree: %w", n.Path, err)
	}
	return nil
}

// Keep adds the step's old node unchanged. Its chunks must be usable.
func (w *Writer) Keep(ctx context.Context, step Step) error {
	if step.Old == nil {
		return fmt.Errorf("keep node in tree: there is none")
	}
	if err := w.advance(ctx, step.Old.Path, step); err != nil {
		return fmt.Errorf("keep %q in tree: %w", step.Old.Path, err)
	}
	w.count(step.Old)
	return nil
}

// Poll stores pages that waited for chunks whose packs are sealed by now.
func (w *Writer) Poll(ctx context.Context) error { return w.out.poll(ctx) }

func (w *Writer) count(n *Node) {
	w.entries++
	if n.Type == entry.File {
		w.bytes += uint64(n.Size)
	}
}

// advance moves to a path, and deletes what the last tree has before it.
func (w *Writer) advance(ctx context.Context, path string, step Step) error {
	if w.begun && compare(w.last, path) >= 0 {
		return fmt.Errorf("%w: after %q", ErrOrder, w.last)
	}
	passed := step.passed
	if step.Old != nil {
		passed--
	}
	if w.prev != nil && passed > w.passed {
		if err := w.delete(ctx, path, false, passed-w.passed, step.gone); err != nil {
			return err
		}
	}
	w.begun, w.last, w.passed = true, path, max(step.passed, w.passed)
	return nil
}

// delete writes deletions of the n nodes of the last tree between the last path and next, or the
// end.
func (w *Writer) delete(ctx context.Context, next string, toEnd bool, n uint64, known []string) error {
	if n == uint64(len(known)) {
		for _, path := range known {
			if err := w.out.addNode(ctx, &Node{Entry: entry.Entry{Path: path}}, nil, true); err != nil {
				return err
			}
		}
		return nil
	}
	for old, err := range w.prev.All(ctx, w.last) {
		if err != nil {
			return fmt.Errorf("read last tree: %w", err)
		}
		if w.begun && old.Path == w.last {
			continue
		}
		if !toEnd && compare(old.Path, next) >= 0 {
			return nil
		}
		if err := w.out.addNode(ctx, &Node{Entry: entry.Entry{Path: old.Path}}, nil, true); err != nil {
			return err
		}
	}
	return nil
}

// Finish completes the tree and returns its root. The caller must seal the data packs before, so
// that all chunks have their places, and flush the tree packs afterwards, before anything relies on
// the tree. If nothing has changed, the root is that of the last tree.
func (w *Writer) Finish(ctx context.Context) (Root, error) {
	root, err := w.finish(ctx)
	if err != nil {
		return Root{}, fmt.Errorf("finish tree: %w", err)
	}
	return root, nil
}

func (w *Writer) finish(ctx context.Context) (Root, error) {
	if w.prev == nil {
		run, err := w.out.finish(ctx)
		return w.root(nil, run), err
	}
	if left := w.prev.root.Entries; left > w.passed {
		if err := w.delete(ctx, "", true, left-w.passed, nil); err != nil {
			return Root{}, err
		}
	}
	w.out.level(0).close()
	if err := w.out.poll(ctx); err != nil {
		return Root{}, err
	}
	good, err := w.good(ctx)
	if err != nil {
		return Root{}, err
	}
	runs := w.prev.root.Runs
	if w.out.entries == 0 && good == len(runs) {
		return w.prev.root, nil
	}
	from := min(good, mergeFrom(runs, w.out.entries))
	if from == len(runs) {
		err = w.out.release(ctx)
		if err != nil {
			return Root{}, err
		}
		run, err := w.out.finish(ctx)
		return w.root(runs, run), err
	}
	run, err := w.merge(ctx, from)
	return w.root(runs[:from], run), err
}

func (w *Writer) root(runs []Run, last Run) Root {
	root := Root{Entries: w.entries, Bytes: w.bytes}
	root.Runs = append(root.Runs, runs...)
	if !last.empty() {
		root.Runs = append(root.Runs, last)
	}
	return root
}

// mergeFrom returns the index from which runs are merged, given the number of changes. All are
// merged into a new base when the deltas are a good part of the old one; deltas stay few, and each
// much larger than all after it.
func mergeFrom(runs []Run, changes uint64) int {
	base := runs[0].Entries
	sum := changes
	for _, run := range runs[1:] {
		sum += run.Entries
	}
	if base <= smallBase || sum*100 > base*foldPercent {
		return 0
	}
	from, sum := len(runs), changes
	for from > 1 && (from > maxDeltas || runs[from-1].Entries < deltaRatio*sum) {
		from--
		sum += runs[from].Entries
	}
	return from
}

// good returns how many of the last tree's first runs have all their pages in usable packs.
func (w *Writer) good(ctx context.Context) (int, error) {
	runs := w.prev.root.Runs
	if w.prev.unusable == nil {
		return len(runs), nil
	}
	for i := range runs {
		for page, err := range w.prev.pageChunks(ctx, runs[i:i+1]) {
			if err != nil {
				return 0, fmt.Errorf("read last tree: %w", err)
			}
			if w.prev.bad(page.Chunk.Place.Pack) {
				return i, nil
			}
		}
	}
	return len(runs), nil
}
