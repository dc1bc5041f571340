package tree

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// page is a decoded page: rows of nodes, or refs to pages.
type page struct {
	height uint8
	rows   []Node
	flags  []uint8 // beside rows; nil where all are whole nodes
	refs   []ref
	packs  []archive.Pack
	chunks []archive.Chunk // of all rows; the rows' lists are parts of it
	tested int8            // whether packs are usable: 0 not tested, 1 all are, 2 some are not
}

// ref is a row of a page of pages.
type ref struct {
	first   string // path of the first row below
	resumes bool   // which goes on with the last node of the page before
	entries uint64 // nodes and deletions that begin below
	bytes   uint64 // their content
	chunk   archive.Chunk

	placed bool // by below, so that first and resumes are claims about the page
	next   *ref // the one after it in the run, nil after the last
}

// below returns the refs of the page that r names, each linked to the one after it. So a page is
// refused where it does not belong, and no page is walked more often than necessary, whatever a
// hostile tree says.
func (r *ref) below(p *page) []ref {
	list := slices.Clone(p.refs)
	for i := range list {
		list[i].placed, list[i].next = true, r.next
		if i+1 < len(list) {
			list[i].next = &list[i+1]
		}
	}
	return list
}

// holds reports whether p can be the page that r names: it begins with r's path and ends before the
// next page begins.
func (r *ref) holds(p *page) bool {
	first, resumes, last := p.span()
	if r.placed && (first != r.first || resumes != r.resumes) {
		return false
	}
	if r.next == nil {
		return true
	}
	c := compare(last, r.next.first)
	return c < 0 || c == 0 && r.next.resumes
}

// span returns the path of a page's first row, whether that row resumes a node, and the path of its
// last row.
func (p *page) span() (first string, resumes bool, last string) {
	if p.height > 0 {
		return p.refs[0].first, p.refs[0].resumes, p.refs[len(p.refs)-1].first
	}
	return p.rows[0].Path, p.flag(0)&rowResumes != 0, p.rows[len(p.rows)-1].Path
}

func (r *ref) weight() int { return rowWeight + max(0, len(r.first)-freePath) }

