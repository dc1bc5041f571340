// Package tree stores what a source held at one moment: a sorted list of entries with their chunk
// lists, cut into pages that are themselves chunks. FORMAT.md, "Tree pages", describes the bytes.
//
// A tree is one base run and a few delta runs, each a tree of pages, like a B-tree. Of nodes with
// equal paths the one in the latest run counts, and a delta holds deletions too. Readers merge the
// runs. A Writer that is given the last tree writes the changes as one more delta, or merges runs
// when they have become many or large, like a log-structured merge tree.
//
// The package does no I/O of its own: callers pass functions that store and load pages.
package tree

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

var (
	// ErrFormat is wrapped by errors about pages that do not follow FORMAT.md.
	ErrFormat = errors.New("malformed tree page")
	// ErrUnsupported is wrapped by errors about pages of a later version, or that require a feature
	// that this version lacks.
	ErrUnsupported = errors.New("unsupported tree page")
	// ErrOrder is wrapped by errors about nodes that are not in the order of entry.ComparePaths, or
	// occur twice.
	ErrOrder = errors.New("paths out of order")
	// ErrTooLarge is wrapped by errors about nodes whose path or metadata exceeds what a page may
	// hold.
	ErrTooLarge = errors.New("entry too large for a tree")
	// ErrPending is wrapped if a tree cannot be finished because one of its chunks has no place
	// yet.
	ErrPending = errors.New("chunk has no place yet")
)

// Node is an entry with its content.
type Node struct {
	entry.Entry
	Chunks []archive.Chunk // the content, in order
	Hash   [32]byte        // of the whole content where it is more than one chunk; zero: not known
}

// CheckContent fails with ErrFormat unless the chunks of a file add up to its size, and its extents
// are inside it and in order.
func (n *Node) CheckContent() error {
	if n.Type != entry.File || n.IsMark() {
		return nil
	}
	length := uint64(0)
	for i := range n.Chunks {
		length += uint64(n.Chunks[i].Length)
	}
	if n.Size < 0 || length != uint64(n.Size) {
		return malformed("%q has %d bytes, its chunks have %d", n.Path, n.Size, length)
	}
	end := int64(0)
	for _, e := range n.Extents {
		if e.Offset < end || e.Length < 0 || e.Length > n.Size-e.Offset {
			return malformed("%q has data at %d, %d bytes, where it cannot be", n.Path, e.Offset, e.Length)
		}
		end = e.Offset + e.Length
	}
	return nil
}

// Clone returns a copy of n that shares no memory with it that could change.
func (n *Node) Clone() *Node {
	c := *n
	c.Chunks = slices.Clone(n.Chunks)
	return &c
}

// Same reports whether two nodes are equal except for the places of their chunks.
func Same(a, b *Node) bool {
	return sameScalars(&a.Entry, &b.Entry) &&
		a.Hash == b.Hash &&
		slices.EqualFunc(a.Xattrs, b.Xattrs, sameAttribute) &&
		slices.EqualFunc(a.Remote, b.Remote, sameAttribute) &&
		(a.Extents == nil) == (b.Extents == nil) &&
		slices.Equal(a.Extents, b.Extents) &&
		slices.EqualFunc(a.Chunks, b.Chunks, sameChunk)
}

func sameScalars(a, b *entry.Entry) bool {
	return a.Path == b.Path && a.Type == b.Type && a.Mode == b.Mode && a.Size == b.Size &&
		a.UID == b.UID && a.GID == b.GID && a.User == b.User && a.Group == b.Group &&
		a.ModTime == b.ModTime && a.ChangeTime == b.ChangeTime &&
		a.Device == b.Device && a.Inode == b.Inode && a.Links == b.Links && a.NodeDevice == b.NodeDevice &&
		a.Target == b.Target && a.Identity == b.Identity && a.Fuzzy == b.Fuzzy &&
		a.Known == b.Known && a.Unknown == b.Unknown
}

func sameAttribute(a, b entry.Attribute) bool {
	return a.Name == b.Name && bytes.Equal(a.Value, b.Value)
}

func sameChunk(a, b archive.Chunk) bool { return a.ID == b.ID && a.Length == b.Length }

// Run is one sorted run: a tree of pages. Its zero value is an empty run.
type Run struct {
	Top     archive.Chunk // the page at the top
	Height  uint8         // levels below the top: 0 where the top holds nodes itself
	Entries uint64        // nodes and deletions
	Bytes   uint64        // content of the files among them
}

// Root identifies a tree: its base run, then delta runs, the latest last. It encodes itself as
// deterministic CBOR.
type Root struct {
	Runs    []Run
	Entries uint64 // nodes of the merged tree
	Bytes   uint64 // content of the files among them
}

// Store stores a page. The slot has the page's id, and gets its place when its pack is sealed.
// Store must not keep page after it returns.
type Store func(ctx context.Context, slot *archive.Slot, page []byte) error

// Load fetches pages and calls each once for every wanted chunk, in any order but one at a time. It
// must check the ids. A page is valid until each returns.
type Load func(ctx context.Context, want []archive.Chunk, each func(i int, page []byte) error) error

// OpenOptions configure how a tree is read. The zero value is ready for use.
type OpenOptions struct {
	// Unusable reports whether a pack is about to be deleted, so that neither data nor pages in it
	// may be relied on. It must be safe for concurrent use. nil means that all packs are usable.
	Unusable func(*archive.Pack) bool
	// Marks makes All, Below, List and Lookup yield also nodes that only say that something
	// existed. They have no content and are never restored.
	Marks bool
	// Cache, if set, is shared with other trees, and holds pages of nodes too. It suits trees that
	// have much in common. If nil, the tree caches only some pages of pages.
	Cache *Cache
}

// Tree reads a tree. It is safe for concurrent use; its iterators are not.
type Tree struct {
	root     Root
	load     Load
	unusable func(*archive.Pack) bool
	marks    bool
	cache    *Cache
	shared   bool
}

// Open returns a reader of a tree. It loads nothing before it is needed.
func Open(root Root, load Load, opts OpenOptions) *Tree {
	t := &Tree{root: root, load: load, unusable: opts.Unusable, marks: opts.Marks, cache: opts.Cache, shared: opts.Cache != nil}
	if t.cache == nil {
		t.cache = &Cache{}
	}
	return t
}

// hides reports whether n is a mark and marks are not wanted.
func (t *Tree) hides(n *Node) bool { return !t.marks && n.IsMark() }

// whole returns the tree with its marks.
func (t *Tree) whole() *Tree {
	if t == nil || t.marks {
		return t
	}
	all := *t
	all.marks = true
	return &all
}

// Root returns the root with which the tree was opened.
func (t *Tree) Root() Root { return t.root }

// bad reports whether a pack is unusable.
func (t *Tree) bad(pack *archive.Pack) bool {
	return t.unusable != nil && pack != nil && t.unusable(pack)
}
