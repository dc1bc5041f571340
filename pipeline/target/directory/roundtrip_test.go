package directory_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/directory"
	"golang.org/x/sys/unix"
)

// copier is the shortest way from a source to a target.
type copier struct {
	source   source.Source
	target   target.Target
	workers  int
	problems []string
	entries  []*entry.Entry
	skipped  []string
}

func (c *copier) Visit(e *entry.Entry) error { c.entries = append(c.entries, e); return nil }
func (c *copier) Problem(path string, err error) {
	c.problems = append(c.problems, path+": "+err.Error())
}

// run copies directories first, then files by several workers, then hard links, then finishes
// directories.
func (c *copier) run() error {
	if err := c.source.Walk(ctx, c); err != nil {
		return err
	}
	links := make(map[[2]uint64]string)
	var files, linked []*entry.Entry
	for _, e := range c.entries {
		if err := c.source.Detail(ctx, e); err != nil {
			return err
		}
		id := [2]uint64{e.Device, e.Inode}
		switch {
		case e.Links > 1 && links[id] != "":
			linked = append(linked, e)
			continue
		case e.Links > 1:
			links[id] = e.Path
		}
		if e.Type == entry.File {
			files = append(files, e)
			continue
		}
		if err := c.target.Make(ctx, e); errors.Is(err, target.ErrUnsupported) {
			c.skipped = append(c.skipped, e.Path)
		} else if err != nil {
			return err
		}
	}
	if err := c.files(files); err != nil {
		return err
	}
	for _, e := range linked {
		if err := c.target.Link(ctx, e, links[[2]uint64{e.Device, e.Inode}]); err != nil {
			return err
		}
	}
	for _, e := range slices.Backward(c.entries) {
		if e.Type != entry.Directory {
			continue
		}
		if err := c.target.Finish(ctx, e); err != nil {
			return err
		}
	}
	return c.target.Close(ctx)
}

