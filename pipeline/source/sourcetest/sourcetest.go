// Package sourcetest is the suite that every source passes. An adapter's test puts a tree where its
// source reads, and says which metadata the source returns; the rest must be zero, never wrong.
package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
)

// Item is an entry for the tree, with its content. Only path, type, mode, time, link target and
// attributes are set.
type Item struct {
	entry.Entry
	Content []byte
}

// Tree is what a source must find, sorted by path, including the directories of all items.
type Tree []Item

// Keeps says which metadata a source returns. The zero value is a source of names, sizes and
// contents.
type Keeps struct {
	Root           bool // there is an entry ""
	Directories    bool // empty ones too
	Mode           bool
	Owner          bool // by number and, after Detail, by name: those of the test's process
	ModTime        time.Duration
	FutureAndPast  bool // times before 1970 and after 2038
	ChangeTime     bool
	Inode          bool
	Identity       bool // of files, and another one for other content
	Symlinks       bool
	Fifos          bool
	Xattrs         bool // user.*
	RawNames       bool // names that are not UTF-8
	DetailVanished bool // Detail tells that an entry is gone
	EmptyIsError   bool // Walk of an empty tree is source.ErrEmpty
	// Remove, if set, removes a file of the current tree.
	Remove func(t *testing.T, path string)
	// Replace, if set, gives a file of the current tree other content of another length.
	Replace func(t *testing.T, path string, content []byte)
}

// Run runs the suite. Each call of open replaces the tree, and returns a source of it.
func Run(t *testing.T, open func(t *testing.T, tree Tree) source.Source, keeps Keeps) {
	s := &suite{open: open, keeps: keeps}
	for _, test := range []struct {
		name string
		run  func(*suite, *testing.T)
	}{
		{"AWalkFindsEverythingInOrder", (*suite).everything},
		{"ContentsComeBack", (*suite).contents},
		{"DetailAddsWhatAListingLacks", (*suite).details},
		{"AManyFilesDirectoryIsWalkedWhole", (*suite).many},
		{"EntriesAreReadWhileTheWalkRuns", (*suite).during},
		{"EntriesBelongToTheVisitor", (*suite).ownership},
		{"ReadingMayEndEarly", (*suite).early},
		{"AVisitorsErrorEndsTheWalk", (*suite).visitorError},
		{"ACancelledContextEndsTheWalk", (*suite).cancelled},
		{"WhatIsGoneHasVanished", (*suite).vanished},
		{"OtherContentShowsInTheEntry", (*suite).replaced},
		{"AnEmptySourceIsAnError", (*suite).empty},
		{"ClassIsKnown", (*suite).class},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(s, t) })
	}
}

type suite struct {
	open  func(t *testing.T, tree Tree) source.Source
	keeps Keeps
}

var moment = entry.TimeOf(time.Date(2023, 4, 5, 6, 7, 8, 987654321, time.UTC))

// File returns an item for a file of some content.
func File(path string, content []byte) Item {
	return Item{entry.Entry{Path: path, Type: entry.File, Mode: 0o640, ModTime: moment, Size: int64(len(content))}, content}
}

// Directory returns an item for a directory.
func Directory(path string) Item {
	return Item{Entry: entry.Entry{Path: path, Type: entry.Directory, Mode: 0o750, ModTime: moment}}
}

// Content returns size bytes that differ by seed.
func Content(size, seed int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*13 + i>>8*7 + seed)
	}
	return b
}

