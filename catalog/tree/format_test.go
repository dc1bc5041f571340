package tree

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

var update = flag.Bool("update", false, "write the golden files that are missing")

// golden compares with a file that stays for good.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	want, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *update {
		want, err = got, os.WriteFile(path, got, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%x\nwant\n%x", name, got, want)
	}
}

// vectors are nodes that use everything the format has.
func vectors() []*Node {
	pack := &archive.Pack{Name: archive.Name{1, 2, 3}, Kind: archive.Data, Size: 33554000, Header: 1643}
	other := &archive.Pack{Name: archive.Name{9}, Kind: archive.Data, Size: 70000, Header: 1643}
	chunk := func(id byte, length, ordinal, frame, stored, start uint32, p *archive.Pack) archive.Chunk {
		return archive.Chunk{ID: archive.ID{id}, Length: length, Place: archive.Place{Pack: p, Ordinal: ordinal, Frame: frame, Stored: stored, Start: start}}
	}
	acl := []entry.Attribute{{Name: "system.posix_acl_access", Value: []byte{2, 0, 0, 0}}, {Name: "user.empty"}}
	nodes := []*Node{
		{Entry: entry.Entry{Type: entry.Directory, Mode: 0o755, ModTime: entry.NanoTime(1700000000123456789), ChangeTime: entry.NanoTime(1700000000123456789), Links: 3, Inode: 2, Device: 66306, User: "root", Group: "root"}},
		{Entry: entry.Entry{Path: "a", Type: entry.Directory, Mode: 0o1777, ModTime: entry.NanoTime(-1), Links: 2}},
		{Entry: entry.Entry{Path: "a/b", Type: entry.File, Size: 7, Fuzzy: true}, Chunks: []archive.Chunk{chunk(2, 7, 1, 0, 100, 5, pack)}},
		{Entry: entry.Entry{Path: "a/dev", Type: entry.CharDevice, NodeDevice: 0x501}},
		{Entry: entry.Entry{Path: "a/link", Type: entry.Symlink, Target: "../b\x00c"}},
		{Entry: entry.Entry{Path: "a/\xff\xfe", Type: entry.File, Mode: 0o600, Size: 5, UID: 1000, GID: math.MaxUint32, ModTime: entry.NanoTime(math.MaxInt64), ChangeTime: entry.NanoTime(math.MinInt64), Inode: math.MaxUint64, Xattrs: acl}, Chunks: []archive.Chunk{chunk(1, 5, 0, 0, 100, 0, pack)}},
		{Entry: entry.Entry{Path: "a.b", Type: entry.File, Size: 1 << 40, Extents: []entry.Extent{{Offset: 4096, Length: 100}, {Offset: 1 << 39, Length: 5}}, Xattrs: acl}, Hash: [32]byte{5, 6},
			Chunks: []archive.Chunk{chunk(3, 300, 7, 5000, 200, 10, other), chunk(4, 400, 2, 100, 300, 0, pack), chunk(5, math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32, other)}},
		{Entry: entry.Entry{Path: "hole", Type: entry.File, Size: 1 << 20, Extents: []entry.Extent{}}},
		{Entry: entry.Entry{Path: "lake/object", Type: entry.File, Identity: `"d41d8cd98f00b204e9800998ecf8427e"`, Remote: []entry.Attribute{{Name: "content-type", Value: []byte("text/csv")}}}, Chunks: []archive.Chunk{{ID: archive.ID{6}, Length: 9}}},
		{Entry: entry.Entry{Path: "odd", Type: 200, Mode: math.MaxUint32, Size: -1, Links: math.MaxUint32, Device: math.MaxUint64}},
	}
	return nodes
}

