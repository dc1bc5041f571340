package fit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
)

// shelf keeps the pages of trees.
type shelf struct {
	mu    sync.Mutex
	pages map[archive.ID][]byte
	open  []*archive.Slot
}

func (s *shelf) store(_ context.Context, slot *archive.Slot, page []byte) error {
	s.pages[slot.ID()] = slices.Clone(page)
	s.open = append(s.open, slot)
	return nil
}

func (s *shelf) flush(context.Context) error {
	pack := &archive.Pack{Name: sha256.Sum256(fmt.Append(nil, len(s.pages))), Kind: archive.Trees, Size: 1 << 20, Header: 200}
	for i, slot := range s.open {
		slot.Seal(archive.Place{Pack: pack, Ordinal: uint32(i), Stored: 1})
	}
	s.open = nil
	return nil
}

func (s *shelf) load(_ context.Context, want []archive.Chunk, each func(int, []byte) error) error {
	for i, c := range want {
		s.mu.Lock()
		page, ok := s.pages[c.ID]
		s.mu.Unlock()
		if !ok {
			return fmt.Errorf("no page %s", c.ID)
		}
		if err := each(i, page); err != nil {
			return err
		}
	}
	return nil
}

// grow makes a tree of files; a path that ends in / is a directory, one that ends in ? a mark.
func grow(t testing.TB, s *shelf, paths []string) *tree.Tree {
	t.Helper()
	slices.SortFunc(paths, func(a, b string) int {
		return entry.ComparePaths(strings.TrimRight(a, "/?"), strings.TrimRight(b, "/?"))
	})
	w := tree.NewWriter(nil, tree.WriterOptions{ID: func(b []byte) archive.ID { return sha256.Sum256(b) }, Store: s.store, Seal: s.flush, Flush: s.flush})
	for _, name := range paths {
		n := tree.Node{Entry: entry.Entry{Path: strings.TrimRight(name, "/?"), Type: entry.File}}
		switch {
		case strings.HasSuffix(name, "/"):
			n.Type = entry.Directory
		case strings.HasSuffix(name, "?"):
			n.Unknown = entry.Unreadable
		}
		if err := w.Add(t.Context(), &n, nil, tree.Step{}); err != nil {
			t.Fatal(err)
		}
	}
	root, err := w.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tree.Open(root, s.load, tree.OpenOptions{})
}

func newShelf() *shelf { return &shelf{pages: map[archive.ID][]byte{}} }

// filesTable is a database with a table of paths.
func filesTable(paths []string) *databasetest.Source {
	model := &database.Table{Name: "files", Schema: "app", PrimaryKey: &database.Key{Columns: []string{"id"}}, Columns: []*database.Column{
		{Name: "id", Type: database.Type{Kind: database.Int}}, {Name: "path", Type: database.Type{Kind: database.Text}}, {Name: "meta", Type: database.Type{Kind: database.JSON}},
	}}
	s := &databasetest.Source{Model: &database.Schema{Engine: "test", Namespace: "public", Tables: []*database.Table{model}}, Data: map[string][][]database.Cell{}}
	for i, p := range paths {
		s.Data["app.files"] = append(s.Data["app.files"], []database.Cell{databasetest.Int(int64(i)), databasetest.Text(p), databasetest.Null})
	}
	return s
}