// tree returns the tree of most tests: traps for order, odd names, sizes.
func (s *suite) tree() Tree {
	tree := Tree{
		File("a-b", Content(1, 1)), File("a.b", Content(2, 2)), File("a0", nil), Directory("a"), File("a/b", Content(3, 3)),
		Directory("a/b.d"), File("a/b.d/x", Content(4, 4)), Directory("a/z"), File("a/z/1", Content(4096, 5)),
		File("big", Content(3<<20+123, 6)), File("with space & 'quotes' %41 #?;", Content(10, 7)), File("ünïcødé 名前", Content(11, 8)),
		File("z", Content(65536, 9)), File("Z", Content(65537, 10)),
	}
	if s.keeps.Directories {
		tree = append(tree, Directory("empty"))
	}
	if s.keeps.Symlinks {
		tree = append(tree, Item{Entry: entry.Entry{Path: "link", Type: entry.Symlink, Target: "a/nowhere \xfe", ModTime: moment}})
	}
	if s.keeps.Fifos {
		tree = append(tree, Item{Entry: entry.Entry{Path: "pipe", Type: entry.Fifo, Mode: 0o600, ModTime: moment}})
	}
	if s.keeps.RawNames {
		tree = append(tree, File("raw \xff\xfe\n", Content(5, 11)))
	}
	if s.keeps.FutureAndPast {
		past, future := File("past", nil), File("future", nil)
		past.ModTime, future.ModTime = entry.NanoTime(-123456789), entry.TimeOf(time.Date(2400, 1, 1, 0, 0, 0, 5, time.UTC))
		tree = append(tree, past, future)
	}
	if s.keeps.Xattrs {
		named := File("named", Content(9, 12))
		named.Xattrs = []entry.Attribute{{Name: "user.a", Value: []byte("1")}, {Name: "user.b", Value: []byte{0, 255}}, {Name: "user.empty", Value: []byte{}}}
		tree = append(tree, named)
	}
	slices.SortFunc(tree, func(a, b Item) int { return entry.ComparePaths(a.Path, b.Path) })
	return tree
}

// Recorder is a visitor that records what it receives, and fails if that is out of order.
type Recorder struct {
	Entries  []*entry.Entry
	Problems map[string]error
}

// Visit implements source.Visitor.
func (r *Recorder) Visit(e *entry.Entry) error {
	if n := len(r.Entries); n > 0 && entry.ComparePaths(r.Entries[n-1].Path, e.Path) >= 0 {
		return fmt.Errorf("%q is visited after %q", e.Path, r.Entries[n-1].Path)
	}
	if e.Path == "" && len(r.Entries) > 0 {
		return errors.New("the root is not visited first")
	}
	r.Entries = append(r.Entries, e)
	return nil
}

// Problem implements source.Visitor.
func (r *Recorder) Problem(path string, err error) {
	if r.Problems == nil {
		r.Problems = make(map[string]error)
	}
	r.Problems[path] = err
}

// Find returns the entry at path, or nil.
func (r *Recorder) Find(path string) *entry.Entry {
	for _, e := range r.Entries {
		if e.Path == path {
			return e
		}
	}
	return nil
}

// Walk walks s and fails the test on any problem.
func Walk(t *testing.T, s source.Source) *Recorder {
	t.Helper()
	r := new(Recorder)
	if err := s.Walk(context.Background(), r); err != nil {
		t.Fatalf("walk: %v", err)
	}
	for path, err := range r.Problems {
		t.Errorf("problem at %q: %v", path, err)
	}
	return r
}

func (s *suite) opened(t *testing.T, tree Tree) source.Source {
	t.Helper()
	src := s.open(t, tree)
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Errorf("close the source: %v", err)
		}
	})
	return src
}

func (s *suite) everything(t *testing.T) {
	tree := s.tree()
	found := Walk(t, s.opened(t, tree))
	want := tree
	if !s.keeps.Directories {
		want = slices.DeleteFunc(slices.Clone(tree), func(i Item) bool { return i.Type == entry.Directory })
	}
	got := found.Entries
	if s.keeps.Root {
		if len(got) == 0 || got[0].Path != "" || got[0].Type != entry.Directory {
			t.Fatalf("the first entry is not the root")
		}
		got = got[1:]
	}
	if gotPaths, wantPaths := paths(got), pathsOf(want); !slices.Equal(gotPaths, wantPaths) {
		t.Fatalf("got  %q\nwant %q", gotPaths, wantPaths)
	}
	for i := range got {
		s.compare(t, got[i], &want[i])
	}
}

