package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local/faulttest"
	"github.com/packstone/packstone/pipeline/source"
)

func TestARemoteFileSystemIsRecognisedAndItsInodesAreNoSignOfChange(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "f", "a", "d/g")
	must(t, os.Link(dir+"/a", dir+"/b"))
	first := faulttest.New(t, dir, faulttest.Options{Inodes: "1"})
	_, before := walked(t, Options{Roots: []string{first.Point}})
	first.Unmount()
	second := faulttest.New(t, dir, faulttest.Options{Inodes: "2"})
	_, after := walked(t, Options{Roots: []string{second.Point}})
	for _, path := range []string{"f", "a", "b", "d/g"} {
		was, is := before.find(t, path), after.find(t, path)
		if !entry.Unchanged(was, is) {
			t.Errorf("%s: made-up inode numbers make it changed: %+v, %+v", path, was, is)
		}
	}
	if e := before.find(t, "f"); e.Inode != 0 || e.Device != 0 {
		t.Errorf("f: got inode %d on %d, want none", e.Inode, e.Device)
	}
	if a := before.find(t, "a"); a.Links != 2 || a.Inode == 0 {
		t.Errorf("a: got %d links and inode %d, want 2 and one to compare", a.Links, a.Inode)
	}
	if root := before.find(t, ""); len(root.Remote) != 1 || root.Remote[0].Name != mountAttribute || string(root.Remote[0].Value) != "fuse" {
		t.Errorf("root: got %v, want what it is on", root.Remote)
	}
}

func TestNamesOfOneFileAreToldOnARemoteFileSystem(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a", "other")
	must(t, os.Link(dir+"/a", dir+"/b"))
	must(t, os.Link(dir+"/other", dir+"/same as other"))
	m := faulttest.New(t, dir, faulttest.Options{})
	_, got := walked(t, Options{Roots: []string{m.Point}})
	key := func(path string) [2]uint64 { e := got.find(t, path); return [2]uint64{e.Device, e.Inode} }
	if key("a") != key("b") || key("other") != key("same as other") || key("a") == key("other") {
		t.Errorf("got %x, %x, %x, %x", key("a"), key("b"), key("other"), key("same as other"))
	}
}

func TestARealMountIsReadThroughStaleHandlesAndErrors(t *testing.T) {
	hurry(t)
	dir := t.TempDir()
	put(t, dir, "d/f", "g")
	m := faulttest.New(t, dir, faulttest.Options{})
	for _, rule := range []string{
		"fail list ESTALE path=d times=3", "fail stat EIO path=g times=2", "fail open ESTALE path=f times=4", "fail read EIO path=f times=1",
		"fail attribute ESTALE path=g times=2",
	} {
		m.Rule(rule)
	}
	s, got := walked(t, Options{Roots: []string{m.Point}})
	if want := []string{"", "d", "d/f", "g"}; !slices.Equal(got.paths(), want) || len(got.problems) > 0 {
		t.Errorf("got %q and %v, want %q", got.paths(), got.problems, want)
	}
	for _, e := range got.files() {
		must(t, s.Detail(context.Background(), e))
		if text, err := readAll(s, e); err != nil || text != "content of "+e.Path {
			t.Errorf("%s: read %q, %v", e.Path, text, err)
		}
	}
	m.Rule("clear")
	m.Rule("fail open EIO path=f")
	if _, err := readAll(s, got.find(t, "d/f")); !errors.Is(err, unix.EIO) || errors.Is(err, source.ErrUnreachable) {
		t.Errorf("a file that stays unreadable: got %v, want EIO alone", err)
	}
}

func TestShortReadsGiveTheWholeFile(t *testing.T) {
	dir := t.TempDir()
	content := strings.Repeat("0123456789abcdef", 20_000)
	must(t, os.WriteFile(dir+"/f", []byte(content), 0o644))
	m := faulttest.New(t, dir, faulttest.Options{})
	m.Rule("short 777")
	s, got := walked(t, Options{Roots: []string{m.Point}})
	if text, err := readAll(s, got.find(t, "f")); err != nil || text != content {
		t.Errorf("got %d bytes and %v, want %d", len(text), err, len(content))
	}
}

