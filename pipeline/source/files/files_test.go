package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
	"golang.org/x/sys/unix"
)

// collector keeps what a walk visits.
type collector struct {
	entries  []*entry.Entry
	problems map[string]error
}

func (c *collector) Visit(e *entry.Entry) error {
	c.entries = append(c.entries, e)
	return nil
}

func (c *collector) Problem(path string, err error) {
	if c.problems == nil {
		c.problems = make(map[string]error)
	}
	c.problems[path] = err
}

func (c *collector) files() []*entry.Entry {
	var files []*entry.Entry
	for _, e := range c.entries {
		if e.Type == entry.File {
			files = append(files, e)
		}
	}
	return files
}

func (c *collector) paths() []string {
	var paths []string
	for _, e := range c.entries {
		paths = append(paths, e.Path)
	}
	return paths
}

func (c *collector) find(t *testing.T, path string) *entry.Entry {
	t.Helper()
	for _, e := range c.entries {
		if e.Path == path {
			return e
		}
	}
	t.Fatalf("%q was not found among %q", path, c.paths())
	return nil
}

// put makes files, directories where the name ends in a slash, and what is above them.
func put(t *testing.T, root string, names ...string) {
	t.Helper()
	for _, name := range names {
		file := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(file, 0o755))
			continue
		}
		must(t, os.WriteFile(file, []byte("content of "+name), 0o644))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, options Options) *Source {
	t.Helper()
	s, err := New(options)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func walked(t *testing.T, options Options) (*Source, *collector) {
	t.Helper()
	s, c := open(t, options), new(collector)
	if err := s.Walk(context.Background(), c); err != nil {
		t.Fatalf("walk: %v", err)
	}
	return s, c
}

func readAll(s *Source, e *entry.Entry) (string, error) {
	f, err := s.Open(context.Background(), e)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		return "", err
	}
	return string(content), f.Finish(e)
}

func TestExcludedPathsAreLeftOut(t *testing.T) {
	root := t.TempDir()
	put(t, root, "a.tmp", "a.txt", "cache/x", "sub/cache/y", "sub/a.tmp", "sub/deep/er/z", "sub/deep/z", "B.TMP", "keep/a.tmp", "build", "sub/build/out")
	for _, c := range []struct {
		patterns []string
		gone     []string // of all paths, these and only these
	}{
		{nil, nil},
		{[]string{"*.tmp"}, []string{"a.tmp", "keep/a.tmp", "sub/a.tmp"}},
		{[]string{"/*.tmp"}, []string{"a.tmp"}},
		{[]string{"cache"}, []string{"cache", "cache/x", "sub/cache", "sub/cache/y"}},
		{[]string{"/cache"}, []string{"cache", "cache/x"}},
		{[]string{"sub/cache"}, []string{"sub/cache", "sub/cache/y"}},
		{[]string{"build/"}, []string{"sub/build", "sub/build/out"}},
		{[]string{"sub/**/z"}, []string{"sub/deep/er/z", "sub/deep/z"}},
		{[]string{"**/er"}, []string{"sub/deep/er", "sub/deep/er/z"}},
		{[]string{"/sub/**"}, []string{"sub/a.tmp", "sub/build", "sub/build/out", "sub/cache", "sub/cache/y", "sub/deep", "sub/deep/er", "sub/deep/er/z", "sub/deep/z"}},
		{[]string{"deep/er/z", "er/*"}, nil},
		{[]string{"**/deep/er/z"}, []string{"sub/deep/er/z"}},
		{[]string{"[[:upper:]].*"}, []string{"B.TMP"}},
		{[]string{"*.tmp", "!/keep/a.tmp"}, []string{"a.tmp", "sub/a.tmp"}},
		{[]string{"!a.tmp", "*.tmp"}, []string{"a.tmp", "keep/a.tmp", "sub/a.tmp"}},
		{[]string{root + "/sub/a.tmp"}, []string{"sub/a.tmp"}},
		{[]string{"[ab].t?t"}, []string{"a.txt"}},
		{[]string{"/deep", "a.tm", "tmp"}, nil},
	} {
		_, all := walked(t, Options{Roots: []string{root}})
		_, got := walked(t, Options{Roots: []string{root}, Exclude: c.patterns})
		var gone []string
		for _, path := range all.paths() {
			if !slices.Contains(got.paths(), path) {
				gone = append(gone, path)
			}
		}
		if !slices.Equal(gone, c.gone) {
			t.Errorf("exclude %q:\ngot  without %q\nwant without %q", c.patterns, gone, c.gone)
		}
	}
}

