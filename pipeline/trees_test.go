package pipeline_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/target/directory"
)

// grower makes trees of everything that a file system can hold, at random.
type grower struct {
	*rand.Rand
	t       testing.TB
	root    string
	names   []string // of what is no directory, for further names
	dirs    []string
	sockets []string
}

func grow(t testing.TB, root string, seed uint64) *grower {
	t.Helper()
	g := &grower{Rand: rand.New(rand.NewPCG(seed, 7)), t: t, root: root}
	g.must(os.Mkdir(root, 0o755))
	g.fill(root, 4)
	g.put(root + "/not empty")
	g.dressAll()
	return g
}

func (g *grower) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// one tells whether this is one of n cases.
func (g *grower) one(n int) bool { return g.IntN(n) == 0 }

func (g *grower) fill(dir string, depth int) {
	g.dirs = append(g.dirs, dir)
	for range g.IntN(8) {
		file := dir + "/" + g.name()
		if _, err := os.Lstat(file); err == nil {
			continue
		}
		if depth > 0 && g.one(3) {
			g.must(os.Mkdir(file, 0o755))
			g.fill(file, depth-1)
			continue
		}
		g.put(file)
	}
}

var pieces = []string{"a", "b", "file", "tmp", " ", "-", ".", "..x", "é", "\xff", "\n", "\t", "*", "[", "\\", "\"", "'", "%00", "=", " -> ", "名", "~", "packstone", "\x01", "\u202e"}

func (g *grower) name() string {
	var b strings.Builder
	for range 1 + g.IntN(4) {
		b.WriteString(pieces[g.IntN(len(pieces))])
	}
	if g.one(30) {
		b.WriteString(strings.Repeat("n", 255-b.Len()))
	}
	if s := b.String(); s != "." && s != ".." {
		return s
	}
	return "dots"
}

func (g *grower) newName() string {
	name := g.name()
	return "new" + name[:min(len(name), 250)]
}

// put makes something that is no directory.
func (g *grower) put(file string) {
	name, _ := filepath.Rel(g.root, file)
	switch k := g.IntN(20); {
	case k < 3 && len(g.names) > 0:
		first := g.names[g.IntN(len(g.names))]
		if info, err := os.Lstat(first); err != nil || info.Mode().Type() == fs.ModeSocket {
			return // it was removed by now, or does not come back
		}
		g.must(os.Link(first, file))
	case k < 5:
		g.must(os.Symlink([]string{"nowhere", "../x\xff\n", name, strings.Repeat("long/", 100), "."}[g.IntN(5)], file))
	case k == 5:
		g.must(unix.Mkfifo(file, 0o600))
	case k == 6 && os.Geteuid() == 0:
		kind := []uint32{unix.S_IFCHR, unix.S_IFBLK}[g.IntN(2)]
		g.must(unix.Mknod(file, kind|0o600, int(unix.Mkdev(uint32(g.IntN(4000)), uint32(g.IntN(1<<20))))))
	case k == 7 && len(file) < 100:
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: file})
		g.must(err)
		l.SetUnlinkOnClose(false)
		g.must(l.Close())
		g.sockets = append(g.sockets, file)
		return
	case k < 10:
		g.sparse(file)
	default:
		g.must(os.WriteFile(file, g.content(), 0o600))
	}
	g.names = append(g.names, file)
}

func (g *grower) content() []byte {
	sizes := []int{0, 1, g.IntN(100), g.IntN(5000), g.IntN(100_000), g.IntN(400_000)}
	if g.one(20) {
		sizes = []int{1 << 20, 1<<20 + 1, 3_000_000 + g.IntN(100_000)}
	}
	b := make([]byte, sizes[g.IntN(len(sizes))])
	switch g.IntN(3) {
	case 0:
		for i := range b {
			b[i] = byte(g.Uint32())
		}
	case 1:
		copy(b, strings.Repeat(fmt.Sprint("line ", g.IntN(100), "\n"), len(b)/7+1))
	}
	return b
}

// sparse makes a file with holes.
func (g *grower) sparse(file string) {
	f, err := os.Create(file)
	g.must(err)
	at := int64(0)
	for range g.IntN(5) {
		at += int64(g.IntN(4<<20)) &^ int64(g.IntN(2)*4095)
		n, err := f.WriteAt(g.content(), at)
		g.must(err)
		at += int64(n)
	}
	g.must(f.Truncate(at + int64(g.IntN(3<<20))*int64(g.IntN(2))))
	g.must(f.Close())
}

