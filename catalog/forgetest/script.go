package forgetest

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// Script makes hostile snapshots out of bytes, such as a fuzzer's: every row of bytes is one, and
// most have what a tree may hold beside what it may not. It is for one goroutine.
type Script struct {
	rest    []byte
	outside string
	chunks  []archive.Chunk
	paths   []string // of what was made
	folders []string // of those, the directories
}

// maxNodes is how many entries a script makes at most.
const maxNodes = 48

// NewScript returns a script. Some of the links that it makes lead to outside, an absolute path.
func NewScript(bytes []byte, outside string) *Script { return &Script{rest: bytes, outside: outside} }

// Perform commits a snapshot that the script makes, with s as what it is otherwise.
func (s *Script) Perform(ctx context.Context, f *Forger, as Snapshot) (id string, err error) {
	pack, err := f.Pack(ctx, "the content of a file", strings.Repeat("content that is longer ", 500))
	if err != nil {
		return "", err
	}
	s.chunks, s.paths, s.folders = slices.Collect(pack.Directory.All(pack.Pack)), []string{""}, []string{""}
	as.Packs = append(as.Packs, pack)
	as.Root, as.Page = s.root(), s.page()
	as.Nodes = s.nodes()
	return f.Commit(ctx, as)
}

// one takes the next byte; 0 at the end.
func (s *Script) one() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

// pick takes one of a list. The first stands for an ordinary value, and is also what comes after
// the end.
func pick[T any](s *Script, list ...T) T { return list[int(s.one())%len(list)] }

// rarely reports whether this is one of 16 cases.
func (s *Script) rarely() bool { return s.one()%16 == 15 }

// root returns what is wrong with the root, nil if nothing is.
func (s *Script) root() func(*tree.Root) {
	if !s.rarely() {
		return nil
	}
	what, n := s.one(), int(s.one())
	return func(r *tree.Root) {
		if len(r.Runs) == 0 {
			return
		}
		run := &r.Runs[0]
		switch what % 7 {
		case 0:
			r.Runs = slices.Repeat(r.Runs, 1+n%70)
		case 1:
			run.Height = uint8(n)
		case 2:
			r.Entries, run.Entries = math.MaxUint64, math.MaxUint64-uint64(n)
		case 3:
			r.Bytes, run.Bytes = math.MaxUint64, 1<<63
		case 4:
			run.Top = s.misplaced(run.Top, byte(n))
		case 5:
			run.Top = s.chunks[0] // data, and no page
		case 6:
			r.Runs = nil
		}
	}
}

// page returns what is wrong with the bytes of pages, nil if nothing is.
func (s *Script) page() func([]byte) {
	if !s.rarely() {
		return nil
	}
	at, by := int(s.one())<<8|int(s.one()), s.one()
	return func(page []byte) { page[at%len(page)] ^= by }
}

// nodes makes the entries, in order and none twice, as long as the script goes on.
func (s *Script) nodes() []*tree.Node {
	nodes := []*tree.Node{{Entry: entry.Entry{Type: entry.Directory, Mode: pick[uint32](s, 0o755, 0, 0o7777, 0o500)}}}
	if s.rarely() {
		s.describe(nodes[0])
	}
	made := map[string]bool{"": true}
	for len(s.rest) > 0 && len(nodes) < maxNodes {
		path := s.path()
		if made[path] {
			continue
		}
		made[path] = true
		n := &tree.Node{Entry: entry.Entry{Path: path}}
		s.describe(n)
		nodes, s.paths = append(nodes, n), append(s.paths, path)
		if n.Type == entry.Directory {
			s.folders = append(s.folders, path)
		}
	}
	return nodes
}

// The names of entries: ordinary ones, those that differ by little, and those that lead elsewhere.
// A tree with one of the latter is refused as a whole, so they are rare.
var (
	plainNames = []string{"a", "b", "c", "d", "A", "ä", "a\u0308", "a b", "outside", "secret", "link", "ab", "aB", "-rf", "\n", "\x1b[2J", "\xff\xfe", "a.b", "...",
		".packstone-0123456700000001", ".packstone-0123456700000000", "packstone.json", ".nobackup", "con", "a\\b", "a:b", strings.Repeat("n", 255), strings.Repeat("m", 300), "*", "%s", " "}
	wrongNames = []string{"..", ".", "", "/", "a\x00b", "../outside", "../../outside/secret", "/etc", "a/..", "a//b", strings.Repeat("long/", 900)}
)

// path makes a path, below something that was made before: mostly a directory.
func (s *Script) path() string {
	above, name := pick(s, s.folders...), pick(s, plainNames...)
	if s.one()%8 == 7 {
		above = pick(s, s.paths...)
	}
	if s.rarely() {
		if s.rarely() {
			name = pick(s, wrongNames...)
		}
	}
	return strings.TrimPrefix(above+"/"+name, "/")
}