func TestPatternsOfSeveralPathsCountInEachAndByTheirOwnPath(t *testing.T) {
	top := t.TempDir()
	put(t, top, "a/tmp/x", "a/sub/tmp/x", "a/keep", "b/tmp/x", "b/a/tmp/x", "b/keep")
	for pattern, left := range map[string][]string{
		"/tmp":            {"a/tmp", "b/tmp"},
		"sub/tmp":         {"a/sub/tmp"},
		"a/tmp":           {"b/a/tmp"},
		top + "/a/tmp":    {"a/tmp"},
		top + "/*/tmp":    {"a/tmp", "b/tmp"},
		"tmp/":            {"a/tmp", "a/sub/tmp", "b/tmp", "b/a/tmp"},
		top + "/**/tmp":   {"a/tmp", "a/sub/tmp", "b/tmp", "b/a/tmp"},
		top + "/b/**/tmp": {"b/tmp", "b/a/tmp"},
		top + "/a":        nil, // what was named stays
	} {
		_, got := walked(t, Options{Roots: []string{top + "/a", top + "/b"}, Exclude: []string{pattern}})
		for _, dir := range []string{"a/tmp", "a/sub/tmp", "b/tmp", "b/a/tmp", "a/keep", "b/keep"} {
			if there := slices.Contains(got.paths(), top[1:]+"/"+dir); there == slices.Contains(left, dir) {
				t.Errorf("exclude %s: %s is there: %v, want %v", pattern, dir, there, !there)
			}
		}
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	for _, o := range []Options{
		{}, {Roots: []string{"relative"}}, {Roots: []string{""}},
		{Roots: []string{"/"}, Exclude: []string{"["}}, {Roots: []string{"/"}, Exclude: []string{"/"}},
		{Roots: []string{"/"}, Exclude: []string{"a/../b"}}, {Roots: []string{"/"}, Exclude: []string{""}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("New(%+v): got no error", o)
		}
	}
}

func TestMarkedDirectoriesKeepOnlyTheMark(t *testing.T) {
	root := t.TempDir()
	put(t, root, "cache/CACHEDIR.TAG", "cache/x", "no/CACHEDIR.TAG", "no/x", "skip/.nobackup", "skip/x/y", "half/.half", "half/x")
	must(t, os.WriteFile(filepath.Join(root, "cache/CACHEDIR.TAG"), []byte(cacheSignature+"\n# more"), 0o644))
	_, got := walked(t, Options{Roots: []string{root}, ExcludeCaches: true, ExcludeIfPresent: []string{".nobackup", ".half:other text"}})
	want := []string{"", "cache", "cache/CACHEDIR.TAG", "half", "half/.half", "half/x", "no", "no/CACHEDIR.TAG", "no/x", "skip", "skip/.nobackup"}
	if !slices.Equal(got.paths(), want) {
		t.Errorf("got  %q\nwant %q", got.paths(), want)
	}
}

func TestLargeFilesAreLeftOut(t *testing.T) {
	root := t.TempDir()
	put(t, root, "small")
	must(t, os.WriteFile(filepath.Join(root, "large"), make([]byte, 1001), 0o644))
	must(t, os.WriteFile(filepath.Join(root, "limit"), make([]byte, 1000), 0o644))
	_, got := walked(t, Options{Roots: []string{root}, ExcludeLargerThan: 1000})
	if want := []string{"", "limit", "small"}; !slices.Equal(got.paths(), want) {
		t.Errorf("got %q, want %q", got.paths(), want)
	}
}

func TestAbsoluteRootsComeWithWhatIsAboveThem(t *testing.T) {
	top := t.TempDir()
	put(t, top, "x/one/f", "x/two/g", "x/three/h", "y/file", "real/data/d")
	must(t, os.Symlink("real", filepath.Join(top, "link")))
	s, got := walked(t, Options{Roots: []string{top + "/x/two/", top + "/y/file", top + "/x/one/../one", top + "/link/data", top + "/link/data/d"}})
	base := strings.TrimPrefix(top, "/")
	var want []string
	for dir := base; dir != "."; dir = filepath.Dir(dir) {
		want = append([]string{dir}, want...)
	}
	for _, p := range []string{"link", "link/data", "link/data/d", "x", "x/one", "x/one/f", "x/two", "x/two/g", "y", "y/file"} {
		want = append(want, base+"/"+p)
	}
	if !slices.Equal(got.paths(), want) {
		t.Fatalf("got  %q\nwant %q", got.paths(), want)
	}
	if e := got.find(t, base+"/link"); e.Type != entry.Directory || e.Mode == 0 {
		t.Errorf("a directory above a root, behind a link: got type %d, mode %o, want a directory", e.Type, e.Mode)
	}
	for path, content := range map[string]string{"link/data/d": "content of real/data/d", "y/file": "content of y/file", "x/one/f": "content of x/one/f"} {
		e := got.find(t, base+"/"+path)
		if text, err := readAll(s, e); err != nil || text != content {
			t.Errorf("%q: got %q, %v, want %q", path, text, err, content)
		}
	}
	for _, e := range got.entries {
		if err := s.Detail(context.Background(), e); err != nil {
			t.Errorf("detail of %q: %v", e.Path, err)
		}
	}
}

func TestASingleAbsoluteRootHasItsWholePath(t *testing.T) {
	top := t.TempDir()
	put(t, top, "f")
	_, got := walked(t, Options{Roots: []string{top}, Absolute: true})
	if last := got.paths()[len(got.entries)-1]; last != strings.TrimPrefix(top, "/")+"/f" {
		t.Errorf("got %q last, want the file's whole path", last)
	}
}

func TestASingleRootMayBeAFileOrALink(t *testing.T) {
	top := t.TempDir()
	put(t, top, "dir/f", "file")
	must(t, os.Symlink("dir", top+"/todir"))
	must(t, os.Symlink("file", top+"/tofile"))
	for root, want := range map[string][]string{"file": {"file"}, "todir": {"", "f"}, "tofile": {"tofile"}} {
		s, got := walked(t, Options{Roots: []string{filepath.Join(top, root)}})
		if !slices.Equal(got.paths(), want) {
			t.Errorf("root %s: got %q, want %q", root, got.paths(), want)
			continue
		}
		if text, err := readAll(s, got.files()[0]); err != nil || !strings.HasPrefix(text, "content of ") {
			t.Errorf("root %s: read %q, %v", root, text, err)
		}
	}
}

func TestARootThatIsALinkIsWhatItLeadsTo(t *testing.T) {
	top := t.TempDir()
	put(t, top, "dir/f")
	must(t, os.Symlink("dir", top+"/link"))
	_, got := walked(t, Options{Roots: []string{top + "/link"}, Absolute: true})
	if e := got.entries[len(got.entries)-1]; e.Type != entry.File || !strings.HasSuffix(e.Path, "/link/f") {
		t.Errorf("got %q of type %d last, want the file in the directory", e.Path, e.Type)
	}
	must(t, os.Symlink("dir/f", top+"/tofile"))
	_, got = walked(t, Options{Roots: []string{top + "/tofile"}, Absolute: true})
	if e := got.entries[len(got.entries)-1]; e.Type != entry.File || !strings.HasSuffix(e.Path, "/tofile") {
		t.Errorf("got %q of type %d last, want the file under the link's name", e.Path, e.Type)
	}
	s := open(t, Options{Roots: []string{top, top + "/link/f"}})
	if err := s.Walk(context.Background(), new(collector)); err == nil || !strings.Contains(err.Error(), top+"/link") {
		t.Errorf("a root behind a link inside another root: got %v, want an error that names it", err)
	}
}

func TestWhatHasNothingInItIsNoRoot(t *testing.T) {
	top := t.TempDir()
	put(t, top, "dir/f")
	for name, target := range map[string]string{"dangling": "nowhere", "round": "round", "twice": "dangling", "through": "dir/f/x", "dir/inside": "gone"} {
		must(t, os.Symlink(target, filepath.Join(top, name)))
	}
	listener, err := net.Listen("unix", top+"/dir/s")
	must(t, err)
	defer listener.Close()
	for _, name := range []string{"dangling", "round", "twice", "through", "dir/inside", "dir/s"} {
		for _, o := range []Options{{}, {Absolute: true}, {Roots: []string{top + "/dir/f"}}} {
			o.Roots = append(o.Roots, filepath.Join(top, name))
			got := new(collector)
			err := open(t, o).Walk(context.Background(), got)
			if err == nil || !strings.Contains(err.Error(), filepath.Join(top, name)) {
				t.Errorf("roots %q: got %v and %q, want an error that names %s", o.Roots, err, got.paths(), name)
			}
		}
	}
	_, got := walked(t, Options{Roots: []string{top + "/dir", top + "/dir/inside"}})
	if e := got.find(t, top[1:]+"/dir/inside"); e.Type != entry.Symlink {
		t.Errorf("a link that leads nowhere and lies in another root: got type %d, want a link", e.Type)
	}
}

func TestAMissingOrEmptyRootIsAnErrorThatNamesIt(t *testing.T) {
	top := t.TempDir()
	put(t, top, "empty/", "full/f")
	for _, c := range []struct {
		options Options
		want    error
		names   string
	}{
		{Options{Roots: []string{top + "/missing"}}, fs.ErrNotExist, top + "/missing"},
		{Options{Roots: []string{top + "/full", top + "/missing"}}, fs.ErrNotExist, top + "/missing"},
		{Options{Roots: []string{top + "/empty"}}, source.ErrEmpty, top + "/empty"},
		{Options{Roots: []string{top + "/full", top + "/empty"}}, source.ErrEmpty, top + "/empty"},
		{Options{Roots: []string{top + "/empty"}, AllowEmpty: true}, nil, ""},
		{Options{Roots: []string{top + "/full"}, Exclude: []string{"*"}}, nil, ""},
	} {
		err := open(t, c.options).Walk(context.Background(), new(collector))
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.names) {
			t.Errorf("%v: got %v, want %v naming %s", c.options.Roots, err, c.want, c.names)
		}
	}
}