// dressAll gives everything its metadata, directories after what is in them.
func (g *grower) dressAll() {
	for _, file := range g.names {
		g.dress(file, false)
	}
	for _, dir := range slices.Backward(g.dirs) {
		g.dress(dir, true)
	}
}

func (g *grower) dress(file string, directory bool) {
	info, err := os.Lstat(file)
	g.must(err)
	link, root := info.Mode()&fs.ModeSymlink != 0, os.Geteuid() == 0
	if root && g.one(3) {
		g.must(os.Lchown(file, g.IntN(5)*1000, g.IntN(70_000)))
	}
	if !link {
		mode := uint32(g.IntN(0o10000))
		if directory || g.one(2) {
			mode = mode&0o7077 | 0o700
		}
		g.must(unix.Chmod(file, mode))
	}
	g.attributes(file, info.Mode(), root)
	if directory && !root {
		g.must(unix.Chmod(file, 0o755))
	}
	g.setTime(file)
}

func (g *grower) attributes(file string, mode fs.FileMode, root bool) {
	set := func(name string, value []byte) { g.must(unix.Lsetxattr(file, name, value, 0)) }
	plain := mode.IsRegular() || mode.IsDir()
	if plain && g.one(4) {
		set("user."+[]string{"a", "note=\n", "é"}[g.IntN(3)], g.content()[:0])
		set("user.long", []byte(strings.Repeat("v", g.IntN(2000))))
	}
	if root && g.one(8) {
		set("trusted.t", []byte{0, 1, byte(g.Uint32())})
	}
	if root && mode.IsRegular() && g.one(8) { // cap_net_raw=ep
		set("security.capability", []byte{1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	}
	if root && plain && g.one(6) {
		set("system.posix_acl_access", acl(uint32(g.IntN(9000)), g.IntN(8)))
		if mode.IsDir() {
			set("system.posix_acl_default", acl(uint32(g.IntN(9000)), g.IntN(8)))
		}
	}
}

// acl is one with an entry for a user, as the kernel has it.
func acl(user uint32, permissions int) []byte {
	const nobody = 1<<32 - 1
	b := []byte{2, 0, 0, 0}
	for _, e := range [][3]uint32{{1, 7, nobody}, {2, uint32(permissions), user}, {4, 5, nobody}, {16, 7, nobody}, {32, 1, nobody}} {
		b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(e[1]))
		b = binary.LittleEndian.AppendUint32(b, e[2])
	}
	return b
}

// setTime sets a time of any year that the file system can have: others it brings nearer.
func (g *grower) setTime(file string) {
	seconds := []int64{0, 1, -1, 1_700_000_000, 1<<31 - 1, 1 << 31, 1 << 32, 9_223_372_036, 9_223_372_037, 12_000_000_000, -2_000_000_000, g.Int64N(1 << 33)}
	nanos := []int64{0, 1, 999_999_999, g.Int64N(1_000_000_000)}
	times := []unix.Timespec{{Sec: 1}, {Sec: seconds[g.IntN(len(seconds))], Nsec: nanos[g.IntN(len(nanos))]}}
	g.must(unix.UtimesNanoAt(unix.AT_FDCWD, file, times, unix.AT_SYMLINK_NOFOLLOW))
}

// change makes another day of it.
func (g *grower) change() {
	for _, file := range g.names {
		switch g.IntN(12) {
		case 0:
			g.must(os.Remove(file))
		case 1:
			g.must(os.Remove(file))
			g.put(file)
		case 2:
			if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
				f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
				if errors.Is(err, fs.ErrPermission) {
					continue
				}
				g.must(err)
				_, err = f.Write(g.content())
				g.must(cmp.Or(err, f.Close()))
			}
		}
	}
	g.names = slices.DeleteFunc(g.names, func(file string) bool { _, err := os.Lstat(file); return err != nil })
	for range 3 {
		file := g.dirs[g.IntN(len(g.dirs))] + "/" + g.newName()
		if _, err := os.Lstat(file); err != nil {
			g.put(file)
		}
	}
	g.dressAll()
}

// dropSockets removes what does not come back, and leaves no trace of that.
func (g *grower) dropSockets() {
	for _, file := range g.sockets {
		dir := filepath.Dir(file)
		var st unix.Stat_t
		g.must(unix.Lstat(dir, &st))
		g.must(os.Remove(file))
		g.must(unix.UtimesNanoAt(unix.AT_FDCWD, dir, []unix.Timespec{st.Atim, st.Mtim}, 0))
	}
	g.sockets = nil
}