func paths(all []*entry.Entry) []string {
	var list []string
	for _, e := range all {
		list = append(list, e.Path)
	}
	return list
}

func pathsOf(tree Tree) []string {
	var list []string
	for i := range tree {
		list = append(list, tree[i].Path)
	}
	return list
}

// compare checks what a listing tells of one entry.
func (s *suite) compare(t *testing.T, got *entry.Entry, want *Item) {
	t.Helper()
	if got.Type != want.Type || got.Size != int64(len(want.Content)) {
		t.Errorf("%q: got type %d, size %d, want %d, %d", got.Path, got.Type, got.Size, want.Type, len(want.Content))
	}
	wantMode := want.Mode
	if !s.keeps.Mode {
		wantMode = 0
	}
	if want.Type != entry.Symlink && got.Mode != wantMode {
		t.Errorf("%q: got mode %o, want %o", got.Path, got.Mode, wantMode)
	}
	if fine := s.keeps.ModTime; fine > 0 && want.Type == entry.File && got.ModTime.Truncate(fine) != want.ModTime.Truncate(fine) {
		t.Errorf("%q: got time %v, want %v to %v", got.Path, got.ModTime, want.ModTime, fine)
	}
	for field, there := range map[string][2]bool{
		"ChangeTime": {!got.ChangeTime.IsZero(), s.keeps.ChangeTime},
		"Inode":      {got.Inode != 0, s.keeps.Inode},
		"Identity":   {got.Identity != "", s.keeps.Identity && got.Type == entry.File},
	} {
		if there[0] != there[1] {
			t.Errorf("%q: %s is given: %v, want %v", got.Path, field, there[0], there[1])
		}
	}
}