// deep makes a chain of directories with a file at the end and returns its path.
func deep(t *testing.T, root string, levels int) string {
	t.Helper()
	at, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	name := strings.Repeat("d", 20)
	for range levels {
		must(t, unix.Mkdirat(at, name, 0o755))
		next, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		must(t, err)
		unix.Close(at)
		at = next
	}
	fd, err := unix.Openat(at, "end", unix.O_CREAT|unix.O_WRONLY, 0o644)
	must(t, err)
	_, err = unix.Write(fd, []byte("deep"))
	must(t, err)
	unix.Close(fd)
	unix.Close(at)
	return strings.Repeat(name+"/", levels) + "end"
}

func TestPathsMayBeLongerThanTheKernelTakes(t *testing.T) {
	root := t.TempDir()
	path := deep(t, root, 600) // 12,600 bytes; more than directories are kept open
	s, got := walked(t, Options{Roots: []string{root}})
	if last := got.entries[len(got.entries)-1]; last.Path != path {
		t.Fatalf("the last path has %d bytes, want %d", len(last.Path), len(path))
	}
	// From the end, so that nothing on the way is open; and by another source, which has none open
	// at all.
	for _, s := range []*Source{s, open(t, Options{Roots: []string{root}})} {
		e := *got.find(t, path)
		must(t, s.Detail(context.Background(), &e))
		if text, err := readAll(s, &e); err != nil || text != "deep" {
			t.Errorf("got %q, %v, want the content", text, err)
		}
	}
	if got.problems != nil {
		t.Errorf("got problems %v", got.problems)
	}
}

