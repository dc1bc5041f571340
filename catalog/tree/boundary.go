package tree

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// The weights that decide where pages end. They belong to the writer, not to the format: a reader
// accepts any pages.
const (
	pageWeight   = 1 << 14 // mean of a page
	pageLimit    = 1 << 17 // a page that has reached it ends
	rowWeight    = 64      // of any row, with its first chunk
	chunkWeight  = 40      // of every further chunk
	extentWeight = 12
	attrWeight   = 8   // of an attribute, besides its bytes
	freePath     = 256 // bytes of path that weigh nothing, since paths are front-coded
	freeNames    = 64  // bytes of user and group
)

// Limits on which a reader relies too.
const (
	maxPage    = 4 << 20               // bytes of a page
	maxRows    = pageLimit / rowWeight // of a page
	maxPaths   = 1 << 20               // bytes of all paths of a page
	maxPath    = 32 << 10              // bytes of one path
	maxOwn     = 512 << 10             // bytes of one node's names, target, attributes and identity
	maxHeight  = 32
	rowChunks  = 512 // chunks of one row
	rowExtents = 1024

	maxNodeChunks  = 1 << 25 // of one node
	maxNodeExtents = 1 << 25
)

// pageKey decides where pages end: SipHash-2-4 with the first 16 bytes of the tree-page key.
type pageKey struct{ k0, k1 uint64 }

func newPageKey(key [32]byte) pageKey {
	return pageKey{binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:16])}
}

// ends reports whether a page of this height ends after a row of this weight. The probability is
// weight/pageWeight, whatever comes before, so an edit moves no other boundary.
func (k pageKey) ends(height uint8, path string, weight int) bool {
	return k.hash(height, path)>>50 < uint64(weight)
}

func (k pageKey) hash(height uint8, s string) uint64 {
	k1 := k.k1 ^ uint64(height)
	v := sipState{k.k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k.k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	last := uint64(len(s)) << 56
	for ; len(s) >= 8; s = s[8:] {
		v.word(load64(s))
	}
	for i := range len(s) {
		last |= uint64(s[i]) << (8 * i)
	}
	v.word(last)
	v.v2 ^= 0xff
	for range 4 {
		v.round()
	}
	return v.v0 ^ v.v1 ^ v.v2 ^ v.v3
}

type sipState struct{ v0, v1, v2, v3 uint64 }

func (v *sipState) word(m uint64) {
	v.v3 ^= m
	v.round()
	v.round()
	v.v0 ^= m
}

func (v *sipState) round() {
	v.v0 += v.v1
	v.v1 = bits.RotateLeft64(v.v1, 13) ^ v.v0
	v.v0 = bits.RotateLeft64(v.v0, 32)
	v.v2 += v.v3
	v.v3 = bits.RotateLeft64(v.v3, 16) ^ v.v2
	v.v0 += v.v3
	v.v3 = bits.RotateLeft64(v.v3, 21) ^ v.v0
	v.v2 += v.v1
	v.v1 = bits.RotateLeft64(v.v1, 17) ^ v.v2
	v.v2 = bits.RotateLeft64(v.v2, 32)
}

// The kinds of rows other than a whole node.
const (
	rowMore    = 1 << 0 // the node goes on in the next row
	rowResumes = 1 << 1 // goes on with the node of the row before: only chunks and extents count
	rowDeleted = 1 << 2 // the path is deleted: nothing else counts
	rowFuzzy   = 1 << 3 // the node's content changed while it was read
)

// row is one row of a page of nodes. A node with long lists takes several rows.
type row struct {
	node    *Node
	flags   uint8
	chunks  []archive.Chunk
	slots   []*archive.Slot // nil, or beside chunks: non-nil where the place is still unknown
	extents []entry.Extent
}

// weight returns what the row adds to a page.
func (r *row) weight() int {
	w := rowWeight + max(0, len(r.node.Path)-freePath)
	if r.flags&rowDeleted != 0 {
		return w
	}
	w += chunkWeight*max(0, len(r.chunks)-1) + extentWeight*len(r.extents)
	if r.flags&rowResumes == 0 {
		n := r.node
		w += len(n.Target) + len(n.Identity) + max(0, len(n.User)+len(n.Group)-freeNames) + attributesWeight(n.Xattrs) + attributesWeight(n.Remote)
	}
	return w
}

func attributesWeight(list []entry.Attribute) int {
	w := 0
	for i := range list {
		w += attrWeight + len(list[i].Name) + len(list[i].Value)
	}
	return w
}

// end returns what decides whether a page ends here: the path and, if the node takes several rows,
// the last chunk.
func (r *row) end() string {
	if r.flags&(rowMore|rowResumes) == 0 || len(r.chunks) == 0 {
		return r.node.Path
	}
	id := r.id(len(r.chunks) - 1)
	return r.node.Path + "\x00" + string(id[:])
}

// id returns the id of the i-th chunk, which may still have no place.
func (r *row) id(i int) archive.ID {
	if i < len(r.slots) && r.slots[i] != nil {
		return r.slots[i].ID()
	}
	return r.chunks[i].ID
}

// checkSize refuses nodes that would make a page too large.
func checkSize(n *Node) error {
	if len(n.Path) > maxPath {
		return fmt.Errorf("%w: path of %d bytes", ErrTooLarge, len(n.Path))
	}
	own := len(n.Target) + len(n.Identity) + len(n.User) + len(n.Group) + attributesWeight(n.Xattrs) + attributesWeight(n.Remote)
	if own > maxOwn {
		return fmt.Errorf("%w: %d bytes of metadata", ErrTooLarge, own)
	}
	return nil
}

// fitsRow reports whether a node takes a single row.
func fitsRow(n *Node) bool { return len(n.Chunks) <= rowChunks && len(n.Extents) <= rowExtents }

// split divides a node into rows and passes them to each, in order. It cuts long chunk lists where
// a chunk's id begins with a zero byte, so that an edit in a large file changes only the rows
// around it.
func split(n *Node, slots []*archive.Slot, each func(*row) error) error {
	whole := row{node: n, chunks: n.Chunks, slots: slots, extents: n.Extents}
	var flags uint8
	for {
		r := row{node: n, flags: flags}
		r.extents = whole.extents[:min(len(whole.extents), rowExtents)]
		cut := whole.cut()
		r.chunks = whole.chunks[:cut]
		r.slots = whole.slots[:min(cut, len(whole.slots))]
		whole.extents = whole.extents[len(r.extents):]
		whole.chunks = whole.chunks[cut:]
		whole.slots = whole.slots[len(r.slots):]
		if len(whole.chunks)+len(whole.extents) == 0 {
			return each(&r)
		}
		r.flags |= rowMore
		if err := each(&r); err != nil {
			return err
		}
		flags = rowResumes
	}
}

// cut returns how many of the chunks go into the next row.
func (r *row) cut() int {
	n := min(len(r.chunks), rowChunks)
	for i := range n {
		if r.id(i)[0] == 0 {
			return i + 1
		}
	}
	return n
}
