package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// featureVectors are nodes that need a reader which knows more than the first one did.
func featureVectors() []*Node {
	at := entry.TimeOf(time.Date(2400, 2, 29, 1, 2, 3, 4, time.UTC))
	before := entry.TimeOf(time.Date(1500, 1, 1, 0, 0, 0, 5, time.UTC))
	hole := archive.Chunk{Length: 1 << 31}
	data := archive.Chunk{ID: archive.ID{7}, Length: 100}
	return []*Node{
		{Entry: entry.Entry{Type: entry.Directory, Mode: 0o755, ModTime: at, ChangeTime: before}},
		{Entry: entry.Entry{Path: "epoch", Type: entry.File, Known: entry.KnowsMode | entry.KnowsOwner | entry.KnowsModTime}},
		{Entry: entry.Entry{Path: "mount", Type: entry.Directory, Unknown: entry.OtherFileSystem}},
		{Entry: entry.Entry{Path: "secret", Type: entry.File, Unknown: entry.Unreadable}},
		{Entry: entry.Entry{Path: "skipped", Type: entry.File, Unknown: entry.Excluded}},
		{
			Entry:  entry.Entry{Path: "sparse", Type: entry.File, Size: 2<<31 + 100, Extents: []entry.Extent{{Offset: 2 << 31, Length: 100}}},
			Chunks: []archive.Chunk{hole, hole, data},
		},
		{Entry: entry.Entry{Path: "year one", Type: entry.File, ModTime: entry.TimeOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))}},
	}
}

// encodePage is the page of these nodes.
func encodePage(t *testing.T, b *builder, nodes ...*Node) []byte {
	t.Helper()
	for _, n := range nodes {
		b.add(&row{node: n, chunks: n.Chunks, extents: n.Extents})
	}
	var out bytes.Buffer
	if err := b.encode(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFeaturesAreWrittenAsEver(t *testing.T) {
	golden(t, "leaf-2.cbor", encodePage(t, newBuilder(0), featureVectors()...))
}

func TestFeaturesAreRead(t *testing.T) {
	raw, err := os.ReadFile("testdata/leaf-2.cbor")
	if err != nil {
		t.Fatal(err)
	}
	var p page
	if err := p.decode(raw); err != nil {
		t.Fatal(err)
	}
	for i, want := range featureVectors() {
		if !equal(&p.rows[i], want) {
			t.Errorf("row %d:\n got %+v\nwant %+v", i, &p.rows[i], want)
		}
	}
}

func TestAPageNamesTheFeaturesThatItNeeds(t *testing.T) {
	b := newBuilder(0)
	plain, _ := vectorPages(t)
	full := encodePage(t, b, featureVectors()...)
	b.reset(0)
	again := encodePage(t, b, &Node{Entry: entry.Entry{Path: "a", Type: entry.File}})
	for _, c := range []struct {
		name string
		page []byte
		want []string
	}{{"all", full, []string{"holes", "times", "unknown"}}, {"none", plain, nil}, {"the builder again", again, nil}} {
		var w wire
		if err := w.parse(c.page); err != nil || !slices.Equal(w.Requires, c.want) {
			t.Errorf("%s: got %q, %v, want %q", c.name, w.Requires, err, c.want)
		}
	}
}

func TestAPageWithAnUnknownFeatureIsRefused(t *testing.T) {
	b := newBuilder(0)
	b.require("colours")
	var p page
	if err := p.decode(encodePage(t, b, &Node{Entry: entry.Entry{Path: "a", Type: entry.File}})); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v, want %v", err, ErrUnsupported)
	}
}

func TestAReasonOfALaterVersionMeansUnreadable(t *testing.T) {
	var p page
	raw := encodePage(t, newBuilder(0), &Node{Entry: entry.Entry{Path: "a", Type: entry.File, Unknown: 77}})
	if err := p.decode(raw); err != nil || p.rows[0].Unknown != entry.Unreadable {
		t.Errorf("got %v, %v, want %v", p.rows[0].Unknown, err, entry.Unreadable)
	}
}

func TestMarksAreGivenToThoseWhoAsk(t *testing.T) {
	d, nodes := newDepot(), content{}
	for _, n := range featureVectors() {
		nodes[n.Path] = n
	}
	root := nodes.mustWrite(t, nil, d.options())
	for _, c := range []struct {
		marks bool
		want  []string
	}{
		{true, []string{"", "epoch", "mount", "secret", "skipped", "sparse", "year one"}},
		{false, []string{"", "epoch", "mount", "sparse", "year one"}},
	} {
		tr := Open(root, d.load, OpenOptions{Marks: c.marks})
		if got := collect(t, tr.All(t.Context(), "")); !slices.Equal(got, c.want) {
			t.Errorf("marks %v: got %q, want %q", c.marks, got, c.want)
		}
		if got := collect(t, tr.List(t.Context(), "")); !slices.Equal(got, c.want[1:]) {
			t.Errorf("marks %v: listed %q, want %q", c.marks, got, c.want[1:])
		}
		if _, err := tr.Lookup(t.Context(), "secret"); errors.Is(err, fs.ErrNotExist) == c.marks {
			t.Errorf("marks %v: looked up a mark: got %v", c.marks, err)
		}
	}
}

func TestAComparisonPassesOverMarks(t *testing.T) {
	d := newDepot()
	node := func(path string, why entry.Reason) *Node {
		return &Node{Entry: entry.Entry{Path: path, Type: entry.File, Unknown: why}}
	}
	was := content{"a": node("a", 0), "m": node("m", entry.Excluded), "x": node("x", 0)}
	now := content{"a": node("a", entry.Unreadable), "n": node("n", entry.Excluded), "x": node("x", 0)}
	old, next := was.mustWrite(t, nil, d.options()), now.mustWrite(t, nil, d.options())
	for marks, want := range map[bool][]string{false: {"a"}, true: {"a", "m", "n"}} {
		var got []string
		for c, err := range Diff(t.Context(), Open(old, d.load, OpenOptions{Marks: marks}), Open(next, d.load, OpenOptions{Marks: marks})) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, c.Path)
		}
		if !slices.Equal(got, want) {
			t.Errorf("marks %v: got %q, want %q", marks, got, want)
		}
	}
}

// TestMarksAreGoneWhereTheyAreGone: a mark of the last tree that is not met again is deleted, at
// the end of the tree too.
func TestMarksAreGoneWhereTheyAreGone(t *testing.T) {
	d := newDepot()
	mark := func(path string) *Node {
		return &Node{Entry: entry.Entry{Path: path, Type: entry.File, Unknown: entry.Excluded}}
	}
	was := content{"": {Entry: entry.Entry{Type: entry.Directory}}}
	for i := range 3 * stepGone {
		path := fmt.Sprintf("m%03d", i)
		was[path] = mark(path)
	}
	was["z"] = mark("z")
	first := was.mustWrite(t, nil, d.options())
	for _, kept := range [][]string{{""}, {"", "m191"}, {"", "m000", "z"}} {
		now := content{}
		for _, path := range kept {
			now[path] = was[path]
		}
		last := Open(first, d.load, OpenOptions{})
		root := now.mustWrite(t, last, d.options())
		if got := collect(t, Open(root, d.load, OpenOptions{Marks: true}).All(t.Context(), "")); !slices.Equal(got, kept) {
			t.Errorf("got %q, want %q", got, kept)
		}
	}
}
