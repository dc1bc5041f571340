package directory_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/directory"
	"golang.org/x/sys/unix"
)

// An access ACL u::rwx,u:12345:r--,g::r-x,m::r-x,o::---.
var acl = []byte("\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x04\x00\x39\x30\x00\x00\x04\x00\x05\x00\xff\xff\xff\xff\x10\x00\x05\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff")

const (
	accessACL  = "system.posix_acl_access"
	defaultACL = "system.posix_acl_default"
)

func getXattr(file, name string) []byte {
	b := make([]byte, 1000)
	n, err := unix.Lgetxattr(file, name, b)
	if err != nil {
		return nil
	}
	return b[:n]
}

func needACL(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Setxattr(dir, defaultACL, acl, 0); err != nil {
		t.Skipf("the file system has no ACLs: %v", err)
	}
}

func TestACLsComeBackAndInheritedOnesDoNotStay(t *testing.T) {
	root := t.TempDir()
	needACL(t, root)
	tg := open(t, root, directory.Options{})
	with, without, sub := file("with", ""), file("without", ""), dir("sub")
	with.Mode, without.Mode, sub.Mode = 0o750, 0o664, 0o775
	with.Xattrs = []entry.Attribute{{Name: accessACL, Value: acl}, {Name: "user.x", Value: []byte("1")}}
	must(t, write(tg, with, ""))
	must(t, write(tg, without, ""))
	must(t, tg.Make(ctx, sub))
	must(t, tg.Finish(ctx, sub))
	must(t, tg.Make(ctx, &entry.Entry{Path: "fifo", Type: entry.Fifo, Mode: 0o666, UID: with.UID, GID: with.GID}))
	if got := getXattr(root+"/with", accessACL); !bytes.Equal(got, acl) {
		t.Errorf("with: got ACL %x, want %x", got, acl)
	}
	for name, mode := range map[string]uint32{"with": 0o750, "without": 0o664, "sub": 0o775, "fifo": 0o666} {
		var st unix.Stat_t
		must(t, unix.Lstat(filepath.Join(root, name), &st))
		if st.Mode&0o7777 != mode {
			t.Errorf("%s: got mode %o, want %o", name, st.Mode&0o7777, mode)
		}
		if name != "with" && getXattr(filepath.Join(root, name), accessACL) != nil {
			t.Errorf("%s: has an ACL that the entry has not", name)
		}
	}
	if getXattr(root+"/sub", defaultACL) != nil {
		t.Error("sub: has a default ACL that the entry has not")
	}
	if got := getXattr(root+"/with", "user.x"); string(got) != "1" {
		t.Errorf("with: got user.x %q, want 1", got)
	}
}

// TestAnACLComesBackWhereNoneIsInherited: whom an access list lets in, and whom it keeps out, is the
// same after a restore, of what is new and of what was there without it.
func TestAnACLComesBackWhereNoneIsInherited(t *testing.T) {
	root := t.TempDir()
	needACL(t, root)
	must(t, unix.Removexattr(root, defaultACL))
	tg := open(t, root, directory.Options{})
	fresh, there, sub := file("fresh", ""), file("there", ""), dir("sub")
	must(t, write(tg, there, ""))
	for _, e := range []*entry.Entry{fresh, there, sub} {
		e.Mode, e.Xattrs = 0o750, []entry.Attribute{{Name: accessACL, Value: acl}}
	}
	sub.Xattrs = append(sub.Xattrs, entry.Attribute{Name: defaultACL, Value: acl})
	must(t, write(tg, fresh, ""))
	must(t, tg.Finish(ctx, there))
	must(t, tg.Make(ctx, sub))
	must(t, tg.Finish(ctx, sub))
	for _, name := range []string{"fresh", "there", "sub"} {
		if got := getXattr(filepath.Join(root, name), accessACL); !bytes.Equal(got, acl) {
			t.Errorf("%s: got the ACL %x, want %x", name, got, acl)
		}
	}
	if got := getXattr(root+"/sub", defaultACL); !bytes.Equal(got, acl) {
		t.Errorf("sub: got the ACL for what is made in it %x, want %x", got, acl)
	}
}

func TestFinishRemovesAttributesThatTheEntryHasNot(t *testing.T) {
	root := t.TempDir()
	tg := open(t, root, directory.Options{})
	must(t, write(tg, file("f", ""), ""))
	if err := unix.Setxattr(root+"/f", "user.old", []byte("x"), 0); err != nil {
		t.Skip(err)
	}
	e := file("f", "")
	e.Xattrs = []entry.Attribute{{Name: "user.new", Value: []byte("y")}}
	must(t, tg.Finish(ctx, e))
	if getXattr(root+"/f", "user.old") != nil || string(getXattr(root+"/f", "user.new")) != "y" {
		t.Error("got the old attribute or not the new one")
	}
}

func TestAFullDiskIsToldAndTheFileGone(t *testing.T) {
	root := t.TempDir()
	if err := unix.Mount("none", root, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	defer unix.Unmount(root, unix.MNT_DETACH)
	tg, err := directory.New(root, directory.Options{})
	must(t, err)
	defer tg.Close(ctx)
	must(t, write(tg, file("small", "x"), "x"))
	content := strings.Repeat("x", 2<<20)
	f, err := tg.Create(ctx, file("large", content))
	must(t, err)
	if _, err := f.WriteAt([]byte(content), 0); !errors.Is(err, target.ErrFull) || !strings.Contains(err.Error(), root+"/large") {
		t.Errorf("got %v, want ErrFull naming the file", err)
	}
	for _, name := range names(t, root) {
		if info, err := os.Stat(filepath.Join(root, name)); err == nil && info.Size() > 1 {
			t.Errorf("%s of %d bytes is still there", name, info.Size())
		}
	}
	if err := f.Commit(ctx); !errors.Is(err, target.ErrFull) {
		t.Errorf("commit: got %v, want ErrFull", err)
	}
	if err := write(tg, file("again", "y"), "y"); err != nil {
		t.Errorf("a small file then: %v", err)
	}
	if got := paths(t, tg); !slices.Equal(got, []string{"again", "small"}) {
		t.Errorf("got %q", got)
	}
}

// warnings collects what a target warns of.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) warn(path string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, path+": "+err.Error())
}