// vectorPages are a page of nodes and a page of pages.
func vectorPages(t *testing.T) (leaf, index []byte) {
	t.Helper()
	b := newBuilder(0)
	for _, n := range vectors() {
		b.add(&row{node: n, chunks: n.Chunks, extents: n.Extents})
	}
	gone := &Node{Entry: entry.Entry{Path: "old/gone"}}
	b.add(&row{node: gone, flags: rowDeleted})
	long := &Node{Entry: entry.Entry{Path: "z", Type: entry.File, Size: 900}}
	b.add(&row{node: long, flags: rowMore, chunks: []archive.Chunk{{ID: archive.ID{7}, Length: 400}}})
	b.add(&row{node: long, flags: rowResumes, chunks: []archive.Chunk{{ID: archive.ID{8}, Length: 500}}})
	var out bytes.Buffer
	if err := b.encode(&out); err != nil {
		t.Fatal(err)
	}
	pages := &archive.Pack{Name: archive.Name{0xee}, Kind: archive.Trees, Size: 400000, Header: 1643}
	top := newBuilder(1)
	for i, first := range []string{"", "a/b", "a/b", "zz"} {
		r := &ref{first: first, resumes: i == 2, entries: uint64(i), bytes: uint64(i) << 40}
		r.chunk = archive.Chunk{ID: archive.ID{byte(i)}, Length: uint32(16000 + i), Place: archive.Place{Pack: pages, Ordinal: uint32(i), Frame: 0, Stored: 60000, Start: uint32(i) * 16000}}
		top.addRef(r, nil)
	}
	var above bytes.Buffer
	if err := top.encode(&above); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), above.Bytes()
}

func TestPagesAreWrittenAsEver(t *testing.T) {
	leaf, index := vectorPages(t)
	golden(t, "leaf-1.cbor", leaf)
	golden(t, "index-1.cbor", index)
}

func TestPagesOfEveryVersionAreRead(t *testing.T) {
	raw, err := os.ReadFile("testdata/leaf-1.cbor")
	if err != nil {
		t.Fatal(err)
	}
	var p page
	if err := p.decode(raw); err != nil {
		t.Fatal(err)
	}
	want := vectors()
	if len(p.rows) != len(want)+3 {
		t.Fatalf("%d rows", len(p.rows))
	}
	for i, n := range want {
		if !equal(&p.rows[i], n) {
			t.Errorf("row %d:\n got %+v\nwant %+v", i, &p.rows[i], n)
		}
	}
	if !bytes.Equal(p.flags[len(want):], []byte{rowDeleted, rowMore, rowResumes}) {
		t.Errorf("flags %v", p.flags)
	}
	raw, err = os.ReadFile("testdata/index-1.cbor")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.decode(raw); err != nil {
		t.Fatal(err)
	}
	if len(p.refs) != 4 || !p.refs[2].resumes || p.refs[3].first != "zz" || p.refs[3].bytes != 3<<40 || p.refs[3].chunk.Place.Start != 48000 {
		t.Errorf("refs %+v", p.refs)
	}
}

func TestPagesAreDeterministicCBOR(t *testing.T) {
	leaf, index := vectorPages(t)
	for _, raw := range [][]byte{leaf, index} {
		var whole map[string]any
		if err := cbor.Unmarshal(raw, &whole); err != nil {
			t.Fatal(err)
		}
		again, err := encoding.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, raw) {
			t.Errorf("deterministic encoding is\n%x, page is\n%x", again, raw)
		}
		var ours, theirs wire
		if err := ours.parse(raw); err != nil {
			t.Fatal(err)
		}
		if err := cbor.Unmarshal(raw, &theirs); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(ours, theirs) {
			t.Errorf("parsed %+v, want %+v", ours, theirs)
		}
	}
}

// altered is the vector page with one more key.
func altered(t *testing.T, key string, value any) []byte {
	t.Helper()
	leaf, _ := vectorPages(t)
	var whole map[string]any
	if err := cbor.Unmarshal(leaf, &whole); err != nil {
		t.Fatal(err)
	}
	whole[key] = value
	raw, err := encoding.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestUnknownKeysArePassedOverUnlessRequired(t *testing.T) {
	var p page
	for _, value := range []any{1, "text", []byte("bytes"), []any{1, map[string]any{"deep": []int{1, 2}}}, true, 0.0, 1.5, -7, nil, map[string]any{}} {
		if err := p.decode(altered(t, "from.the.future", value)); err != nil || len(p.rows) != 13 {
			t.Errorf("value %v: %v, %d rows", value, err, len(p.rows))
		}
	}
	if err := p.decode(altered(t, "requires", []string{"future"})); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a required feature: %v, want ErrUnsupported", err)
	}
	if err := p.decode(altered(t, "v", 2)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("version 2: %v, want ErrUnsupported", err)
	}
}

