package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tree(t *testing.T, root string, descriptors int) *Tree {
	t.Helper()
	tr := NewTree(Options{Anchor: func(string) Anchor { return Anchor{File: root, Follow: true} }, Descriptors: descriptors})
	t.Cleanup(func() { must(t, tr.Close()) })
	return tr
}

// descriptors counts this process's open files.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	must(t, err)
	return len(list)
}

func TestNoMoreDirectoriesAreOpenThanSaid(t *testing.T) {
	root := t.TempDir()
	for i := range 100 {
		must(t, os.MkdirAll(fmt.Sprintf("%s/%d/in", root, i), 0o755))
	}
	before := descriptors(t)
	tr := tree(t, root, 10)
	var users sync.WaitGroup
	for w := range 4 {
		users.Go(func() {
			for i := range 200 {
				d, err := tr.Open(fmt.Sprintf("%d/in", (i*7+w)%100))
				if err != nil {
					t.Error(err)
					return
				}
				var st Stat
				if err := Fstat(d.FD, &st); err != nil {
					t.Errorf("an open directory: %v", err)
				}
				d.Release()
			}
		})
	}
	users.Wait()
	if got := descriptors(t) - before; got > 10 {
		t.Errorf("%d directories are open, want at most 10", got)
	}
	must(t, tr.Close())
	if got := descriptors(t); got != before {
		t.Errorf("after Close %d files are open, want %d as before", got, before)
	}
	if _, err := tr.Open("1"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("open then: got %v, want fs.ErrClosed", err)
	}
}

func TestWhatIsForgottenIsOpenedAnewAndStaysOpenForItsUser(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(root+"/a/b", 0o755))
	must(t, os.MkdirAll(root+"/ab", 0o755))
	tr := tree(t, root, 10)
	old, err := tr.Open("a/b")
	must(t, err)
	other, err := tr.Open("ab")
	must(t, err)
	tr.Forget("a")
	must(t, os.Rename(root+"/a", root+"/c"))
	must(t, os.MkdirAll(root+"/a/b", 0o755))
	now, err := tr.Open("a/b")
	must(t, err)
	var was, is Stat
	must(t, Fstat(old.FD, &was))
	must(t, Fstat(now.FD, &is))
	if was.Ino == is.Ino {
		t.Error("got the directory that was there before")
	}
	same, err := tr.Open("ab")
	must(t, err)
	if same != other {
		t.Error("a directory with a similar name was forgotten too")
	}
	for _, d := range []*Dir{old, other, now, same} {
		d.Release()
	}
}

// slowly runs a test both with the calls of new kernels and with what older ones have.
func slowly(t *testing.T, run func(t *testing.T)) {
	t.Run("new kernel", run)
	t.Run("old kernel", func(t *testing.T) {
		defer pretendOld()()
		run(t)
	})
}

func TestLinksOnTheWayAreNotFollowed(t *testing.T) {
	slowly(t, func(t *testing.T) {
		root := t.TempDir()
		must(t, os.MkdirAll(root+"/a/b/c", 0o755))
		must(t, os.Symlink("b", root+"/a/link"))
		must(t, os.Symlink("a", root+"/top"))
		must(t, os.WriteFile(root+"/file", nil, 0o644))
		for _, path := range []string{"a/link", "a/link/c", "top/b", "top", "file"} {
			if d, err := tree(t, root, 10).Open(path); !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENOTDIR) {
				t.Errorf("open %s: got %v, %v, want ELOOP or ENOTDIR", path, d, err)
			}
		}
		d, err := tree(t, root, 10).Open("a/b/c")
		must(t, err)
		d.Release()
		if _, err := tree(t, root, 10).Open("a/none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
	})
}

func TestAttributesAreListedSetAndRemoved(t *testing.T) {
	slowly(t, func(t *testing.T) {
		root := t.TempDir()
		must(t, os.WriteFile(root+"/f", nil, 0o644))
		must(t, os.Symlink("f", root+"/link"))
		d, err := tree(t, root, 10).Open("")
		must(t, err)
		defer d.Release()
		if err := d.SetXattr("f", "user.b", []byte("2")); err != nil {
			t.Skip(err)
		}
		must(t, d.SetXattr("f", "user.a", make([]byte, 3000)))
		must(t, d.SetXattr("f", "user.empty", nil))
		must(t, d.SetXattr(Self, "user.dir", []byte("d")))
		for name, want := range map[string][]string{"f": {"user.a", "user.b", "user.empty"}, Self: {"user.dir"}, "link": nil} {
			if got := attributes(t, d, name); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		must(t, d.RemoveXattr("f", "user.b"))
		if got := attributes(t, d, "f"); !slices.Equal(got, []string{"user.a", "user.empty"}) {
			t.Errorf("then: got %q", got)
		}
		if _, err := d.Xattrs("none"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), root+"/none") {
			t.Errorf("got %v, want fs.ErrNotExist naming the file", err)
		}
	})
}

