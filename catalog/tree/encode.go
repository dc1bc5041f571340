package tree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// builder collects the rows of one page, column by column, so that a page that waits for places
// holds no nodes.
type builder struct {
	w      wire // the columns so far; those of chunks, frames and packs follow in encode
	weight int

	first, last string // paths
	resumes     bool   // the first row goes on with the node of the page before
	entries     uint64 // nodes and deletions that begin here, or below
	bytes       uint64 // their content

	classes   map[class]uint64
	lastClass class
	lastIndex uint64
	attrs     map[string]uint64

	mtime int64 // seconds, of the last row
	inode uint64

	// The last row with a value, of each sparse column.
	atDevice, atTarget, atIdentity, atHash, atExtents, atXattrs, atRemote, atUnknown sparse

	chunks  []archive.Chunk
	slots   []*archive.Slot // beside chunks; nil where the place is known
	singles []int64         // beside chunks: the size of the node that is this one chunk, or 0
	waiting int             // chunks before this one have their place

	tables tables
}

// class is the properties that many nodes of a page share.
type class struct {
	kind        entry.Type
	mode        uint32
	uid, gid    uint32
	links       uint32
	device      uint64
	user, group string
	known       entry.Facts
}

// sparse is the row after the last one with a value, in a column that few rows have.
type sparse uint64

// append encodes that row has the value that follows: as its distance, at least 1, from the
// previous row with a value.
func (s *sparse) append(b []byte, row uint64) []byte {
	b = binary.AppendUvarint(b, row+1-uint64(*s))
	*s = sparse(row + 1)
	return b
}

func newBuilder(height uint8) *builder {
	b := &builder{classes: make(map[class]uint64), attrs: make(map[string]uint64)}
	b.reset(height)
	return b
}

// reset empties the builder for another page. It keeps its memory.
func (b *builder) reset(height uint8) {
	clear(b.classes)
	clear(b.attrs)
	clear(b.slots)
	clear(b.chunks)
	b.tables.reset()
	*b = builder{
		w: b.w.emptied(), classes: b.classes, attrs: b.attrs, tables: b.tables,
		chunks: b.chunks[:0], slots: b.slots[:0], singles: b.singles[:0],
	}
	b.w.Version, b.w.Height = pageVersion, uint64(height)
}

// add appends a row to a page of nodes.
func (b *builder) add(r *row) {
	n := r.node
	b.path(n.Path, r.flags&rowResumes != 0)
	flags := r.flags
	if n.Fuzzy && flags&(rowResumes|rowDeleted) == 0 {
		flags |= rowFuzzy
	}
	b.w.Flags = append(b.w.Flags, flags)
	if r.flags&rowResumes == 0 {
		b.entries++
	}
	if r.flags&rowDeleted == 0 {
		if r.flags&rowResumes == 0 {
			b.metadata(n)
		}
		b.extents(r.extents)
		b.content(r)
	}
	b.weight += r.weight()
	b.w.Rows++
}

// addRef appends a row to a page of pages.
func (b *builder) addRef(r *ref, slot *archive.Slot) {
	b.path(r.first, false)
	var flags uint8
	if r.resumes {
		flags = rowResumes
	}
	b.w.Flags = append(b.w.Flags, flags)
	b.w.BelowEntries = binary.AppendUvarint(b.w.BelowEntries, r.entries)
	b.w.BelowBytes = binary.AppendUvarint(b.w.BelowBytes, r.bytes)
	b.chunk(r.chunk, slot, 0)
	if b.w.Rows == 0 {
		b.resumes = r.resumes
	}
	b.entries += r.entries
	b.bytes += r.bytes
	b.weight += r.weight()
	b.w.Rows++
}

func (b *builder) path(path string, resumes bool) {
	shared := commonPrefix(b.last, path)
	b.w.PathShared = binary.AppendUvarint(b.w.PathShared, uint64(shared))
	b.w.PathLength = binary.AppendUvarint(b.w.PathLength, uint64(len(path)-shared))
	b.w.PathBytes = append(b.w.PathBytes, path[shared:]...)
	if b.w.Rows == 0 {
		b.first, b.resumes = path, resumes
	}
	b.last = path
}