// Read reads an entry to its end and finishes it.
func Read(s source.Source, e *entry.Entry) ([]byte, error) {
	f, err := s.Open(context.Background(), e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return content, f.Finish(e)
}

func (s *suite) contents(t *testing.T) {
	tree := s.tree()
	src := s.opened(t, tree)
	found := Walk(t, src)
	for i := range tree {
		want := &tree[i]
		if want.Type != entry.File {
			continue
		}
		e := *found.Find(want.Path)
		listed := e
		got, err := Read(src, &e)
		if err != nil {
			t.Errorf("read %q: %v", want.Path, err)
			continue
		}
		if !bytes.Equal(got, want.Content) {
			t.Errorf("%q: got %d bytes, want %d others", want.Path, len(got), len(want.Content))
		}
		if !entry.Unchanged(&listed, &e) {
			t.Errorf("%q: Finish made %+v of %+v", want.Path, e, listed)
		}
	}
}

func (s *suite) details(t *testing.T) {
	tree := s.tree()
	src := s.opened(t, tree)
	found := Walk(t, src)
	for _, e := range found.Entries {
		listed := *e
		if err := src.Detail(context.Background(), e); err != nil {
			t.Errorf("detail of %q: %v", e.Path, err)
		}
		if !entry.Unchanged(&listed, e) || listed.Path != e.Path {
			t.Errorf("%q: Detail made %+v of %+v", e.Path, e, listed)
		}
		if (e.User != "" || e.Group != "") && !s.keeps.Owner {
			t.Errorf("%q: got owner %s:%s, want none", e.Path, e.User, e.Group)
		}
	}
	for i := range tree {
		e := found.Find(tree[i].Path)
		if e == nil {
			continue
		}
		if e.Target != tree[i].Target {
			t.Errorf("%q: got target %q, want %q", e.Path, e.Target, tree[i].Target)
		}
		if s.keeps.Xattrs {
			compareXattrs(t, e, tree[i].Xattrs)
		}
	}
}

func compareXattrs(t *testing.T, e *entry.Entry, want []entry.Attribute) {
	t.Helper()
	var got []entry.Attribute
	for _, x := range e.Xattrs {
		if strings.HasPrefix(x.Name, "user.") {
			got = append(got, x)
		}
	}
	equal := func(a, b entry.Attribute) bool { return a.Name == b.Name && bytes.Equal(a.Value, b.Value) }
	if !slices.EqualFunc(got, want, equal) {
		t.Errorf("%q: got attributes %q, want %q", e.Path, got, want)
	}
}

// many has more files in one directory than fit into one block or answer of anything.
func (s *suite) many(t *testing.T) {
	var tree Tree
	tree = append(tree, Directory("m"))
	for i := range 2500 {
		tree = append(tree, File(fmt.Sprintf("m/file-%05d", i), nil))
		if i%500 == 0 {
			tree = append(tree, Directory(fmt.Sprintf("m/file-%05d.d", i)), File(fmt.Sprintf("m/file-%05d.d/x", i), nil))
		}
	}
	found := Walk(t, s.opened(t, tree))
	files := 0
	for _, e := range found.Entries {
		if e.Type == entry.File {
			files++
		}
	}
	if files != 2505 {
		t.Errorf("got %d files, want 2505", files)
	}
}

// reader reads entries while they are found.
type reader struct {
	found chan *entry.Entry
}

// Visit implements source.Visitor.
func (r reader) Visit(e *entry.Entry) error { r.found <- e; return nil }

// Problem implements source.Visitor.
func (r reader) Problem(path string, err error) {}

func (s *suite) during(t *testing.T) {
	tree := Tree{}
	want := make(map[string][]byte)
	for d := range 5 {
		tree = append(tree, Directory(fmt.Sprintf("d%d", d)))
		for f := range 40 {
			path := fmt.Sprintf("d%d/f%02d", d, f)
			want[path] = Content(100*f, d)
			tree = append(tree, File(path, want[path]))
		}
	}
	src := s.opened(t, tree)
	r := reader{make(chan *entry.Entry)}
	var mu sync.Mutex
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for e := range r.found {
				if e.Type != entry.File {
					continue
				}
				if err := src.Detail(context.Background(), e); err != nil {
					t.Errorf("detail of %q: %v", e.Path, err)
				}
				got, err := Read(src, e)
				mu.Lock()
				if err != nil || !bytes.Equal(got, want[e.Path]) {
					t.Errorf("read %q: got %d bytes, %v, want %d", e.Path, len(got), err, len(want[e.Path]))
				}
				delete(want, e.Path)
				mu.Unlock()
			}
		})
	}
	err := src.Walk(context.Background(), r)
	close(r.found)
	readers.Wait()
	if err != nil || len(want) > 0 {
		t.Errorf("walk: %v; %d files were not found", err, len(want))
	}
}

func (s *suite) ownership(t *testing.T) {
	src := s.opened(t, s.tree())
	v := &spoiler{}
	if err := src.Walk(context.Background(), v); err != nil {
		t.Fatal(err)
	}
	for i, e := range v.all {
		if e.Path != v.paths[i]+"!" {
			t.Errorf("entry %d was %q, is %q: it is used again", i, v.paths[i], e.Path)
		}
	}
}

// spoiler changes what it was given, as a visitor may.
type spoiler struct {
	all   []*entry.Entry
	paths []string
}

// Visit implements source.Visitor.
func (v *spoiler) Visit(e *entry.Entry) error {
	v.all, v.paths = append(v.all, e), append(v.paths, e.Path)
	*e = entry.Entry{Path: e.Path + "!"}
	return nil
}

// Problem implements source.Visitor.
func (v *spoiler) Problem(string, error) {}