// decoder holds the state needed while a page is decoded.
type decoder struct {
	*page
	w       wire
	numbers [4][]uint64
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// decode reads a page. It reuses the memory of the page that p was before, except for strings,
// packs, extents and attributes.
func (p *page) decode(raw []byte) error {
	d := decoders.Get().(*decoder)
	d.page = p
	err := d.decode(raw)
	d.page, d.w = nil, wire{}
	decoders.Put(d)
	return err
}

func (p *decoder) decode(raw []byte) error {
	if len(raw) > maxPage {
		return malformed("%d bytes", len(raw))
	}
	if err := p.w.parse(raw); err != nil {
		return err
	}
	for _, feature := range p.w.Requires {
		if !supported(feature) {
			return fmt.Errorf("%w: requires %q", ErrUnsupported, feature)
		}
	}
	if p.w.Version != pageVersion || p.w.Rows == 0 || p.w.Rows > maxRows || p.w.Height > maxHeight {
		return malformed("%d rows at height %d", p.w.Rows, p.w.Height)
	}
	p.height, p.tested = uint8(p.w.Height), 0
	if p.height > 0 {
		return p.decodeRefs(int(p.w.Rows))
	}
	return p.decodeNodes(int(p.w.Rows))
}

func (p *decoder) decodeNodes(n int) error {
	p.refs = nil
	p.rows = sized(p.rows, n)
	if err := p.decodeFlags(n); err != nil {
		return err
	}
	if err := p.paths(n, func(i int, path string) { p.rows[i].Path = path }); err != nil {
		return err
	}
	counts, err := p.counts()
	if err != nil {
		return err
	}
	for _, part := range []func() error{p.decodeClasses, p.decodeNumbers, p.decodeTimes, p.decodeRare, p.decodeExtents} {
		if err := part(); err != nil {
			return err
		}
	}
	if err := p.decodeChunks(counts); err != nil {
		return err
	}
	for i := range p.rows {
		if n := &p.rows[i]; p.flag(i)&rowResumes != 0 && len(n.Chunks) == 0 && len(n.Extents) == 0 {
			return malformed("row %d goes on with nothing", i)
		}
	}
	return nil
}

func (p *decoder) decodeRefs(n int) error {
	p.rows = p.rows[:0]
	p.refs = make([]ref, n)
	if err := p.decodeFlags(n); err != nil {
		return err
	}
	if err := p.paths(n, func(i int, path string) { p.refs[i].first = path }); err != nil {
		return err
	}
	if err := p.decodeChunks(nil); err != nil {
		return err
	}
	entries, size := read(p.w.BelowEntries), read(p.w.BelowBytes)
	for i := range p.refs {
		r := &p.refs[i]
		r.entries, r.bytes = entries.next(), size.next()
		r.resumes = p.flag(i)&rowResumes != 0
		r.chunk = p.chunks[i]
	}
	return firstError(entries.done("below.entries"), size.done("below.bytes"))
}

// firstError returns the first error that is not nil.
func firstError(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// sized returns a slice of n zero values, in the memory of s if that suffices.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

func (p *page) flag(i int) uint8 {
	if p.flags == nil {
		return 0
	}
	return p.flags[i]
}

// bare reports whether row i has no metadata.
func (p *page) bare(i int) bool { return p.flag(i)&(rowResumes|rowDeleted) != 0 }

func (p *decoder) decodeFlags(n int) error {
	p.flags = nil
	if p.w.Flags == nil {
		return nil
	}
	p.flags = make([]uint8, n)
	column := read(p.w.Flags)
	for i := range p.flags {
		f := column.next()
		before := uint8(0)
		if i > 0 {
			before = p.flags[i-1]
		}
		if !possible(uint8(f), before, i == 0, p.height) || f > rowMore|rowResumes|rowDeleted|rowFuzzy {
			return malformed("flags %d of row %d", f, i)
		}
		p.flags[i] = uint8(f)
		if f&rowFuzzy != 0 {
			p.rows[i].Fuzzy = true
		}
	}
	return column.done("flags")
}

// possible reports whether a row with these flags may follow the row before.
func possible(f, before uint8, first bool, height uint8) bool {
	if height > 0 {
		return f == 0 || f == rowResumes
	}
	if f&rowDeleted != 0 && f != rowDeleted || f&rowFuzzy != 0 && f&rowResumes != 0 {
		return false
	}
	return first || (before&rowMore != 0) == (f&rowResumes != 0)
}

// paths reads the front-coded paths, checks that they ascend, and passes them to set as parts of
// one string.
func (p *decoder) paths(n int, set func(i int, path string)) error {
	total, err := p.pathTotal(n)
	if err != nil {
		return err
	}
	var arena strings.Builder
	arena.Grow(total)
	shared, length, names := read(p.w.PathShared), read(p.w.PathLength), read(p.w.PathBytes)
	last := ""
	for i := range n {
		keep := int(shared.next())
		own := names.bytes(length.next())
		if names.bad || keep > len(last) {
			return malformed("path of row %d", i)
		}
		if i > 0 && !p.ascends(i, last, keep, own) {
			return malformed("row %d does not follow the one before", i)
		}
		start := arena.Len()
		arena.WriteString(last[:keep])
		arena.Write(own)
		last = arena.String()[start:]
		if !isPlain(last, keep) {
			return malformed("path %q of row %d leads elsewhere", last, i)
		}
		set(i, last)
	}
	return firstError(shared.done("path.shared"), length.done("path.length"), names.done("path.bytes"))
}

// pathTotal returns the length of all paths in bytes.
func (p *decoder) pathTotal(n int) (int, error) {
	shared, length := read(p.w.PathShared), read(p.w.PathLength)
	total := uint64(0)
	for range n {
		s, l := shared.next(), length.next()
		if s > maxPath || l > maxPath || s+l > maxPath {
			return 0, malformed("path of %d bytes", s+l)
		}
		total += s + l
	}
	if total > maxPaths || shared.bad || length.bad {
		return 0, malformed("paths of %d bytes", total)
	}
	return int(total), nil
}

// ascends reports whether a path made of the first keep bytes of last, and own, may follow in row
// i.
func (p *page) ascends(i int, last string, keep int, own []byte) bool {
	same := keep == len(last) && len(own) == 0
	resumes := p.flag(i)&rowResumes != 0
	if p.height == 0 {
		if resumes || same {
			return resumes && same
		}
	} else if same {
		return resumes
	}
	if len(own) == 0 {
		return false
	}
	return keep == len(last) || last[keep] != own[0] && compareBytes(last[keep], own[0]) < 0
}

func (p *decoder) decodeClasses() error {
	classes, err := p.classes()
	if err != nil {
		return err
	}
	index, err := p.numbered(0, "class", p.w.Class)
	if err != nil {
		return err
	}
	for i := range p.rows {
		if p.bare(i) {
			continue
		}
		k := index[i]
		if k >= uint64(len(classes)) {
			return malformed("class of row %d", i)
		}
		n, c := &p.rows[i], &classes[k]
		n.Type, n.Mode, n.UID, n.GID, n.Links, n.Device, n.Known = c.kind, c.mode, c.uid, c.gid, c.links, c.device, c.known
		if c.user != "" || c.group != "" {
			n.User, n.Group = c.user, c.group
		}
	}
	return nil
}

// numbered reads a column with a number for every row except the bare ones, into the list with
// index which.
func (p *decoder) numbered(which int, name string, b []byte) ([]uint64, error) {
	list := p.list(which, len(p.rows))
	i := 0
	for k := range list {
		if p.flags != nil && p.bare(k) {
			list[k] = 0
			continue
		}
		if i < len(b) && b[i] < 0x80 {
			list[k] = uint64(b[i])
			i++
			continue
		}
		if b == nil {
			list[k] = 0
			continue
		}
		x, n := binary.Uvarint(b[i:])
		if n <= 0 || n > 1 && b[i+n-1] == 0 {
			return nil, malformed("column %s", name)
		}
		list[k] = x
		i += n
	}
	if i < len(b) {
		return nil, malformed("column %s", name)
	}
	return list, nil
}

// list returns the list with index which, with n numbers.
func (p *decoder) list(which, n int) []uint64 {
	if cap(p.numbers[which]) < n {
		p.numbers[which] = make([]uint64, maxRows)
	}
	return p.numbers[which][:n]
}

// classes reads the properties that nodes of the page share. The column of types determines their
// number.
func (p *decoder) classes() ([]class, error) {
	types, mode, uid, gid := read(p.w.ClassType), read(p.w.ClassMode), read(p.w.ClassUID), read(p.w.ClassGID)
	user, group, device, links := read(p.w.ClassUser), read(p.w.ClassGroup), read(p.w.ClassDevice), read(p.w.ClassLinks)
	known := read(p.w.ClassKnown)
	list := make([]class, 0, min(len(p.w.ClassType), maxRows))
	for types.more() && len(list) < maxRows {
		kind := types.next()
		if kind == 0 || kind > 255 {
			return nil, malformed("type %d", kind)
		}
		list = append(list, class{
			kind: entry.Type(kind), mode: mode.small(), uid: uid.small(), gid: gid.small(),
			user: user.text(), group: group.text(), device: device.next(), links: links.small(),
			known: entry.Facts(known.small()),
		})
	}
	return list, firstError(types.done("class.type"), mode.done("class.mode"), uid.done("class.uid"), gid.done("class.gid"),
		user.done("class.user"), group.done("class.group"), device.done("class.device"), links.done("class.links"), known.done("class.known"))
}

func (p *decoder) decodeNumbers() error {
	size, err := p.numbered(0, "size", p.w.Size)
	if err != nil {
		return err
	}
	inode, err := p.numbered(1, "inode", p.w.Inode)
	if err != nil {
		return err
	}
	last := uint64(0)
	for i := range p.rows {
		if p.bare(i) {
			continue
		}
		last += uint64(unzigzag(inode[i]))
		n := &p.rows[i]
		n.Size, n.Inode = int64(size[i]), last
	}
	return nil
}

func (p *decoder) decodeTimes() error {
	mtime, err := p.numbered(0, "mtime", p.w.MTime)
	if err != nil {
		return err
	}
	ctime, err := p.numbered(1, "ctime", p.w.CTime)
	if err != nil {
		return err
	}
	nanos, changedNanos := read(p.w.MTimeNanos), read(p.w.CTimeNanos)
	seconds := int64(0)
	for i := range p.rows {
		if p.bare(i) {
			continue
		}
		n := &p.rows[i]
		seconds += unzigzag(mtime[i])
		ns := nanos.fixed()
		n.ModTime = entry.Time{Seconds: seconds, Nanos: ns}
		changed := changedNanos.fixed()
		if c := ctime[i]; c != 0 {
			n.ChangeTime = entry.Time{Seconds: seconds + unzigzag(c-1), Nanos: changed ^ ns}
		}
		if n.ModTime.Nanos >= 1e9 || n.ChangeTime.Nanos >= 1e9 {
			return malformed("nanoseconds of row %d", i)
		}
	}
	if err := nanos.done("mtime.ns"); err != nil {
		return err
	}
	return changedNanos.done("ctime.ns")
}

func (p *decoder) decodeRare() error {
	lists, err := p.attributes()
	if err != nil {
		return err
	}
	list := func(c *column) []entry.Attribute {
		k := c.next()
		if k >= uint64(len(lists)) {
			c.fail()
			return nil
		}
		return lists[k]
	}
	return firstError(
		p.sparse("rdev", p.w.NodeDevice, func(n *Node, c *column) { n.NodeDevice = c.next() }),
		p.sparse("target", p.w.Target, func(n *Node, c *column) { n.Target = c.text() }),
		p.sparse("identity", p.w.Identity, func(n *Node, c *column) { n.Identity = c.text() }),
		p.sparse("hash", p.w.Hash, func(n *Node, c *column) { copy(n.Hash[:], c.bytes(32)) }),
		p.sparse("xattrs", p.w.Xattrs, func(n *Node, c *column) { n.Xattrs = list(c) }),
		p.sparse("remote", p.w.Remote, func(n *Node, c *column) { n.Remote = list(c) }),
		p.sparse("unknown", p.w.Unknown, func(n *Node, c *column) { n.Unknown = reason(c) }))
}

// reason reads why something is unknown. It treats values of later versions as Unreadable.
func reason(c *column) entry.Reason {
	switch r := c.next(); {
	case r == 0:
		c.fail()
		return entry.Captured
	case r <= uint64(entry.OtherFileSystem):
		return entry.Reason(r)
	}
	return entry.Unreadable
}

// sparse reads a column in which few rows have a value.
func (p *page) sparse(name string, b []byte, set func(*Node, *column)) error {
	return p.sparseRows(name, b, func(i int, c *column) {
		if p.bare(i) {
			c.fail()
			return
		}
		set(&p.rows[i], c)
	})
}

func (p *page) sparseRows(name string, b []byte, set func(i int, c *column)) error {
	c := read(b)
	next := uint64(0)
	for c.more() {
		gap := c.next()
		if gap == 0 || gap > uint64(len(p.rows))-next {
			return malformed("column %s", name)
		}
		next += gap
		set(int(next-1), &c)
	}
	return c.done(name)
}

// attributes reads the page's dictionary of lists of attributes. Nodes share them.
func (p *decoder) attributes() ([][]entry.Attribute, error) {
	c := read(p.w.Attrs)
	var lists [][]entry.Attribute
	for c.more() && len(lists) < 2*maxRows {
		n := c.next()
		if n == 0 || n > uint64(c.left()) {
			return nil, malformed("column attrs")
		}
		list := make([]entry.Attribute, 0, min(n, 64))
		for range n {
			if c.bad {
				break
			}
			list = append(list, entry.Attribute{Name: c.text(), Value: append([]byte(nil), c.bytes(c.next())...)})
		}
		lists = append(lists, list)
	}
	return lists, c.done("attrs")
}

func (p *decoder) decodeExtents() error {
	return p.sparseRows("extents", p.w.Extents, func(i int, c *column) {
		n := c.next()
		if n > uint64(c.left()) || n > rowExtents || p.flag(i)&rowDeleted != 0 {
			c.fail()
			return
		}
		list := make([]entry.Extent, n)
		end := int64(0)
		for k := range list {
			offset := end + c.signed()
			length := int64(c.next())
			list[k] = entry.Extent{Offset: offset, Length: length}
			end = offset + length
		}
		p.rows[i].Extents = list
	})
}

// counts reads how many chunks each row has.
func (p *decoder) counts() ([]uint32, error) {
	column := read(p.w.ChunkCount)
	counts := make([]uint32, len(p.rows))
	total := uint64(0)
	for i := range counts {
		if p.flag(i)&rowDeleted != 0 {
			continue
		}
		n := column.next()
		if n > rowChunks {
			return nil, malformed("%d chunks in row %d", n, i)
		}
		counts[i] = uint32(n)
		total += n
	}
	if total*32 != uint64(len(p.w.ChunkID)) {
		return nil, malformed("%d chunks have %d bytes of ids", total, len(p.w.ChunkID))
	}
	return counts, column.done("chunk.count")
}

// decodeChunks reads the chunks and assigns them to the rows. A page of pages has one for each ref.
func (p *decoder) decodeChunks(counts []uint32) error {
	total := len(p.w.ChunkID) / 32
	if p.height > 0 && (total != len(p.refs) || len(p.w.ChunkID)%32 != 0) {
		return malformed("%d children have %d bytes of ids", len(p.refs), len(p.w.ChunkID))
	}
	p.chunks = sized(p.chunks, total)
	if err := p.decodeLengths(counts); err != nil {
		return err
	}
	if err := p.decodePacks(); err != nil {
		return err
	}
	frames, err := p.frames()
	if err != nil {
		return err
	}
	return p.decodePlaces(frames)
}

func (p *decoder) decodeLengths(counts []uint32) error {
	column := read(p.w.ChunkLength)
	at := 0
	for i, n := range counts {
		end := at + int(n)
		expected := int64(0)
		if n == 1 {
			expected = p.rows[i].Size
		}
		if n > 0 {
			p.rows[i].Chunks = p.chunks[at:end:end]
		}
		for ; at < end; at++ {
			p.chunks[at].Length = column.near(expected)
		}
	}
	for ; at < len(p.chunks); at++ { // a page of pages
		p.chunks[at].Length = column.near(0)
	}
	return column.done("chunk.length")
}

func (p *decoder) decodePacks() error {
	n := len(p.w.PackName) / 32
	if len(p.w.PackName)%32 != 0 || n > len(p.chunks) {
		return malformed("%d bytes of pack names", len(p.w.PackName))
	}
	// Places outlive the page, so packs are never overwritten.
	p.packs = make([]archive.Pack, n)
	names, kind, size, header := read(p.w.PackName), read(p.w.PackKind), read(p.w.PackSize), read(p.w.PackHeader)
	for i := range p.packs {
		k := &p.packs[i]
		copy(k.Name[:], names.bytes(32))
		named, known := kindOf(kind.next())
		if !known {
			return malformed("kind of pack %d", i)
		}
		k.Kind = named
		k.Size, k.Header = size.small(), header.small()
	}
	return firstError(kind.done("pack.kind"), size.done("pack.size"), header.done("pack.header"))
}

// place is a frame that holds chunks of the page.
type place struct {
	pack           int
	offset, stored uint32
	start          int64 // that the next chunk in it is expected to have
}

func (p *decoder) frames() ([]place, error) {
	pack, offset, stored := read(p.w.FramePack), read(p.w.FrameOffset), read(p.w.FrameStored)
	list := make([]place, 0, min(len(p.chunks), len(p.w.FrameStored)))
	ends := make([]int64, len(p.packs))
	for len(list) < len(p.chunks) && (pack.more() || offset.more() || stored.more()) {
		k := pack.next()
		if k >= uint64(len(ends)) {
			return nil, malformed("pack of frame %d", len(list))
		}
		f := place{pack: int(k), offset: offset.near(ends[k]), stored: stored.small()}
		if f.stored == 0 {
			return nil, malformed("size of frame %d", len(list))
		}
		ends[k] = int64(f.offset) + int64(f.stored)
		list = append(list, f)
	}
	return list, firstError(pack.done("frame.pack"), offset.done("frame.offset"), stored.done("frame.stored"))
}

func (p *decoder) decodePlaces(frames []place) error {
	ids, frame, ordinal, start := read(p.w.ChunkID), read(p.w.ChunkFrame), read(p.w.ChunkOrdinal), read(p.w.ChunkStart)
	ordinals := make([]int64, len(p.packs))
	last := int64(0)
	for i := range p.chunks {
		c := &p.chunks[i]
		copy(c.ID[:], ids.bytes(32))
		last += frame.signed()
		if last < 0 || last > int64(len(frames)) {
			return malformed("frame of chunk %d", i)
		}
		if last == 0 {
			continue
		}
		f := &frames[last-1]
		c.Place = archive.Place{
			Pack: &p.packs[f.pack], Frame: f.offset, Stored: f.stored,
			Ordinal: ordinal.near(ordinals[f.pack]), Start: start.near(f.start),
		}
		ordinals[f.pack] = int64(c.Place.Ordinal) + 1
		f.start = int64(c.Place.Start) + int64(c.Length)
	}
	return firstError(frame.done("chunk.frame"), ordinal.done("chunk.ordinal"), start.done("chunk.start"))
}