// metadata appends what a node has besides its path and content.
func (b *builder) metadata(n *Node) {
	b.w.Class = binary.AppendUvarint(b.w.Class, b.class(n))
	b.w.Size = binary.AppendUvarint(b.w.Size, uint64(n.Size))
	if n.Type == entry.File {
		b.bytes += uint64(n.Size)
	}
	b.times(n)
	b.w.Inode = appendSigned(b.w.Inode, int64(n.Inode-b.inode))
	b.inode = n.Inode
	b.rare(n)
}

func (b *builder) class(n *Node) uint64 {
	c := class{n.Type, n.Mode, n.UID, n.GID, n.Links, n.Device, n.User, n.Group, n.Known}
	if len(b.classes) > 0 && c == b.lastClass {
		return b.lastIndex
	}
	i, known := b.classes[c]
	if !known {
		i = uint64(len(b.classes))
		b.classes[c] = i
		b.newClass(&c)
	}
	b.lastClass, b.lastIndex = c, i
	return i
}

func (b *builder) newClass(c *class) {
	w := &b.w
	w.ClassType = binary.AppendUvarint(w.ClassType, uint64(c.kind))
	w.ClassMode = binary.AppendUvarint(w.ClassMode, uint64(c.mode))
	w.ClassUID = binary.AppendUvarint(w.ClassUID, uint64(c.uid))
	w.ClassGID = binary.AppendUvarint(w.ClassGID, uint64(c.gid))
	w.ClassUser = appendText(w.ClassUser, c.user)
	w.ClassGroup = appendText(w.ClassGroup, c.group)
	w.ClassDevice = binary.AppendUvarint(w.ClassDevice, c.device)
	w.ClassLinks = binary.AppendUvarint(w.ClassLinks, uint64(c.links))
	w.ClassKnown = binary.AppendUvarint(w.ClassKnown, uint64(c.known))
}

// times appends mtime relative to the previous row, and ctime relative to mtime.
func (b *builder) times(n *Node) {
	m, c := n.ModTime, n.ChangeTime
	b.requireWide(m)
	b.requireWide(c)
	b.w.MTime = appendSigned(b.w.MTime, m.Seconds-b.mtime)
	b.w.MTimeNanos = binary.LittleEndian.AppendUint32(b.w.MTimeNanos, m.Nanos)
	b.mtime = m.Seconds
	if c.IsZero() {
		b.w.CTime = append(b.w.CTime, 0)
		b.w.CTimeNanos = append(b.w.CTimeNanos, 0, 0, 0, 0)
		return
	}
	b.w.CTime = binary.AppendUvarint(b.w.CTime, 1+zigzag(c.Seconds-m.Seconds))
	b.w.CTimeNanos = binary.LittleEndian.AppendUint32(b.w.CTimeNanos, c.Nanos^m.Nanos)
}

// requireWide requires a feature of readers if 64 bits cannot hold the time in nanoseconds.
func (b *builder) requireWide(t entry.Time) {
	if _, fits := t.Nanoseconds(); !fits {
		b.require(featureTimes)
	}
}

// require records a feature that a reader of the page must support, since it would misread the page
// without.
func (b *builder) require(feature string) {
	at, there := slices.BinarySearch(b.w.Requires, feature)
	if !there {
		b.w.Requires = slices.Insert(b.w.Requires, at, feature)
	}
}

// rare appends the properties that few nodes have.
func (b *builder) rare(n *Node) {
	w, at := &b.w, b.w.Rows
	if n.NodeDevice != 0 {
		w.NodeDevice = binary.AppendUvarint(b.atDevice.append(w.NodeDevice, at), n.NodeDevice)
	}
	if n.Target != "" {
		w.Target = appendText(b.atTarget.append(w.Target, at), n.Target)
	}
	if n.Identity != "" {
		w.Identity = appendText(b.atIdentity.append(w.Identity, at), n.Identity)
	}
	if n.Hash != [32]byte{} {
		w.Hash = append(b.atHash.append(w.Hash, at), n.Hash[:]...)
	}
	if len(n.Xattrs) > 0 {
		w.Xattrs = binary.AppendUvarint(b.atXattrs.append(w.Xattrs, at), b.attributes(n.Xattrs))
	}
	if n.Unknown != entry.Captured {
		w.Unknown = binary.AppendUvarint(b.atUnknown.append(w.Unknown, at), uint64(n.Unknown))
		b.require(featureUnknown)
	}
	if len(n.Remote) > 0 {
		w.Remote = binary.AppendUvarint(b.atRemote.append(w.Remote, at), b.attributes(n.Remote))
	}
}