func (s *suite) early(t *testing.T) {
	src := s.opened(t, s.tree())
	found := Walk(t, src)
	for range 5 {
		f, err := src.Open(context.Background(), found.Find("big"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(f, make([]byte, 1000)); err != nil {
			t.Errorf("read the first 1000 bytes: %v", err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	got, err := Read(src, found.Find("z"))
	if err != nil || len(got) != 65536 {
		t.Errorf("another file then: got %d bytes, %v", len(got), err)
	}
}

// stopper ends a walk after some entries.
type stopper struct {
	after int
	stop  func() error
}

// Visit implements source.Visitor.
func (v *stopper) Visit(*entry.Entry) error {
	if v.after--; v.after == 0 {
		return v.stop()
	}
	return nil
}

// Problem implements source.Visitor.
func (v *stopper) Problem(string, error) {}

func (s *suite) visitorError(t *testing.T) {
	stop := errors.New("stop")
	v := &stopper{3, func() error { return stop }}
	if err := s.opened(t, s.tree()).Walk(context.Background(), v); !errors.Is(err, stop) {
		t.Errorf("got %v, want the visitor's error", err)
	}
	if v.after != 0 {
		t.Errorf("the walk went on for %d entries", -v.after)
	}
}

func (s *suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	v := &stopper{2, func() error { cancel(); return nil }}
	tree := Tree{}
	for d := range 50 {
		tree = append(tree, Directory(fmt.Sprintf("d%02d", d)), File(fmt.Sprintf("d%02d/f", d), nil))
	}
	src := s.opened(t, tree)
	if err := src.Walk(ctx, v); !errors.Is(err, context.Canceled) {
		t.Errorf("walk: got %v, want context.Canceled", err)
	}
	if _, err := src.Open(ctx, &tree[1].Entry); !errors.Is(err, context.Canceled) {
		t.Errorf("open: got %v, want context.Canceled", err)
	}
}

func (s *suite) vanished(t *testing.T) {
	src := s.opened(t, s.tree())
	found := Walk(t, src)
	never := &entry.Entry{Path: "never/was", Type: entry.File}
	if _, err := src.Open(context.Background(), never); !errors.Is(err, source.ErrVanished) {
		t.Errorf("open what never was: got %v, want ErrVanished", err)
	}
	if s.keeps.Remove == nil {
		return
	}
	s.keeps.Remove(t, "a/b")
	if _, err := src.Open(context.Background(), found.Find("a/b")); !errors.Is(err, source.ErrVanished) {
		t.Errorf("open: got %v, want ErrVanished", err)
	}
	err := src.Detail(context.Background(), found.Find("a/b"))
	if s.keeps.DetailVanished && !errors.Is(err, source.ErrVanished) {
		t.Errorf("detail: got %v, want ErrVanished", err)
	}
}

func (s *suite) replaced(t *testing.T) {
	if s.keeps.Replace == nil {
		t.Skip("the test cannot replace a file")
	}
	src := s.opened(t, s.tree())
	found := Walk(t, src)
	e := found.Find("a/z/1")
	before := *e
	want := Content(5000, 77)
	s.keeps.Replace(t, "a/z/1", want)
	got, err := Read(src, e)
	if err != nil && !errors.Is(err, source.ErrChanged) {
		t.Fatalf("read: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want the new %d", len(got), len(want))
	}
	if e.Size != 5000 || entry.Unchanged(&before, e) {
		t.Errorf("after Finish the entry is %+v as before %+v, want the new state", *e, before)
	}
}

func (s *suite) empty(t *testing.T) {
	if !s.keeps.EmptyIsError {
		t.Skip("the source may be empty")
	}
	if err := s.opened(t, nil).Walk(context.Background(), new(Recorder)); !errors.Is(err, source.ErrEmpty) {
		t.Errorf("got %v, want ErrEmpty", err)
	}
}

func (s *suite) class(t *testing.T) {
	switch class := s.opened(t, s.tree()).Class(); class {
	case source.ClassSmall, source.ClassMedium, source.ClassLarge:
	default:
		t.Errorf("got class %q", class)
	}
}