func TestADirectoryOf100000FilesIsWalkedInOrderAndNeverFarAhead(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 100,000 files")
	}
	root := t.TempDir()
	for i := range 100_000 {
		fd, err := unix.Open(fmt.Sprintf("%s/%d", root, i), unix.O_CREAT, 0o600)
		must(t, err)
		unix.Close(fd)
	}
	s := open(t, Options{Roots: []string{root}})
	must(t, s.ready(context.Background()))
	w := newWalk(s)
	v := &watcher{walk: w}
	must(t, w.run(context.Background(), v))
	if v.count != 100_001 || v.disorder != 0 {
		t.Errorf("got %d entries, %d out of order, want 100001, 0", v.count, v.disorder)
	}
	listing := 100_000 * 40 / 256
	if limit := aheadLimit + 9*blockSize + listing; v.most > limit {
		t.Errorf("%d were held at once, want at most %d", v.most, limit)
	}
	if w.queue.Held() != 0 {
		t.Errorf("%d are held after the walk, want 0", w.queue.Held())
	}
}

// watcher is a slow visitor that looks at how far ahead the walk is.
type watcher struct {
	walk                  *walk
	last                  string
	count, disorder, most int
}

func (v *watcher) Visit(e *entry.Entry) error {
	if v.count > 0 && entry.ComparePaths(v.last, e.Path) >= 0 {
		v.disorder++
	}
	v.last = e.Path
	v.count++
	v.most = max(v.most, v.walk.queue.Held())
	return nil
}