// describe makes what an entry is.
func (s *Script) describe(n *tree.Node) {
	n.Type = pick(s, entry.File, entry.Directory, entry.Symlink, entry.Directory, entry.File, entry.Symlink, entry.Fifo, entry.CharDevice, entry.BlockDevice, entry.Socket, 8, 255)
	n.Mode = pick[uint32](s, 0o644, 0o755, 0, 0o4755, 0o2755, 0o6777, 0o1777, 0o7777, 0o170644, math.MaxUint32)
	n.ModTime = pick(s, entry.NanoTime(1e18), entry.Time{}, entry.Time{Seconds: -1}, entry.Time{Seconds: math.MinInt64}, entry.Time{Seconds: math.MaxInt64, Nanos: 999_999_999}, entry.Time{Seconds: 1 << 40})
	switch n.Type {
	case entry.File:
		s.fill(n)
	case entry.Symlink:
		n.Target = pick(s, "../outside", s.outside, s.outside+"/secret", "..", "", ".", "a", "/", "../outside/secret", "../outside/folder", "b/c", strings.Repeat("t", 5000), "a\x00b")
	case entry.CharDevice, entry.BlockDevice:
		n.NodeDevice = pick[uint64](s, 0x103, 0x105, 0, math.MaxUint64, 1<<63) // the first two are null and zero
	}
	if s.rarely() {
		s.own(n)
	}
	if s.one()%4 == 3 { // several names of one file, or of what is none
		n.Links, n.Inode, n.Device = pick[uint32](s, 2, 3, math.MaxUint32, 1), pick[uint64](s, 1, 2, 0, math.MaxUint64), pick[uint64](s, 0, 1)
	}
	if s.one()%8 == 7 {
		n.Xattrs = s.attributes()
	}
	if s.rarely() {
		n.Unknown, n.Known, n.Fuzzy = pick[entry.Reason](s, 0, 1, 2, 3, 200), entry.Facts(s.one()), s.one()%2 == 1
		n.Identity, n.Remote = pick(s, "", "etag", "\x00"), s.attributes()
	}
}

// own makes who owns an entry.
func (s *Script) own(n *tree.Node) {
	n.UID, n.GID = pick[uint32](s, 0, 1000, 65534, math.MaxUint32), pick[uint32](s, 0, 1000, 65534, math.MaxUint32)
	n.User, n.Group = pick(s, "", "root", "nobody", "nobody of that name", "a:b"), pick(s, "", "root", "nogroup", "\n")
}

// fill makes the content of a file, which rarely is as long as the file is said to be not.
func (s *Script) fill(n *tree.Node) {
	for range int(s.one()) % 4 {
		n.Chunks = append(n.Chunks, s.chunk())
	}
	for i := range n.Chunks {
		n.Size += int64(n.Chunks[i].Length)
	}
	if s.rarely() {
		n.Size = pick(s, n.Size+1, 1<<40, n.Size-1, 0, math.MaxInt64)
	}
	if s.rarely() {
		n.Extents = []entry.Extent{}
		for range int(s.one()) % 4 {
			n.Extents = append(n.Extents, entry.Extent{Offset: pick[int64](s, 0, 1, 4096, -1, math.MaxInt64), Length: pick[int64](s, 1, 0, 4096, -1, math.MaxInt64, 1<<40)})
		}
	}
	if s.rarely() {
		n.Hash = [32]byte{s.one()}
	}
}

// chunk makes a chunk: mostly one that is there, with a place that is right or wrong, or a hole.
func (s *Script) chunk() archive.Chunk {
	c := pick(s, s.chunks...)
	switch s.one() % 8 {
	case 6:
		return s.misplaced(c, s.one())
	case 7:
		return archive.Chunk{Length: pick[uint32](s, 1, 4096, 1<<20, 0, 100<<20)} // a hole
	}
	return c
}

// misplaced is a chunk of which something is not so.
func (s *Script) misplaced(c archive.Chunk, what byte) archive.Chunk {
	pack := *c.Place.Pack
	c.Place.Pack = &pack
	switch what % 12 {
	case 0:
		c.ID[0]++
	case 1:
		c.Length++
	case 2:
		c.Length = math.MaxUint32
	case 3:
		c.Length = 0
	case 4:
		c.Place.Frame = math.MaxUint32
	case 5:
		c.Place.Stored = math.MaxUint32
	case 6:
		c.Place.Start = math.MaxUint32
	case 7:
		c.Place.Frame++
	case 8:
		pack.Name[0]++
	case 9:
		pack.Size = math.MaxUint32
	case 10:
		pack.Header = math.MaxUint32
	case 11:
		c.Place.Pack = nil
	}
	return c
}

// The names and values of extended attributes.
var (
	attributeNames = []string{"user.a", "system.posix_acl_access", "system.posix_acl_default", "security.capability", "user.", "", "no prefix", "trusted.a", "security.selinux",
		"user.a\x00b", "user." + strings.Repeat("x", 300), "user.a=b"}
	attributeValues = []string{"value", "", "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x04\x00\x05\x00\xff\xff\xff\xff\x20\x00\x05\x00\xff\xff\xff\xff", // an ACL
		"\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff", "\x02\x00\x00\x00\xff\x00\xff\xff\x00\x00\x00\x00", "\x63\x00\x00\x00",
		"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", strings.Repeat("v", 70_000)} // capabilities, and one too many
)

func (s *Script) attributes() (list []entry.Attribute) {
	for range int(s.one()) % 4 {
		list = append(list, entry.Attribute{Name: pick(s, attributeNames...), Value: []byte(pick(s, attributeValues...))})
	}
	return list
}