// attributes returns the number of a list of attributes in the page's dictionary.
func (b *builder) attributes(list []entry.Attribute) uint64 {
	start := len(b.w.Attrs)
	b.w.Attrs = binary.AppendUvarint(b.w.Attrs, uint64(len(list)))
	for i := range list {
		b.w.Attrs = appendText(b.w.Attrs, list[i].Name)
		b.w.Attrs = binary.AppendUvarint(b.w.Attrs, uint64(len(list[i].Value)))
		b.w.Attrs = append(b.w.Attrs, list[i].Value...)
	}
	if i, known := b.attrs[string(b.w.Attrs[start:])]; known {
		b.w.Attrs = b.w.Attrs[:start]
		return i
	}
	i := uint64(len(b.attrs))
	b.attrs[string(b.w.Attrs[start:])] = i
	return i
}

func (b *builder) extents(list []entry.Extent) {
	if list == nil {
		return
	}
	out := binary.AppendUvarint(b.atExtents.append(b.w.Extents, b.w.Rows), uint64(len(list)))
	end := int64(0)
	for _, e := range list {
		out = appendSigned(out, e.Offset-end)
		out = binary.AppendUvarint(out, uint64(e.Length))
		end = e.Offset + e.Length
	}
	b.w.Extents = out
}

func (b *builder) content(r *row) {
	b.w.ChunkCount = binary.AppendUvarint(b.w.ChunkCount, uint64(len(r.chunks)))
	single := int64(0)
	if len(r.chunks) == 1 && r.flags&rowResumes == 0 {
		single = r.node.Size
	}
	for i := range r.chunks {
		var slot *archive.Slot
		if i < len(r.slots) {
			slot = r.slots[i]
		}
		b.chunk(r.chunks[i], slot, single)
	}
}

func (b *builder) chunk(c archive.Chunk, slot *archive.Slot, single int64) {
	b.chunks = append(b.chunks, c)
	b.slots = append(b.slots, slot)
	b.singles = append(b.singles, single)
}

// placed reports whether all chunks have their places. It collects the places that are known by
// now.
func (b *builder) placed() bool {
	for ; b.waiting < len(b.slots); b.waiting++ {
		slot := b.slots[b.waiting]
		if slot == nil {
			continue
		}
		chunk, ok := slot.Chunk()
		if !ok {
			return false
		}
		b.chunks[b.waiting], b.slots[b.waiting] = chunk, nil
	}
	return true
}

// encode appends the page. All chunks must be placed.
func (b *builder) encode(out *bytes.Buffer) error {
	w := &b.w
	for i := range b.chunks {
		b.locate(&b.chunks[i], b.singles[i])
	}
	b.tables.columns(w)
	page := w.shortened()
	if err := encoding.MarshalToBuffer(&page, out); err != nil {
		return fmt.Errorf("encode tree page: %w", err)
	}
	return nil
}

// locate appends a chunk and its place.
func (b *builder) locate(c *archive.Chunk, single int64) {
	w := &b.w
	if c.IsHole() {
		b.require(featureHoles)
	}
	w.ChunkID = append(w.ChunkID, c.ID[:]...)
	w.ChunkLength = appendSigned(w.ChunkLength, int64(c.Length)-single)
	frame := b.tables.frame(&c.Place)
	w.ChunkFrame = appendSigned(w.ChunkFrame, int64(frame)-int64(b.tables.last))
	b.tables.last = frame
	if frame == 0 {
		return
	}
	f := &b.tables.frames[frame-1]
	p := &b.tables.packs[f.pack]
	w.ChunkOrdinal = appendSigned(w.ChunkOrdinal, int64(c.Place.Ordinal)-p.ordinal)
	w.ChunkStart = appendSigned(w.ChunkStart, int64(c.Place.Start)-f.start)
	p.ordinal = int64(c.Place.Ordinal) + 1
	f.start = int64(c.Place.Start) + int64(c.Length)
}

// tables collects the packs and frames of a page.
type tables struct {
	packs     []packState
	frames    []frameState
	packIndex map[archive.Name]int
	frameKeys map[frameKey]int
	last      int // frame of the last chunk, from 1; 0 for no place
	lastPack  *archive.Pack
	lastIndex int
}

type packState struct {
	pack    *archive.Pack
	ordinal int64 // that the next chunk is expected to have
	end     int64 // of the last frame
}