func (v *watcher) Problem(string, error) {}

func TestHardLinksShareAnInodeAndIgnoreInodeKeepsOnlyThose(t *testing.T) {
	root := t.TempDir()
	put(t, root, "one", "two")
	must(t, os.Link(root+"/one", root+"/other"))
	_, got := walked(t, Options{Roots: []string{root}})
	one, other, two := got.find(t, "one"), got.find(t, "other"), got.find(t, "two")
	if one.Links != 2 || one.Inode != other.Inode || one.Device != other.Device || two.Links != 1 || two.Inode == one.Inode {
		t.Errorf("got %+v, %+v, %+v", one, other, two)
	}
	_, got = walked(t, Options{Roots: []string{root}, IgnoreInode: true})
	if one, two := got.find(t, "one"), got.find(t, "two"); one.Inode == 0 || two.Inode != 0 || two.Device != 0 {
		t.Errorf("with IgnoreInode got inodes %d, %d, want the first only", one.Inode, two.Inode)
	}
}

func TestSparseFilesReadAsZerosAndTellTheirExtents(t *testing.T) {
	root := t.TempDir()
	const size = 8<<20 + 5
	f, err := os.Create(root + "/sparse")
	must(t, err)
	for _, at := range []int64{1 << 20, 4 << 20} {
		_, err = f.WriteAt([]byte("data"), at)
		must(t, err)
	}
	must(t, f.Truncate(size))
	must(t, f.Close())
	must(t, os.Truncate(mustCreate(t, root+"/hole"), 1<<20))
	s, got := walked(t, Options{Roots: []string{root}})
	e := got.find(t, "sparse")
	must(t, s.Detail(context.Background(), e))
	if len(e.Extents) == 2 {
		for i, at := range []int64{1 << 20, 4 << 20} {
			if x := e.Extents[i]; x.Offset > at || x.Offset+x.Length < at+4 || x.Length > 1<<20 {
				t.Errorf("extent %d: got %+v, want one around %d", i, x, at)
			}
		}
	} else if e.Extents != nil {
		t.Errorf("got extents %v, want two, or none where the file system has no holes", e.Extents)
	}
	text, err := readAll(s, e)
	want := make([]byte, size)
	copy(want[1<<20:], "data")
	copy(want[4<<20:], "data")
	if err != nil || text != string(want) {
		t.Errorf("got %d bytes, %v, want %d", len(text), err, size)
	}
	hole := got.find(t, "hole")
	must(t, s.Detail(context.Background(), hole))
	if e.Extents != nil && (hole.Extents == nil || len(hole.Extents) != 0) {
		t.Errorf("a file that is one hole: got extents %#v, want an empty list", hole.Extents)
	}
	if text, err := readAll(s, hole); err != nil || text != string(make([]byte, 1<<20)) {
		t.Errorf("a hole: got %d bytes, %v", len(text), err)
	}
}

