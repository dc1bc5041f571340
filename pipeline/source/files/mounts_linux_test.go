package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func TestNodesOwnersModesAndACLsAreSeen(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	put(t, root, "f", "d/")
	must(t, os.Chown(root+"/f", 65534, 12345))
	must(t, os.Chmod(root+"/f", 0o750|fs.ModeSetuid|fs.ModeSetgid))
	must(t, os.Chmod(root+"/d", 0o777|fs.ModeSticky))
	must(t, unix.Mknod(root+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(root+"/disk", unix.S_IFBLK|0o660, int(unix.Mkdev(7, 300))))
	must(t, os.Chmod(root+"/null", 0o666))
	must(t, os.Chmod(root+"/disk", 0o660))
	must(t, unix.Mknod(root+"/socket", unix.S_IFSOCK|0o700, 0))
	acl := []byte("\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x04\x00\x39\x30\x00\x00\x04\x00\x05\x00\xff\xff\xff\xff\x10\x00\x05\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff")
	must(t, unix.Setxattr(root+"/f", "system.posix_acl_access", acl, 0))
	must(t, unix.Lsetxattr(root+"/null", "trusted.note", []byte("n"), 0))
	s, got := walked(t, Options{Roots: []string{root}})
	for _, e := range got.entries {
		must(t, s.Detail(context.Background(), e))
	}
	f := got.find(t, "f")
	if f.Mode != 0o6750 || f.UID != 65534 || f.GID != 12345 || f.User != s.owners.User(65534) || f.Group != "" {
		t.Errorf("f: got %o, %d:%d, %s:%s", f.Mode, f.UID, f.GID, f.User, f.Group)
	}
	if len(f.Xattrs) != 1 || f.Xattrs[0].Name != "system.posix_acl_access" || string(f.Xattrs[0].Value) != string(acl) {
		t.Errorf("f: got attributes %q, want the ACL", f.Xattrs)
	}
	if x := got.find(t, "null").Xattrs; len(x) != 1 || x[0].Name != "trusted.note" {
		t.Errorf("null: got attributes %q, want trusted.note", x)
	}
	for path, want := range map[string]entry.Entry{
		"null":   {Type: entry.CharDevice, Mode: 0o666, NodeDevice: unix.Mkdev(1, 3)},
		"disk":   {Type: entry.BlockDevice, Mode: 0o660, NodeDevice: unix.Mkdev(7, 300)},
		"socket": {Type: entry.Socket, Mode: 0o700}, "d": {Type: entry.Directory, Mode: 0o1777},
	} {
		if e := got.find(t, path); e.Type != want.Type || e.NodeDevice != want.NodeDevice || e.Mode != want.Mode {
			t.Errorf("%s: got type %d, mode %o, device %x, want %d, %o, %x", path, e.Type, e.Mode, e.NodeDevice, want.Type, want.Mode, want.NodeDevice)
		}
	}
}

func TestOneFileSystemStopsAtMountsButNotAtRoots(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	put(t, root, "f", "mount/", "other/")
	for _, dir := range []string{"mount", "other"} {
		if err := unix.Mount("none", filepath.Join(root, dir), "tmpfs", 0, "size=1m"); err != nil {
			t.Skipf("mount: %v", err)
		}
		defer unix.Unmount(filepath.Join(root, dir), unix.MNT_DETACH)
	}
	put(t, root, "mount/in/g", "other/h")
	_, got := walked(t, Options{Roots: []string{root}, OneFileSystem: true})
	if want := []string{"", "f", "mount", "other"}; !slices.Equal(got.paths(), want) {
		t.Errorf("got %q, want %q", got.paths(), want)
	}
	_, got = walked(t, Options{Roots: []string{root, root + "/mount/in"}, OneFileSystem: true})
	base := strings.TrimPrefix(root, "/")
	paths := got.paths()[strings.Count(root, "/")-1:]
	want := []string{base, base + "/f", base + "/mount", base + "/mount/in", base + "/mount/in/g", base + "/other"}
	if !slices.Equal(paths, want) {
		t.Errorf("with a root behind a mount:\ngot  %q\nwant %q", paths, want)
	}
	_, got = walked(t, Options{Roots: []string{root}})
	if want := []string{"", "f", "mount", "mount/in", "mount/in/g", "other", "other/h"}; !slices.Equal(got.paths(), want) {
		t.Errorf("on all file systems: got %q, want %q", got.paths(), want)
	}
}

// asNobody runs one test of this program again as a user without rights, with dir as its argument.
func asNobody(t *testing.T, test, dir string) {
	t.Helper()
	needRoot(t)
	program := filepath.Join(t.TempDir(), "test")
	content, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(program, content, 0o755))
	for at := filepath.Dir(program); at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		must(t, os.Chmod(at, 0o755))
	}
	cmd := exec.Command(program, "-test.run=^"+test+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"PACKSTONE_TEST_DIRECTORY=" + dir, "TMPDIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func TestWhatCannotBeReadIsNamedAndTheRestIsThere(t *testing.T) {
	root := os.Getenv("PACKSTONE_TEST_DIRECTORY")
	if root == "" {
		root = t.TempDir()
		put(t, root, "closed/f", "file", "open/f", "search/f")
		must(t, os.Chmod(root+"/closed", 0o700))
		must(t, os.Chmod(root+"/search", 0o711))
		must(t, os.Chmod(root+"/file", 0o600))
		for _, dir := range []string{root, filepath.Dir(root)} {
			must(t, os.Chmod(dir, 0o755))
		}
		asNobody(t, t.Name(), root)
		return
	}
	s, got := walked(t, Options{Roots: []string{root}})
	if want := []string{"", "closed", "file", "open", "open/f", "search"}; !slices.Equal(got.paths(), want) {
		t.Errorf("got %q, want %q", got.paths(), want)
	}
	for _, path := range []string{"closed", "search"} {
		if err := got.problems[path]; !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), root+"/"+path) {
			t.Errorf("%s: got %v, want a refusal that names it", path, err)
		}
	}
	_, err := s.Open(context.Background(), got.find(t, "file"))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), root+"/file") {
		t.Errorf("open: got %v, want a refusal that names the file", err)
	}
	if text, err := readAll(s, got.find(t, "open/f")); err != nil || text != "content of open/f" {
		t.Errorf("got %q, %v", text, err)
	}
	// A root below a directory that may only be searched.
	_, got = walked(t, Options{Roots: []string{root + "/search/f"}, Absolute: true})
	if last := got.entries[len(got.entries)-1]; last.Type != entry.File {
		t.Errorf("got %q last, want the file", last.Path)
	}
	err = open(t, Options{Roots: []string{root + "/closed"}}).Walk(context.Background(), new(collector))
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a root that cannot be listed: got %v, want a refusal", err)
	}
}