// read reads all tables of a database, under the eyes of the check.
func read(t testing.TB, c *Check, src database.Source) {
	t.Helper()
	src = database.Observed(src, c.Observer("metadata"))
	schema, err := src.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range schema.Tables {
		if err := src.Rows(t.Context(), table, func(b *database.Batch) error { b.Release(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

var sources = []string{"metadata", "files"}

func newCheck(t testing.TB, o Options, rules ...catalog.Rule) *Check {
	t.Helper()
	c, err := New(rules, sources, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func judge(t testing.TB, c *Check, files *tree.Tree) *catalog.Snapshot {
	t.Helper()
	s := &catalog.Snapshot{}
	if err := c.Judge(t.Context(), s, func(string) *tree.Tree { return files }); err != nil {
		t.Fatal(err)
	}
	return s
}

var plainRule = catalog.Rule{From: "metadata.app.files.path", To: "files"}

// wild is a path of few letters, so that many meet, with some that sort before a slash.
func wild(r *rand.Rand) string {
	var b strings.Builder
	for i := range 1 + r.IntN(4) {
		if i > 0 {
			b.WriteByte('/')
		}
		for range 1 + r.IntN(2) {
			b.WriteString([]string{"a", "b", "!", "-", "0", "ä", "\xff"}[r.IntN(7)])
		}
	}
	return b.String()
}

func TestDanglingRowsAndOrphansAreThoseOfAModelHoweverMuchIsPutAside(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		files := map[string]bool{}
		for range r.IntN(300) {
			files[wild(r)] = true
		}
		var names, paths []string
		for name := range files {
			names = append(names, name)
		}
		for range r.IntN(600) {
			paths = append(paths, wild(r))
		}
		wantDangling, referred := map[string]bool{}, map[string]bool{}
		for i, p := range paths {
			found := false
			for name := range files {
				if entry.Within(name, p) {
					found, referred[name] = true, true
				}
			}
			if !found {
				wantDangling[fmt.Sprintf("id=%d %q", i, p)] = true
			}
		}
		got := map[string]bool{}
		c := newCheck(t, Options{Dangling: func(_ *catalog.Rule, d *catalog.Dangling) { got[fmt.Sprintf("%s %q", d.Key, d.Value)] = true }}, plainRule)
		c.Scratch(t.TempDir())
		c.rules[0].spool.most = []int{1, 200, 1 << 20}[seed%3]
		read(t, c, filesTable(paths))
		s := judge(t, c, grow(t, newShelf(), names))
		result := s.References[0]
		if result.Rows != uint64(len(paths)) || result.Dangling != uint64(len(wantDangling)) || fmt.Sprint(got) != fmt.Sprint(wantDangling) {
			for row := range got {
				if !wantDangling[row] {
					t.Errorf("%s is said to dangle", row)
				}
			}
			t.Fatalf("seed %d: %d of %d rows dangle, want %d", seed, result.Dangling, result.Rows, len(wantDangling))
		}
		if orphans := uint64(len(files) - len(referred)); s.Orphans[0].Files != orphans {
			t.Fatalf("seed %d: %d orphans, want %d", seed, s.Orphans[0].Files, orphans)
		}
		if s.Marked() != (len(wantDangling) > 0) || len(result.First) != min(len(wantDangling), Listed) {
			t.Fatalf("seed %d: marked %v, %d listed", seed, s.Marked(), len(result.First))
		}
	}
}

func TestAPathWhoseContentCouldNotBeReadIsNotThere(t *testing.T) {
	c := newCheck(t, Options{}, plainRule)
	read(t, c, filesTable([]string{"dir", "dir/read", "dir/unreadable", "empty"}))
	s := judge(t, c, grow(t, newShelf(), []string{"dir/", "dir/read", "dir/unreadable?", "empty/"}))
	if first := s.References[0].First; len(first) != 1 || first[0].Value != "dir/unreadable" {
		t.Errorf("dangling: %+v, want dir/unreadable alone", first)
	}
}

func TestATableThatIsReadAgainCountsOnce(t *testing.T) {
	c := newCheck(t, Options{}, plainRule)
	for range 3 { // as where the changes proved too many, and where the backup began again
		read(t, c, filesTable([]string{"a", "b"}))
	}
	s := judge(t, c, grow(t, newShelf(), []string{"a"}))
	if r := s.References[0]; r.Rows != 2 || r.Dangling != 1 {
		t.Errorf("%d rows, %d dangling, want 2 and 1", r.Rows, r.Dangling)
	}
}

func TestWhatValuesMean(t *testing.T) {
	long := strings.Repeat("x", longest+1)
	for _, test := range []struct {
		value, strip, want string
		cause              cause
	}{
		{"a/b.txt", "", "a/b.txt", isPath},
		{"./a//b.txt", "", "a/b.txt", isPath},
		{"a/b/", "", "a/b", isPath},
		{"a/./b", "", "a/b", isPath},
		{".hidden/..b", "", ".hidden/..b", isPath},
		{"", "", "", isEmpty}, {".", "", "", isEmpty}, {"./", "", "", isEmpty},
		{"/a", "", "", isAbsolute},
		{"..", "", "", hasParent}, {"a/../b", "", "", hasParent}, {"../a", "", "", hasParent}, {"a/..", "", "", hasParent},
		{"a\x00b", "", "", hasNUL},
		{long, "", "", isLong},
		{"/srv/files/a", "/srv/files", "a", isPath},
		{"/srv/files//a", "/srv/files/", "a", isPath},
		{"/srv/files2/a", "/srv/files", "", isAbsolute},
		{"/srv/files", "/srv/files", "", isEmpty},
		{"s3://lake/output/t/0.parquet", "s3://lake/output/", "t/0.parquet", isPath},
		{"t/0.parquet", "s3://lake/output/", "t/0.parquet", isPath},
		{"s3://other/t/0.parquet", "s3://lake/", "s3:/other/t/0.parquet", isPath}, // which is there in no tree
	} {
		got, c := resolve([]byte(test.value), test.strip)
		if string(got) != test.want || c != test.cause {
			t.Errorf("%.40q without %q is %q (%d), want %q (%d)", test.value, test.strip, got, c, test.want, test.cause)
		}
	}
}

func TestWhichColumnARuleMeans(t *testing.T) {
	s := filesTable(nil).Model
	s.Tables = append(s.Tables, &database.Table{Name: "odd.name", Columns: []*database.Column{{Name: "a.b"}, {Name: "c", Unread: true}}})
	for _, test := range []struct{ from, path, want string }{
		{"metadata.app.files.path", "", ""},
		{"metadata.app.files", "{id}/{path}", ""},
		{"metadata.odd.name.a.b", "", ""},
		{"metadata.public.odd.name.a.b", "", ""},
		{"metadata.files.path", "", "the database has no such table; its tables are app.files, odd.name (views have no rows in a snapshot)"},
		{"metadata.app.files.pth", "", "table app.files has no column pth; its columns are id, path, meta"},
		{"metadata.app.files", "{id}/{nothing}", "table app.files has no column nothing; its columns are id, path, meta"},
		{"metadata.app.files.meta", "", "column meta of table app.files is of the kind json, whose values are no paths"},
		{"metadata.odd.name.c", "", "column c of table odd.name is computed by code of the database's users, and is not read"},
	} {
		c := newCheck(t, Options{}, catalog.Rule{From: test.from, Path: test.path, To: "files"})
		c.Observer("metadata").Schema(s)
		if got := c.rules[0].failed; got != test.want {
			t.Errorf("%s %s: %q, want %q", test.from, test.path, got, test.want)
		}
	}
}

func TestRulesThatMakeNoSense(t *testing.T) {
	for _, rule := range []catalog.Rule{
		{}, {From: "metadata", To: "files"}, {From: "metadata.", To: "files"}, {From: "metadata.files", To: "files"}, {From: "other.files.path", To: "files"},
		{From: "metadata.files.path"}, {From: "metadata.files.path", To: "lake"}, {From: "metadata.files", To: "files", Path: "plain"},
		{From: "metadata.files", To: "files", Path: "{}"}, {From: "metadata.files", To: "files", Path: "{a"}, {From: "metadata.files", To: "files", Path: "a}"},
		{From: "metadata.files", To: "files", Path: "{a{b}"}, {From: "metadata.files", To: "files", Path: "{a}}"},
	} {
		if _, err := New([]catalog.Rule{rule}, sources, Options{}); !errors.Is(err, catalog.ErrMisuse) {
			t.Errorf("%+v: %v, want ErrMisuse", rule, err)
		}
	}
}

func TestAPathIsMadeOfColumns(t *testing.T) {
	rule := catalog.Rule{From: "metadata.app.files", To: "files", Path: "data/{path}/{id}.bin"}
	c := newCheck(t, Options{}, rule)
	read(t, c, filesTable([]string{"x", "y"}))
	s := judge(t, c, grow(t, newShelf(), []string{"data/x/0.bin"}))
	if r := s.References[0]; r.Rows != 2 || r.Dangling != 1 || r.First[0].Value != "data/y/1.bin" || r.First[0].Key != "id=1" {
		t.Errorf("got %+v", r)
	}
}

func TestNullIsNoReferenceUnlessItIsSaid(t *testing.T) {
	for _, nulls := range []bool{false, true} {
		rule := plainRule
		rule.Nulls = nulls
		src := filesTable([]string{"a", "b"})
		src.Data["app.files"][1][1] = databasetest.Null
		c := newCheck(t, Options{}, rule)
		read(t, c, src)
		r := judge(t, c, grow(t, newShelf(), []string{"a"})).References[0]
		if want := uint64(1); nulls && (r.Dangling != want || r.First[0].Cause == "") || !nulls && r.Rows != want {
			t.Errorf("nulls %v: %+v", nulls, r)
		}
	}
}

func TestWhatCannotBePutAsideLeavesTheRuleUntestedAndTheBackupBe(t *testing.T) {
	c := newCheck(t, Options{}, plainRule, catalog.Rule{From: "metadata.app.files", To: "files", Path: "{id}"})
	c.Scratch(filepath.Join(t.TempDir(), "nowhere"))
	c.rules[0].spool.most = 1
	read(t, c, filesTable([]string{"a", "b", "c"}))
	s := judge(t, c, grow(t, newShelf(), []string{"0", "1", "2"}))
	if !strings.Contains(s.References[0].Failed, "put references aside") || s.References[0].Hold() || !s.Marked() {
		t.Errorf("the rule that could not be tested: %+v", s.References[0])
	}
	if !s.References[1].Hold() || len(s.Orphans) != 0 {
		t.Errorf("the other: %+v, orphans %v", s.References[1], s.Orphans)
	}
}

func TestATreeThatCannotBeReadLeavesTheRuleUntested(t *testing.T) {
	shelf := newShelf()
	files := grow(t, shelf, []string{"a"})
	clear(shelf.pages)
	c := newCheck(t, Options{}, plainRule)
	read(t, c, filesTable([]string{"a", "b"}))
	s := judge(t, c, files)
	if r := s.References[0]; r.Failed == "" || r.Dangling != 0 || len(s.Orphans) != 0 {
		t.Errorf("got %+v", r)
	}
	c = newCheck(t, Options{}, plainRule) // and a table that was never read
	c.Observer("metadata").Schema(filesTable(nil).Model)
	if r := judge(t, c, files).References[0]; r.Failed != "its table was not read" {
		t.Errorf("got %+v", r)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("{tenant}/{id}.bin")
	f.Add("{a}{b}")
	f.Add("x}{")
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := parseTemplate(text)
		if err != nil {
			return
		}
		again := ""
		for _, p := range parts {
			if p.column != "" {
				again += "{" + p.column + "}"
			}
			again += p.text
		}
		if again != text {
			t.Errorf("%q is read as %q", text, again)
		}
	})
}

func FuzzResolve(f *testing.F) {
	f.Add("/srv/a/../b", "/srv")
	f.Fuzz(func(t *testing.T, value, strip string) {
		got, c := resolve([]byte(value), strip)
		if c == isPath && (path.Clean(string(got)) != string(got) || path.IsAbs(string(got)) || strings.HasPrefix(string(got), "../") || string(got) == "..") {
			t.Errorf("%q is the path %q", value, got)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, isPath, []byte("value"), []byte("path"), func(b []byte) []byte { return append(b, "id=1"...) }))
	f.Add([]byte{0, 200, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := parseRecord("t", "p", data); err == nil && len(d.Key)+len(d.Value) > len(data)+len("p…") {
			t.Errorf("%x is %+v", data, d)
		}
	})
}

func FuzzRun(f *testing.F) {
	f.Add([]byte{1, 1, 'a', 0})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, taken := newRun(bytes.NewReader(data)), 0
		for {
			path, rest, err := r.next()
			if err != nil {
				return
			}
			if taken += 2 + len(path) + len(rest); taken > len(data) {
				t.Fatalf("%d bytes come out of %d", taken, len(data))
			}
		}
	})
}

// BenchmarkMillionRows is of rows that refer to files in an order of their own, all told: 1 million
// rows and as many files.
func BenchmarkMillionRows(b *testing.B) {
	const n = 1_000_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("tenant%03d/2026/%02d/file-%07d.parquet", i%500, i%12, i)
	}
	paths := slices.Clone(names)
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	files, src := grow(b, newShelf(), names), filesTable(paths)
	b.ResetTimer()
	for b.Loop() {
		c := newCheck(b, Options{}, plainRule)
		c.Scratch(b.TempDir())
		read(b, c, src)
		if s := judge(b, c, files); s.References[0].Rows != n || s.Marked() {
			b.Fatalf("got %+v", s.References)
		}
		c.Close()
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