// look is everything that can be said of a tree, by path.
func look(t testing.TB, root string) map[string]string {
	t.Helper()
	all, first := map[string]string{}, map[uint64]string{}
	err := filepath.WalkDir(root, func(file string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(file, &st); err != nil {
			return err
		}
		path := strings.TrimPrefix(file[len(root):], "/")
		said := fmt.Sprintf("mode %o, owner %d:%d, size %d, node %d, time %d.%09d, ", st.Mode, st.Uid, st.Gid, st.Size, st.Rdev, st.Mtim.Sec, st.Mtim.Nsec)
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			said = fmt.Sprintf("mode %o, owner %d:%d, time %d.%09d, ", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		} else if st.Nlink > 1 {
			first[st.Ino] = cmp.Or(first[st.Ino], path)
			said += fmt.Sprintf("one with %q, ", first[st.Ino])
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			to, err := os.Readlink(file)
			said += fmt.Sprintf("to %q, %v", to, err)
		case unix.S_IFREG:
			content, err := os.ReadFile(file)
			sum := fnv.New64a()
			sum.Write(content)
			said += fmt.Sprintf("content %x, %v", sum.Sum64(), err)
		}
		all[path] = said + attributesOf(t, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func attributesOf(t testing.TB, file string) string {
	t.Helper()
	b := make([]byte, 64<<10)
	n, err := unix.Llistxattr(file, b)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.TrimSuffix(string(b[:n]), "\x00"), "\x00")
	slices.Sort(names)
	said := ""
	for _, name := range names {
		if n, err := unix.Lgetxattr(file, name, b); name != "" && err == nil {
			said += fmt.Sprintf(", %q=%q", name, b[:n])
		}
	}
	return said
}

// equal compares two trees by look, and by rsync.
func equal(t testing.TB, from, to string) {
	t.Helper()
	want, got := look(t, from), look(t, to)
	for path := range want {
		if got[path] != want[path] {
			t.Errorf("%q:\ngot  %.400s\nwant %.400s", path, got[path], want[path])
		}
	}
	for path := range got {
		if want[path] == "" {
			t.Errorf("%q is too much", path)
		}
	}
	rsync, err := exec.LookPath("rsync")
	if err != nil || os.Geteuid() != 0 {
		t.Log("no rsync, or not root: compared by ourselves only")
		return
	}
	out, err := exec.Command(rsync, "-aHAXn", "--delete", "--checksum", "--modify-window=-1", "--itemize-changes", from+"/", to+"/").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("rsync finds differences: %v\n%s", err, out)
	}
}

// backUpTree backs up a directory.
func (w *world) backUpTree(root string) {
	w.t.Helper()
	o := backup.Options{Set: "set", Host: "host", PackSize: 4 << 20, Concurrency: 2, Problem: func(path string, err error) {
		w.t.Errorf("backup of %s: %v", path, err)
	}}
	o.Jobs = []backup.Job{{Name: "files", Type: "files", Location: root, Open: func(context.Context) (source.Source, error) {
		return files.New(files.Options{Roots: []string{root}})
	}}}
	if _, err := w.backup(w.store, o); err != nil {
		w.t.Fatalf("backup: %v", err)
	}
}

// bringBack restores the last snapshot to a directory.
func (w *world) bringBack(root string, o restore.Options) {
	w.t.Helper()
	o.Problem = func(path string, err error) { w.t.Errorf("restore of %s: %v", path, err) }
	to, err := directory.New(root, directory.Options{NumericIDs: true, Warn: o.Problem})
	if err != nil {
		w.t.Fatal(err)
	}
	all := w.snapshots()
	if _, err := w.restoreTo(to, all[len(all)-1], 0, o); err != nil {
		w.t.Fatalf("restore: %v", err)
	}
	if err := to.Close(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// roundOfTrees backs a generated tree up, and once more after a change, and brings both back.
func roundOfTrees(t *testing.T, seed uint64) {
	w := newWorld(t)
	from, to := t.TempDir()+"/from", t.TempDir()
	g := grow(t, from, seed)
	w.backUpTree(from)
	g.dropSockets()
	w.bringBack(to+"/first", restore.Options{Verify: true})
	equal(t, from, to+"/first")
	g.change()
	w.backUpTree(from)
	g.dropSockets()
	w.bringBack(to+"/second", restore.Options{})
	equal(t, from, to+"/second")
	w.check()
	for _, dir := range []string{from, to} {
		g.must(os.RemoveAll(dir))
	}
}

func TestGeneratedTreesComeBackAsTheyWere(t *testing.T) {
	for seed := range uint64(10) {
		if roundOfTrees(t, seed); t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}