func (c *copier) files(files []*entry.Entry) error {
	errs := make([]error, c.workers)
	var workers sync.WaitGroup
	for w := range c.workers {
		workers.Go(func() {
			buffer := make([]byte, 256<<10)
			for i := w; i < len(files) && errs[w] == nil; i += c.workers {
				errs[w] = c.copy(files[i], buffer)
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

func (c *copier) copy(e *entry.Entry, buffer []byte) error {
	in, err := c.source.Open(ctx, e)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := c.target.Create(ctx, e)
	if err != nil {
		return err
	}
	defer out.Abort()
	for at := int64(0); ; {
		n, err := in.Read(buffer)
		if _, err := out.WriteAt(buffer[:n], at); err != nil {
			return err
		}
		at += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := in.Finish(e); err != nil {
		return err
	}
	return out.Commit(ctx)
}

func roundtrip(t testing.TB, from, to string, workers int) *copier {
	t.Helper()
	s, err := files.New(files.Options{Roots: []string{from}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tg, err := directory.New(to, directory.Options{Warn: func(path string, err error) { t.Errorf("warning: %s: %v", path, err) }})
	if err != nil {
		t.Fatal(err)
	}
	c := &copier{source: s, target: tg, workers: workers}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	return c
}

// oddTree makes one of everything.
func oddTree(t *testing.T, root string) {
	t.Helper()
	for _, d := range []string{"empty", "a/b/c", "closed", "sticky", "many"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	for name, mode := range map[string]os.FileMode{
		"plain": 0o644, "a/none": 0, "a/b/setuid": 0o755 | os.ModeSetuid, "a/b/c/setgid": 0o750 | os.ModeSetgid, "closed/in": 0o400,
		"raw \xff\xfe\n\x01": 0o644, "ünïcødé": 0o600, strings.Repeat("n", 255): 0o644, ".packstone-note": 0o644,
	} {
		file := filepath.Join(root, name)
		must(t, os.WriteFile(file, []byte(strings.Repeat(name, 50)), 0o600))
		must(t, os.Chmod(file, mode))
	}
	for i := range 300 {
		must(t, os.WriteFile(fmt.Sprintf("%s/many/%d", root, i), bytes.Repeat([]byte{byte(i)}, i*37), 0o644))
	}
	must(t, os.WriteFile(root+"/big", bytes.Repeat([]byte("0123456789"), 500_000), 0o644))
	must(t, os.Link(root+"/plain", root+"/a/b/plain too"))
	must(t, os.Link(root+"/plain", root+"/zz plain again"))
	must(t, os.Symlink("../plain", root+"/a/link"))
	must(t, os.Symlink("/nowhere/\xff", root+"/dangling"))
	must(t, unix.Mkfifo(root+"/fifo", 0o622))
	f, err := os.Create(root + "/sparse")
	must(t, err)
	_, err = f.WriteAt([]byte("middle"), 5<<20)
	must(t, err)
	must(t, f.Truncate(9<<20+1))
	must(t, f.Close())
	must(t, os.Chmod(root+"/sticky", 0o777|os.ModeSticky))
	oddMetadata(t, root)
	must(t, os.Chmod(root+"/closed", 0o500))
}

func oddMetadata(t *testing.T, root string) {
	t.Helper()
	if os.Geteuid() == 0 {
		must(t, unix.Mknod(root+"/null", unix.S_IFCHR|0o600, 0x103))
		must(t, unix.Mknod(root+"/disk", unix.S_IFBLK|0o640, 0x701))
		must(t, os.Lchown(root+"/dangling", 1234, 4321))
		must(t, os.Lchown(root+"/big", 65534, 1))
		must(t, os.Chown(root+"/a/b", 2, 3))
	}
	_ = unix.Lsetxattr(root+"/big", "user.note", []byte{0, 1, 2}, 0)
	_ = unix.Lsetxattr(root+"/a", "user.empty", nil, 0)
	_ = unix.Lsetxattr(root+"/dangling", "trusted.link", []byte("l"), 0)
	for i, name := range []string{"plain", "a/none", "dangling", "fifo", "a/b/c", "a/b", "empty", "a", ""} {
		times := []unix.Timespec{{Sec: 1}, {Sec: 1_000_000_000 + int64(i), Nsec: 123456789}}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(root, name), times, unix.AT_SYMLINK_NOFOLLOW))
	}
}

func TestATreeComesBackAsItWas(t *testing.T) {
	from, to := t.TempDir()+"/from", t.TempDir()+"/to"
	must(t, os.Mkdir(from, 0o755))
	oddTree(t, from)
	if os.Geteuid() == 0 {
		setACL(t, from)
	}
	c := roundtrip(t, from, to, 4)
	if len(c.problems) > 0 || len(c.skipped) > 0 {
		t.Errorf("got problems %q, skipped %q", c.problems, c.skipped)
	}
	same(t, from, to)
	byRsync(t, from, to)
	roundtrip(t, from, to, 4) // over itself
	same(t, from, to)
	byRsync(t, from, to)
}

// byRsync lets another program look for differences.
func byRsync(t *testing.T, from, to string) {
	t.Helper()
	rsync, err := exec.LookPath("rsync")
	if err != nil || os.Geteuid() != 0 {
		t.Log("no rsync, or not root: compared by ourselves only")
		return
	}
	out, err := exec.Command(rsync, "-aHAXn", "--delete", "--checksum", "--itemize-changes", from+"/", to+"/").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("rsync finds differences: %v\n%s", err, out)
	}
}

// same compares two trees with everything that a walk, Detail and the content tell.
func same(t *testing.T, from, to string) {
	t.Helper()
	want, got := everything(t, from), everything(t, to)
	if a, b := keys(want), keys(got); !slices.Equal(a, b) {
		t.Fatalf("got  %q\nwant %q", b, a)
	}
	for path := range want {
		if got[path] != want[path] {
			t.Errorf("%q:\ngot  %.300s\nwant %.300s", path, got[path], want[path])
		}
	}
}

func keys(m map[string]string) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func everything(t *testing.T, root string) map[string]string {
	t.Helper()
	s, err := files.New(files.Options{Roots: []string{root}})
	must(t, err)
	defer s.Close()
	c := &copier{}
	must(t, s.Walk(ctx, c))
	all := make(map[string]string)
	first := make(map[uint64]string)
	for _, e := range c.entries {
		must(t, s.Detail(ctx, e))
		content := ""
		if e.Type == entry.File {
			b, err := os.ReadFile(filepath.Join(root, e.Path))
			must(t, err)
			content = string(b)
		}
		if first[e.Inode] == "" {
			first[e.Inode] = e.Path
		}
		same := first[e.Inode]
		e.Device, e.Inode, e.ChangeTime = 0, 0, entry.Time{}
		all[e.Path] = fmt.Sprintf("%+v, one with %q, content %q", *e, same, content)
	}
	return all
}

func BenchmarkCreateSmallFiles(b *testing.B) {
	from := b.TempDir() + "/from"
	content := bytes.Repeat([]byte("x"), 2048)
	const directories, each = 400, 100
	for d := range directories {
		dir := fmt.Sprintf("%s/%03d", from, d)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for f := range each {
			if err := os.WriteFile(fmt.Sprintf("%s/%03d.json", dir, f), content, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	rate := func(b *testing.B, copy func(to string)) {
		var used time.Duration
		for b.Loop() {
			to := fmt.Sprintf("%s/to", b.TempDir())
			before := processor(b)
			copy(to)
			b.StopTimer()
			used += processor(b) - before
			os.RemoveAll(to)
			b.StartTimer()
		}
		b.ReportMetric(float64(used)/float64(b.N*directories*each), "cpu-ns/file")
		b.SetBytes(directories * each * 2048)
		b.ReportAllocs()
		b.ReportMetric(float64(b.N)*directories*each/b.Elapsed().Seconds(), "files/s")
	}
	b.Run("directory", func(b *testing.B) { rate(b, func(to string) { roundtrip(b, from, to, 2) }) })
	b.Run("cp", func(b *testing.B) {
		rate(b, func(to string) {
			for _, args := range [][]string{{"cp", "-a", from, to}, {"sync", "-f", to}} { // as durable as Close makes it
				if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
					b.Fatalf("%q: %v: %s", args, err, out)
				}
			}
		})
	})
}

// processor is the time that this process and its ended children have computed.
func processor(b *testing.B) time.Duration {
	var all time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var used unix.Rusage
		if err := unix.Getrusage(who, &used); err != nil {
			b.Fatal(err)
		}
		all += time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	return all
}

func BenchmarkWriteLargeFile(b *testing.B) {
	tg, err := directory.New(b.TempDir(), directory.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer tg.Close(ctx)
	piece := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	const pieces = 64
	b.SetBytes(int64(len(piece)) * pieces)
	b.ReportAllocs()
	for b.Loop() {
		f, err := tg.Create(ctx, &entry.Entry{Path: "f", Type: entry.File, Mode: 0o644, Size: int64(len(piece)) * pieces, ModTime: entry.NanoTime(1)})
		if err != nil {
			b.Fatal(err)
		}
		for i := range pieces {
			if _, err := f.WriteAt(piece, int64(i*len(piece))); err != nil {
				b.Fatal(err)
			}
		}
		if err := f.Commit(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