func mustCreate(t *testing.T, file string) string {
	t.Helper()
	must(t, os.WriteFile(file, nil, 0o644))
	return file
}

func TestAFileThatChangesWhileItIsReadIsReported(t *testing.T) {
	for name, change := range map[string]func(file string) error{
		"grows":   func(file string) error { return appendTo(file, "more") },
		"shrinks": func(file string) error { return os.Truncate(file, 1000) },
		"rewritten": func(file string) error {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("x"), 5)
			return errors.Join(err, os.Chtimes(file, mtime(1), mtime(1)))
		},
	} {
		root := t.TempDir()
		must(t, os.WriteFile(root+"/f", make([]byte, 100_000), 0o644))
		must(t, os.Chtimes(root+"/f", mtime(0), mtime(0)))
		s, got := walked(t, Options{Roots: []string{root}})
		e := got.find(t, "f")
		f, err := s.Open(context.Background(), e)
		must(t, err)
		_, err = io.ReadFull(f, make([]byte, 500))
		must(t, err)
		must(t, change(root+"/f"))
		rest, err := io.ReadAll(f)
		must(t, err)
		if err := f.Finish(e); !errors.Is(err, source.ErrChanged) || !strings.Contains(err.Error(), root+"/f") {
			t.Errorf("%s: got %v, want ErrChanged naming the file", name, err)
		}
		must(t, f.Close())
		if e.Size != int64(500+len(rest)) || e.Extents != nil {
			t.Errorf("%s: got size %d, want the %d bytes that were read", name, e.Size, 500+len(rest))
		}
		_, later := walked(t, Options{Roots: []string{root}})
		if entry.Unchanged(e, later.find(t, "f")) {
			t.Errorf("%s: the next walk finds it unchanged; it is never read again", name)
		}
	}
}

func mtime(seconds int64) time.Time { return time.Unix(1_700_000_000+seconds, 0) }

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

func TestAFileThatGrewBeforeItWasOpenedIsReadWhole(t *testing.T) {
	root := t.TempDir()
	put(t, root, "log")
	s, got := walked(t, Options{Roots: []string{root}})
	must(t, appendTo(root+"/log", " and more"))
	e := got.find(t, "log")
	text, err := readAll(s, e)
	if err != nil || text != "content of log and more" || e.Size != int64(len(text)) {
		t.Errorf("got %q, %v and size %d", text, err, e.Size)
	}
	_, later := walked(t, Options{Roots: []string{root}})
	if !entry.Unchanged(e, later.find(t, "log")) {
		t.Errorf("the next walk finds it changed: %+v, %+v", e, later.find(t, "log"))
	}
}

func TestWhatIsNoFileAnyMoreHasVanishedAndNeverBlocks(t *testing.T) {
	root := t.TempDir()
	put(t, root, "fifo", "dir", "link", "up/f", "secret")
	s, got := walked(t, Options{Roots: []string{root}})
	for _, name := range []string{"fifo", "dir", "link"} {
		must(t, os.Remove(root+"/"+name))
	}
	must(t, unix.Mkfifo(root+"/fifo", 0o600))
	must(t, os.Mkdir(root+"/dir", 0o700))
	must(t, os.Symlink("secret", root+"/link"))
	s.tree.Forget("")
	must(t, os.Rename(root+"/up", root+"/away"))
	must(t, os.Symlink("away", root+"/up"))
	for _, path := range []string{"fifo", "dir", "link", "up/f"} {
		if _, err := s.Open(context.Background(), got.find(t, path)); !errors.Is(err, source.ErrVanished) {
			t.Errorf("open %s: got %v, want ErrVanished", path, err)
		}
	}
}

func TestReadingLeavesAccessTimesAlone(t *testing.T) {
	root := t.TempDir()
	put(t, root, "f")
	long := mtime(-1000)
	must(t, os.Chtimes(root+"/f", long, mtime(0)))
	s, got := walked(t, Options{Roots: []string{root}})
	if _, err := readAll(s, got.find(t, "f")); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	must(t, unix.Stat(root+"/f", &st))
	if st.Atim.Sec != long.Unix() {
		t.Errorf("got access time %d, want %d", st.Atim.Sec, long.Unix())
	}
}