func TestDamagedPagesAreRefused(t *testing.T) {
	for key, value := range map[string]any{
		"rows": 12, "path.shared": []byte{0}, "class": []byte{99}, "chunk.id": make([]byte, 31), "size": []byte{0x80, 0x00},
		"flags": []byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "pack.kind": []byte{3}, "frame.pack": []byte{7}, "target": []byte{0},
		"hash": []byte{1, 2}, "xattrs": []byte{1, 77}, "mtime.ns": []byte{1}, "extents": []byte{1, 200}, "path.length": 5, "height": 33,
	} {
		var p page
		if err := p.decode(altered(t, key, value)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s = %v: %v, want ErrFormat", key, value, err)
		}
	}
	leaf, _ := vectorPages(t)
	for i := range leaf {
		var p page
		if err := p.decode(leaf[:i]); err == nil {
			t.Errorf("the first %d bytes are a page", i)
		}
	}
}

func FuzzDecodePage(f *testing.F) {
	for _, name := range []string{"leaf-1.cbor", "index-1.cbor"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte{0xa2, 0x61, 'v', 1, 0x64, 'r', 'o', 'w', 's', 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p page
		if p.decode(raw) != nil {
			return
		}
		once := reencode(t, &p)
		var q page
		if err := q.decode(once); err != nil {
			t.Fatalf("own page is refused: %v", err)
		}
		if twice := reencode(t, &q); !bytes.Equal(once, twice) {
			t.Fatalf("encoded\n%x, then\n%x", once, twice)
		}
	})
}

// reencode writes a page's rows into a page again.
func reencode(t *testing.T, p *page) []byte {
	t.Helper()
	b := newBuilder(p.height)
	for i := range p.rows {
		n := &p.rows[i]
		b.add(&row{node: n, flags: p.flag(i), chunks: n.Chunks, extents: n.Extents})
	}
	for i := range p.refs {
		b.addRef(&p.refs[i], nil)
	}
	var out bytes.Buffer
	if err := b.encode(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzReadTree reads trees whose pages are damaged: whatever comes, it ends.
func FuzzReadTree(f *testing.F) {
	f.Add(uint64(1), uint16(3), byte(7))
	f.Add(uint64(2), uint16(300), byte(0))
	f.Add(uint64(3), uint16(9000), byte(255))
	f.Fuzz(func(t *testing.T, seed uint64, at uint16, value byte) {
		r := rand.New(rand.NewPCG(seed, 0))
		d := newDepot()
		root := randomTree(r, 700).mustWrite(t, nil, d.options())
		for _, raw := range d.pages {
			raw[int(at)%len(raw)] ^= value
			break
		}
		tree := d.tree(root)
		nodes := 0
		for _, err := range tree.All(t.Context(), "") {
			if err == nil {
				nodes++
			}
		}
		for _, err := range tree.List(t.Context(), "usr") {
			_ = err
		}
		for _, err := range tree.Pages(t.Context()) {
			_ = err
		}
		if nodes > 2*maxRows {
			t.Errorf("%d nodes", nodes)
		}
	})
}

func TestRootsAreWrittenAsEver(t *testing.T) {
	pack := &archive.Pack{Name: archive.Name{0xab}, Kind: archive.Trees, Size: 33554000, Header: 1643}
	root := Root{Entries: 1000, Bytes: 1 << 40, Runs: []Run{
		{Height: 2, Entries: 990, Bytes: 1 << 39, Top: archive.Chunk{ID: archive.ID{1}, Length: 16000, Place: archive.Place{Pack: pack, Ordinal: 3, Frame: 100000, Stored: 60000, Start: 32000}}},
		{Entries: 20, Bytes: 7, Top: archive.Chunk{ID: archive.ID{2}, Length: 900}},
	}}
	for name, root := range map[string]Root{"root-1.cbor": root, "empty-1.cbor": {}} {
		raw, err := encoding.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, raw)
		var back Root
		if err := cbor.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, root) {
			t.Errorf("got %+v, want %+v", back, root)
		}
	}
}

func FuzzDecodeRoot(f *testing.F) {
	raw, err := os.ReadFile("testdata/root-1.cbor")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var root, again Root
		if root.UnmarshalCBOR(raw) != nil {
			return
		}
		once, err := root.MarshalCBOR()
		if err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalCBOR(once); err != nil {
			t.Fatalf("own root is refused: %v", err)
		}
		if !reflect.DeepEqual(root, again) {
			t.Errorf("got %+v, want %+v", again, root)
		}
	})
}