func TestAFileThatGrowsOnTheServerIsReported(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/log", make([]byte, 300_000), 0o644))
	m := faulttest.New(t, dir, faulttest.Options{})
	m.Rule("grow 10 path=log")
	s, got := walked(t, Options{Roots: []string{m.Point}})
	for range 2 {
		text, err := readAll(s, got.find(t, "log"))
		if !errors.Is(err, source.ErrChanged) {
			t.Errorf("got %d bytes and %v, want that it changed", len(text), err)
		}
	}
	m.Rule("clear")
	if text, err := readAll(s, got.find(t, "log")); err != nil || len(text) <= 300_000 {
		t.Errorf("when it has come to rest: %d bytes, %v", len(text), err)
	}
}

func TestWhatRootMayNotReadIsCountedWithTheCure(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for i := range 1200 {
		must(t, os.WriteFile(fmt.Sprintf("%s/f%d", dir, i), nil, 0o600))
	}
	put(t, dir, "open", "closed/in")
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(dir+"/closed", 0o700))
	m := faulttest.New(t, dir, faulttest.Options{})
	m.Rule("squash")
	s, got := walked(t, Options{Roots: []string{m.Point}})
	readable := 0
	for _, e := range got.files() {
		if _, err := readAll(s, e); err == nil {
			readable++
		} else if !errors.Is(err, os.ErrPermission) {
			t.Fatalf("%s: %v", e.Path, err)
		}
	}
	advice := strings.Join(s.Advice(), "\n")
	if readable != 1 || !strings.Contains(advice, "1,200 files and 1 directory unreadable as uid 0") || !strings.Contains(advice, "allow_root") {
		t.Errorf("%d files are readable; got the advice %q", readable, advice)
	}
	for remote, want := range map[string]string{"nfs": "no_root_squash", "fuse": "allow_root", "": "capabilities"} {
		if got := cure(0, remote); !strings.Contains(got, want) {
			t.Errorf("root on %q: got %q, want %s", remote, got, want)
		}
	}
	if got := cure(65534, "nfs"); !strings.Contains(got, "run packstone as a user") {
		t.Errorf("nobody on nfs: got %q", got)
	}
}

func TestAMountThatIsLostInTheMiddleEndsTheRun(t *testing.T) {
	hurry(t)
	for name, lose := range map[string]func(m *faulttest.Mount){
		"the server's process ends":            (*faulttest.Mount).Kill,
		"the server knows nothing any more":    func(m *faulttest.Mount) { m.Rule("vanish ESTALE") },
		"the server's own disk is not mounted": func(m *faulttest.Mount) { m.Rule("vanish ENOENT") },
		"it is unmounted and all that was open is gone": func(m *faulttest.Mount) {
			must(t, unix.Unmount(m.Point, unix.MNT_DETACH))
			m.Rule("vanish ENOENT")
		},
		"another file system is mounted over it": func(m *faulttest.Mount) { must(t, unix.Mount("none", m.Point, "tmpfs", 0, "")) },
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "mounted") {
				needRoot(t)
			}
			dir := t.TempDir()
			for i := range 200 {
				put(t, dir, fmt.Sprintf("d%d/f", i))
			}
			m := faulttest.New(t, dir, faulttest.Options{})
			s := open(t, Options{Roots: []string{m.Point}})
			v := &loser{at: 20, lose: func() { lose(m) }}
			err := s.Walk(context.Background(), v)
			if err == nil { // the walk was as far ahead already
				_, err = s.Open(context.Background(), v.entries[len(v.entries)-1])
			}
			if strings.Contains(name, "over it") {
				defer unix.Unmount(m.Point, unix.MNT_DETACH)
				s.tree.Forget("")
				_, err = s.Open(context.Background(), v.entries[len(v.entries)-1])
			}
			if !errors.Is(err, source.ErrUnreachable) || !strings.Contains(err.Error(), m.Point) {
				t.Errorf("got %v, want that %s is gone", err, m.Point)
			}
		})
	}
}

// loser loses the mount when it has seen some entries.
type loser struct {
	collector
	at   int
	lose func()
}

func (l *loser) Visit(e *entry.Entry) error {
	if err := l.collector.Visit(e); err != nil {
		return err
	}
	if len(l.entries) == l.at {
		l.lose()
	}
	return nil
}

func TestAServerThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a/f", "b/g", "h")
	m := faulttest.New(t, dir, faulttest.Options{})
	for op, call := range map[string]func(ctx context.Context, s *Source, e *entry.Entry) error{
		"stat": func(ctx context.Context, s *Source, _ *entry.Entry) error { return s.Walk(ctx, new(collector)) },
		"list": func(ctx context.Context, s *Source, _ *entry.Entry) error { return s.Walk(ctx, new(collector)) },
		"open": func(ctx context.Context, s *Source, e *entry.Entry) error { _, err := s.Open(ctx, e); return err },
		"read": func(ctx context.Context, s *Source, e *entry.Entry) error {
			f, err := s.Open(ctx, e)
			if err != nil {
				return fmt.Errorf("open: %w", err)
			}
			defer f.Close()
			_, err = io.ReadAll(f)
			return err
		},
		"attribute": func(ctx context.Context, s *Source, e *entry.Entry) error { return s.Detail(ctx, e) },
	} {
		s := open(t, Options{Roots: []string{m.Point}})
		got := new(collector)
		if op != "stat" && op != "list" {
			must(t, s.Walk(context.Background(), got))
		}
		e := &entry.Entry{Path: "h", Type: entry.File}
		m.Rule("hang " + op)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- call(ctx, s, e) }()
		for strings.HasSuffix(m.Rule("count"), "hanging=0") {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want that it was cancelled", op, err)
		}
		m.Rule("clear")
	}
}

// last is what the last snapshot has of a walk.
func last(c *collector) source.Lookup {
	return func(_ context.Context, path string) (*entry.Entry, error) {
		for _, e := range c.entries {
			if e.Path == path {
				return e, nil
			}
		}
		return nil, nil
	}
}

func TestARootThatIsNotMountedAnyMoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "f")
	m := faulttest.New(t, dir, faulttest.Options{})
	put(t, m.Point, "f")
	_, mounted := walked(t, Options{Roots: []string{m.Point}})
	_, absolute := walked(t, Options{Roots: []string{m.Point}, Absolute: true})
	m.Unmount()
	put(t, m.Point, "README: nothing is mounted here")
	for _, c := range []struct {
		options  Options
		previous *collector
		want     error
	}{
		{Options{}, mounted, source.ErrUnmounted},
		{Options{Absolute: true}, absolute, source.ErrUnmounted},
		{Options{AllowEmpty: true}, mounted, nil},
		{Options{}, new(collector), nil},
	} {
		c.options.Roots = []string{m.Point}
		s := open(t, c.options)
		s.Previous(last(c.previous))
		got := new(collector)
		err := s.Walk(context.Background(), got)
		if !errors.Is(err, c.want) || c.want != nil && (!strings.Contains(err.Error(), m.Point) || len(got.entries) > 0) {
			t.Errorf("%+v: got %v and %d entries, want %v before any", c.options, err, len(got.entries), c.want)
		}
	}
}

func TestARootThatIsAMountedDiskIsRefusedWithoutIt(t *testing.T) {
	needRoot(t)
	point := t.TempDir()
	if err := unix.Mount("none", point, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("NOT TESTED here: mount: %v", err)
	}
	defer unix.Unmount(point, unix.MNT_DETACH)
	put(t, point, "f")
	_, mounted := walked(t, Options{Roots: []string{point}})
	again := open(t, Options{Roots: []string{point}})
	again.Previous(last(mounted))
	must(t, again.Walk(context.Background(), new(collector)))
	must(t, unix.Unmount(point, unix.MNT_DETACH))
	put(t, point, "left behind")
	s := open(t, Options{Roots: []string{point}})
	s.Previous(last(mounted))
	if err := s.Walk(context.Background(), new(collector)); !errors.Is(err, source.ErrUnmounted) {
		t.Errorf("got %v, want that it is not mounted", err)
	}
}

func TestWhatAServerAnswersForIsReadByMore(t *testing.T) {
	dir := t.TempDir()
	m := faulttest.New(t, dir, faulttest.Options{})
	for _, c := range []struct {
		roots []string
		want  int
	}{
		{[]string{dir}, 0},
		{[]string{m.Point}, remoteReaders},
		{[]string{dir, m.Point}, remoteReaders},
		{[]string{dir + "/nothing"}, 0},
	} {
		s, err := New(Options{Roots: c.roots})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Readers(); got != c.want {
			t.Errorf("%v: %d readers, want %d", c.roots, got, c.want)
		}
		s.Close()
	}
}
