// Package tree keeps what a source held at one moment: a sorted list of entries with their chunk
// lists, cut into pages that are themselves chunks. FORMAT.md, "Tree pages", describes the bytes.
//
// A tree is one base run and a few delta runs, each a tree of pages, like a B-tree. Of nodes with
// equal paths the one in the latest run counts, and a delta holds deletions too. Reading merges the
// runs. A Writer that is given the last tree writes what has changed as one more delta, or folds
// runs together when they have become many or large.
//
// The package does no input or output of its own: it is handed functions that store a page and load
// pages.
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
	// ErrFormat is wrapped by all errors about pages that are not as FORMAT.md says.
	ErrFormat = errors.New("malformed tree page")
	// ErrUnsupported is wrapped where a page is of a later version or requires a feature this
	// version lacks.
	ErrUnsupported = errors.New("unsupported tree page")
	// ErrOrder is wrapped where nodes come out of the order of entry.ComparePaths, or twice.
	ErrOrder = errors.New("paths out of order")
	// ErrTooLarge is wrapped where a node's path or metadata is beyond what a page may hold.
	ErrTooLarge = errors.New("entry too large for a tree")
	// ErrPending is wrapped where a tree cannot be finished because a chunk of it has no place yet.
	ErrPending = errors.New("chunk has no place yet")
)

// Node is an entry with its content.
type Node struct {
	entry.Entry
	Chunks []archive.Chunk // the content, in order
	Hash   [32]byte        // of the whole content where it is more than one chunk; zero: not known
}

// CheckContent fails with ErrFormat unless the chunks of a file are as long together as the file,
// and its extents lie in it in order.
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

// Clone copies n so that the copy shares no memory with it that could change.
func (n *Node) Clone() *Node {
	c := *n
	c.Chunks = slices.Clone(n.Chunks)
	return &c
}

// Same tells whether two nodes agree in everything but the places of their chunks.
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

// Root names a tree: its base run, then delta runs, the latest last. It encodes itself as
// deterministic CBOR.
type Root struct {
	Runs    []Run
	Entries uint64 // nodes of the merged tree
	Bytes   uint64 // content of the files among them
}

// Store takes a page to be kept. The slot has the page's id and gets its place when its pack is
// sealed. The page belongs to the caller again when Store returns.
type Store func(ctx context.Context, slot *archive.Slot, page []byte) error

// Load fetches pages and calls each once for every wanted chunk, in any order but one at a time. It
// has checked the ids. A page is valid until each returns.
type Load func(ctx context.Context, want []archive.Chunk, each func(i int, page []byte) error) error

// OpenOptions say how a tree is read. The zero value is good.
type OpenOptions struct {
	// Unusable tells of packs that are about to be deleted, so that neither data nor pages in them
	// may be relied on. It may be called from several goroutines. Nil: all packs are good.
	Unusable func(*archive.Pack) bool
	// Marks lets All, Below, List and Lookup give nodes too that only say that something was there.
	// They have no content and are never restored.
	Marks bool
	// Cache is shared with other trees, and keeps pages of nodes too: for trees that have much in
	// common. Nil: the tree keeps some pages of pages by itself.
	Cache *Cache
}

// Tree reads a tree. It is safe for concurrent use; what it iterates is not.
type Tree struct {
	root     Root
	load     Load
	unusable func(*archive.Pack) bool
	marks    bool
	cache    *Cache
	shared   bool
}

// Open makes a tree readable. Nothing is loaded before it is asked for.
func Open(root Root, load Load, opts OpenOptions) *Tree {
	t := &Tree{root: root, load: load, unusable: opts.Unusable, marks: opts.Marks, cache: opts.Cache, shared: opts.Cache != nil}
	if t.cache == nil {
		t.cache = &Cache{}
	}
	return t
}

// hides tells whether n is a mark, and those are not asked for.
func (t *Tree) hides(n *Node) bool { return !t.marks && n.IsMark() }

// whole is the tree with its marks.
func (t *Tree) whole() *Tree {
	if t == nil || t.marks {
		return t
	}
	all := *t
	all.marks = true
	return &all
}

// Root is what the tree was opened with.
func (t *Tree) Root() Root { return t.root }

// bad tells whether nothing may be kept in this pack.
func (t *Tree) bad(pack *archive.Pack) bool {
	return t.unusable != nil && pack != nil && t.unusable(pack)
}