type frameKey struct {
	pack           int
	offset, stored uint32
}

type frameState struct {
	frameKey
	start int64 // that the next chunk is expected to have
}

func (t *tables) reset() {
	clear(t.packs)
	clear(t.packIndex)
	clear(t.frameKeys)
	*t = tables{packs: t.packs[:0], frames: t.frames[:0], packIndex: t.packIndex, frameKeys: t.frameKeys}
}

// frame returns the number of a place's frame, counting from 1; 0 if there is no place.
func (t *tables) frame(p *archive.Place) int {
	if p.Pack == nil {
		return 0
	}
	key := frameKey{t.pack(p.Pack), p.Frame, p.Stored}
	if t.last > 0 && t.frames[t.last-1].frameKey == key {
		return t.last
	}
	if i, known := t.frameKeys[key]; known {
		return i
	}
	if t.frameKeys == nil {
		t.frameKeys = make(map[frameKey]int)
	}
	t.frames = append(t.frames, frameState{frameKey: key})
	t.frameKeys[key] = len(t.frames)
	return len(t.frames)
}

func (t *tables) pack(pack *archive.Pack) int {
	if pack == t.lastPack {
		return t.lastIndex
	}
	i, known := t.packIndex[pack.Name]
	if !known {
		if t.packIndex == nil {
			t.packIndex = make(map[archive.Name]int)
		}
		i = len(t.packs)
		t.packs = append(t.packs, packState{pack: pack})
		t.packIndex[pack.Name] = i
	}
	t.lastPack, t.lastIndex = pack, i
	return i
}

// columns appends the tables to the page.
func (t *tables) columns(w *wire) {
	for i := range t.frames {
		f := &t.frames[i]
		p := &t.packs[f.pack]
		w.FramePack = binary.AppendUvarint(w.FramePack, uint64(f.pack))
		w.FrameOffset = appendSigned(w.FrameOffset, int64(f.offset)-p.end)
		w.FrameStored = binary.AppendUvarint(w.FrameStored, uint64(f.stored))
		p.end = int64(f.offset) + int64(f.stored)
	}
	for i := range t.packs {
		p := t.packs[i].pack
		w.PackName = append(w.PackName, p.Name[:]...)
		w.PackKind = append(w.PackKind, kindByte(p.Kind))
		w.PackSize = binary.AppendUvarint(w.PackSize, uint64(p.Size))
		w.PackHeader = binary.AppendUvarint(w.PackHeader, uint64(p.Header))
	}
}

// kindByte returns the byte for a pack's kind, the same as in the directory of packs.
func kindByte(k archive.Kind) byte {
	switch k {
	case archive.Data:
		return 1
	case archive.Trees:
		return 2
	}
	return 0
}

// emptied returns the wire with all columns empty. It keeps their memory.
func (w wire) emptied() wire {
	w.Version, w.Height, w.Rows, w.Requires = 0, 0, 0, nil
	for _, c := range w.columns() {
		*c = (*c)[:0]
	}
	return w
}

// shortened returns the wire without the columns whose values are all zero.
func (w wire) shortened() wire {
	columns := w.columns()
	for _, c := range columns[rawColumns:] {
		*c = unlessZero(*c)
	}
	return w
}

// rawColumns is the number of columns of plain bytes, which are left out only if they are empty.
const rawColumns = 3

func (w *wire) columns() [44]*[]byte {
	return [44]*[]byte{
		&w.PathBytes, &w.ChunkID, &w.PackName,
		&w.PathShared, &w.PathLength, &w.Flags,
		&w.Class, &w.ClassType, &w.ClassMode, &w.ClassUID, &w.ClassGID, &w.ClassUser, &w.ClassGroup, &w.ClassDevice, &w.ClassLinks, &w.ClassKnown,
		&w.Size, &w.MTime, &w.MTimeNanos, &w.CTime, &w.CTimeNanos, &w.Inode,
		&w.NodeDevice, &w.Target, &w.Identity, &w.Hash, &w.Extents, &w.Attrs, &w.Xattrs, &w.Remote, &w.Unknown,
		&w.ChunkCount, &w.ChunkLength, &w.ChunkFrame, &w.ChunkOrdinal, &w.ChunkStart,
		&w.FramePack, &w.FrameOffset, &w.FrameStored,
		&w.PackKind, &w.PackSize, &w.PackHeader,
		&w.BelowEntries, &w.BelowBytes,
	}
}