func TestARootBelowAMountedDiskIsRefusedWithoutIt(t *testing.T) {
	needRoot(t)
	top := t.TempDir()
	point := top + "/disk"
	put(t, top, "disk/data/deep/stub")
	must(t, os.Symlink("disk/data", top+"/link"))
	if err := unix.Mount("none", point, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("NOT TESTED here: mount: %v", err)
	}
	mounted := true
	defer func() {
		if mounted {
			unix.Unmount(point, unix.MNT_DETACH)
		}
	}()
	put(t, top, "disk/data/deep/f")
	before := map[string]*collector{}
	options := map[string]Options{
		"one":      {Roots: []string{point + "/data"}},
		"deeper":   {Roots: []string{point + "/data/deep"}},
		"absolute": {Roots: []string{point + "/data"}, Absolute: true},
		"by link":  {Roots: []string{top + "/link"}, Absolute: true},
		"two":      {Roots: []string{top + "/link/deep", point + "/data"}},
	}
	for name, o := range options {
		_, before[name] = walked(t, o)
		again := open(t, o)
		again.Previous(last(before[name]))
		must(t, again.Walk(context.Background(), new(collector)))
	}
	inside := point + "/data/deep"
	must(t, unix.Mount("none", inside, "tmpfs", 0, "size=1m")) // another disk, nearer to the root
	put(t, inside, "g")
	nearer := open(t, options["deeper"])
	nearer.Previous(last(before["deeper"]))
	must(t, nearer.Walk(context.Background(), new(collector)))
	must(t, unix.Unmount(inside, unix.MNT_DETACH))

	must(t, unix.Unmount(point, unix.MNT_DETACH))
	mounted = false
	for name, o := range options {
		s, got := open(t, o), new(collector)
		s.Previous(last(before[name]))
		if err := s.Walk(context.Background(), got); !errors.Is(err, source.ErrUnmounted) || !strings.Contains(err.Error(), point) || len(got.entries) > 0 {
			t.Errorf("%s: got %v and %d entries, want that what was at %s is not mounted", name, err, len(got.entries), point)
		}
		o.AllowEmpty = true
		allowed := open(t, o)
		allowed.Previous(last(before[name]))
		must(t, allowed.Walk(context.Background(), new(collector)))
	}
}