func attributes(t *testing.T, d *Dir, name string) []string {
	t.Helper()
	list, err := d.Xattrs(name)
	must(t, err)
	var names []string
	for _, x := range list {
		if strings.HasPrefix(x.Name, "user.") {
			names = append(names, x.Name)
		}
	}
	return names
}

func TestListingsAreSortedAndFiltered(t *testing.T) {
	root := t.TempDir()
	want := []string{"12345678", "123456780", "12345678a", "a", "a b", "ab", "a\xff", "zzzzzzzzzzzz1", "zzzzzzzzzzzz2", "\xfe"}
	for _, name := range slices.Backward(want) {
		must(t, os.WriteFile(filepath.Join(root, name), nil, 0o644))
	}
	must(t, os.Mkdir(root+"/dir", 0o755))
	d, err := tree(t, root, 10).Open("")
	must(t, err)
	defer d.Release()
	var l Listing
	for range 2 { // a listing can be used again
		must(t, d.List(&l))
		l.Filter(func(name []byte, kind Kind) bool { return string(name) != "dir" })
		l.Sort()
		var got []string
		for i := range l.Len() {
			got = append(got, string(l.Name(i)))
			var st Stat
			must(t, d.StatListed(&l, i, &st))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	if !l.Has("a b") || l.Has("dir") || l.Has("") {
		t.Error("Has knows other names than there are")
	}
}

func TestExtentsOfOneFileAreBounded(t *testing.T) {
	var x extents
	const pieces = 100_000
	for i := range int64(pieces) {
		x.add(i*3*4096, 4096)
	}
	x.add(pieces*3*4096+1<<40, 4096) // a large hole must stay one
	got := x.result(1 << 60)
	if len(got) > maxExtents || len(got) < 2 {
		t.Fatalf("got %d extents, want from 2 to %d", len(got), maxExtents)
	}
	for i := range int64(pieces) {
		at := i * 3 * 4096
		j, _ := slices.BinarySearchFunc(got, at, func(e entry.Extent, at int64) int {
			if e.Offset+e.Length <= at {
				return -1
			}
			return 1
		})
		if j == len(got) || got[j].Offset > at || got[j].Offset+got[j].Length < at+4096 {
			t.Fatalf("the data at %d is in no extent", at)
		}
	}
	if last := got[len(got)-1]; last.Offset != pieces*3*4096+1<<40 {
		t.Errorf("the last extent is %+v, want the one behind the large hole", last)
	}
}

func TestOwnersAreLookedUpBothWays(t *testing.T) {
	var o Owners
	name := o.User(0)
	if name == "" {
		t.Skip("the system has no name for user 0")
	}
	for range 2 {
		if id, ok := o.UserID(name); !ok || id != 0 {
			t.Errorf("user %s: got %d, %v, want 0", name, id, ok)
		}
		if id, ok := o.GroupID(o.Group(0)); !ok || id != 0 {
			t.Errorf("group %s: got %d, %v, want 0", o.Group(0), id, ok)
		}
		if got := o.User(4_000_000_123); got != "" {
			t.Errorf("an unknown user: got %q, want none", got)
		}
		if _, ok := o.GroupID("no-such-group-here"); ok {
			t.Error("an unknown group has a number")
		}
	}
}

func TestALongLinkTargetIsReadWhole(t *testing.T) {
	root := t.TempDir()
	d, err := tree(t, root, 10).Open("")
	must(t, err)
	defer d.Release()
	for _, n := range []int{1, 255, 256, 257, 1023} {
		want := strings.Repeat("x", n)
		must(t, os.Symlink(want, fmt.Sprintf("%s/%d", root, n)))
		if got, err := d.Readlink(fmt.Sprint(n)); err != nil || got != want {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
}