func TestWithoutRightsTheRestComesBackWithWarnings(t *testing.T) {
	root := os.Getenv("PACKSTONE_TEST_DIRECTORY")
	if root == "" {
		root = t.TempDir()
		must(t, os.Chmod(root, 0o777))
		asNobody(t, t.Name(), root)
		return
	}
	var w warnings
	tg := open(t, root+"/target", directory.Options{Warn: w.warn})
	must(t, tg.Make(ctx, dir("")))
	e := file("theirs", "content")
	e.UID, e.GID, e.Mode = 0, 0, 0o6750
	e.Xattrs = []entry.Attribute{{Name: "trusted.x", Value: []byte("1")}, {Name: "user.y", Value: []byte("2")}}
	must(t, write(tg, e, "content"))
	mine := file("mine", "")
	mine.Mode, mine.Xattrs = 0o4400, []entry.Attribute{{Name: "user.y", Value: []byte("2")}}
	must(t, write(tg, mine, ""))
	node := &entry.Entry{Path: "null", Type: entry.CharDevice, Mode: 0o666, NodeDevice: unix.Mkdev(1, 3)}
	if err := tg.Make(ctx, node); !errors.Is(err, target.ErrUnsupported) {
		t.Errorf("a device: got %v, want ErrUnsupported", err)
	}
	d := dir("closed")
	must(t, tg.Make(ctx, d))
	must(t, write(tg, file("closed/f", ""), ""))
	d.Mode = 0
	must(t, tg.Finish(ctx, d))
	must(t, tg.Make(ctx, d))
	must(t, write(tg, file("closed/g", ""), ""))
	must(t, tg.Finish(ctx, d))
	var st unix.Stat_t
	must(t, unix.Stat(root+"/target/theirs", &st))
	if st.Mode&0o7777 != 0o750 {
		t.Errorf("theirs: got mode %o, want 750: set-id bits are the owner's", st.Mode&0o7777)
	}
	must(t, unix.Stat(root+"/target/mine", &st))
	if st.Mode&0o7777 != 0o4400 || string(getXattr(root+"/target/mine", "user.y")) != "2" {
		t.Errorf("mine: got mode %o, user.y %q, want 4400, 2", st.Mode&0o7777, getXattr(root+"/target/mine", "user.y"))
	}
	if len(w.list) != 2 || !strings.Contains(w.list[0], "theirs") || !strings.Contains(w.list[0], "chown to 0:0") || !strings.Contains(w.list[1], "trusted.x") {
		t.Errorf("got warnings %q, want those of the owner and of trusted.x", w.list)
	}
	for _, path := range []string{"closed/f", "closed/g"} { // in a directory that forbids it to its owner
		must(t, remove(tg, path, entry.File))
	}
	must(t, remove(tg, "closed", entry.Directory))
	in := open(t, filepath.Dir(root), directory.Options{}) // not writable itself
	must(t, write(in, file(filepath.Base(root)+"/target/below", "x"), "x"))
	must(t, remove(tg, "below", entry.File))
	if got := paths(t, tg); !slices.Equal(got, []string{"mine", "theirs"}) {
		t.Errorf("got %q", got)
	}
}

// asNobody runs one test of this program again as a user without rights, with dir as its argument.
func asNobody(t *testing.T, test, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	program := filepath.Join(t.TempDir(), "test")
	content, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(program, content, 0o755))
	for _, start := range []string{filepath.Dir(program), filepath.Dir(dir)} {
		for at := start; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
			must(t, os.Chmod(at, 0o755))
		}
	}
	cmd := exec.Command(program, "-test.run=^"+test+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"PACKSTONE_TEST_DIRECTORY=" + dir, "TMPDIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

// setACL gives a file and a directory of a tree ACLs where the file system has them.
func setACL(t *testing.T, root string) {
	t.Helper()
	if err := unix.Setxattr(root+"/many/7", accessACL, acl, 0); err != nil {
		t.Logf("no ACLs here: %v", err)
		return
	}
	must(t, unix.Setxattr(root+"/many", defaultACL, acl, 0))
	must(t, unix.Setxattr(root+"/a/b", accessACL, acl, 0))
}

// TestACapabilityThatTheSnapshotLacksIsTakenAway: a program that somebody has lent rights must not
// keep them.
func TestACapabilityThatTheSnapshotLacksIsTakenAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root lends capabilities")
	}
	root := t.TempDir()
	tg := open(t, root, directory.Options{})
	program := file("program", "")
	must(t, write(tg, program, ""))
	rights := []byte{1, 0, 0, 2, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // cap_sys_admin+ep
	if err := unix.Setxattr(root+"/program", "security.capability", rights, 0); err != nil {
		t.Skipf("the file system has no capabilities: %v", err)
	}
	must(t, tg.Finish(ctx, program))
	if got := getXattr(root+"/program", "security.capability"); got != nil {
		t.Errorf("the capability %x is still there", got)
	}
}
