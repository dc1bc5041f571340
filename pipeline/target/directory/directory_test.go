package directory_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/directory"
	"github.com/packstone/packstone/pipeline/target/targettest"
	"golang.org/x/sys/unix"
)

var ctx = context.Background()

func TestConformance(t *testing.T) {
	root := os.Geteuid() == 0
	var dir string
	targettest.Run(t, func(t *testing.T, fresh bool) target.Target {
		if fresh {
			dir = t.TempDir() + "/root"
		}
		return open(t, dir, directory.Options{})
	}, targettest.Keeps{Mode: root, Owner: root, ModTime: 1, Symlinks: true, HardLinks: true, Fifos: true, Devices: root, Directories: true, RawNames: true})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string, options directory.Options) *directory.Target {
	t.Helper()
	tg, err := directory.New(dir, options)
	must(t, err)
	t.Cleanup(func() { must(t, tg.Close(ctx)) })
	return tg
}

func file(path string, content string) *entry.Entry {
	return &entry.Entry{Path: path, Type: entry.File, Mode: 0o644, Size: int64(len(content)), ModTime: entry.NanoTime(1e18), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
}

func dir(path string) *entry.Entry {
	return &entry.Entry{Path: path, Type: entry.Directory, Mode: 0o755, ModTime: entry.NanoTime(1e18), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
}

func write(tg target.Target, e *entry.Entry, content string) error {
	f, err := tg.Create(ctx, e)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.WriteAt([]byte(content), 0); err != nil {
		return err
	}
	return f.Commit(ctx)
}

func paths(t *testing.T, tg target.Target) []string {
	t.Helper()
	var all []string
	must(t, tg.Walk(ctx, nil, target.Entries(func(e *entry.Entry) error {
		all = append(all, e.Path)
		return nil
	})))
	return all
}

func remove(tg target.Target, path string, kind entry.Type) (failed error) {
	err := tg.Remove(ctx, []*entry.Entry{{Path: path, Type: kind}}, func(_ *entry.Entry, err error) { failed = err })
	return errors.Join(err, failed)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return all
}

func TestLinksInTheTargetNeverLeadOutside(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(outside+"/f", []byte("mine"), 0o600))
	must(t, os.Mkdir(root+"/dir", 0o755))
	must(t, os.Symlink(outside, root+"/out"))
	must(t, os.Symlink(outside, root+"/dir/out"))
	must(t, os.Symlink(outside+"/f", root+"/file"))
	tg := open(t, root, directory.Options{})
	for _, path := range []string{"out/f", "dir/out/f", "out/new"} {
		errs := map[string]error{
			"create": write(tg, file(path, "theirs"), "theirs"), "make": tg.Make(ctx, dir(path)), "finish": tg.Finish(ctx, file(path, "")),
			"remove": remove(tg, path, entry.File), "link": tg.Link(ctx, file(path, ""), "file"), "link from": tg.Link(ctx, file("x", ""), path),
			"link to a link": tg.Make(ctx, &entry.Entry{Path: path, Type: entry.Symlink, Target: "x"}),
		}
		for act, err := range errs {
			if !errors.Is(err, target.ErrPath) {
				t.Errorf("%s %s: got %v, want ErrPath", act, path, err)
			}
		}
		if r, err := tg.Open(ctx, path); r != nil || err != nil {
			t.Errorf("open %s: got %v, %v, want nothing", path, r, err)
		}
	}
	must(t, write(tg, file("file", "theirs"), "theirs"))
	must(t, tg.Finish(ctx, &entry.Entry{Path: "out", Type: entry.Symlink, UID: 7, GID: 7, ModTime: entry.NanoTime(5)}))
	must(t, remove(tg, "out", entry.Symlink))
	must(t, remove(tg, "dir/out", entry.Symlink))
	must(t, remove(tg, "dir", entry.Directory))
	var st unix.Stat_t
	must(t, unix.Stat(outside+"/f", &st))
	if content, err := os.ReadFile(outside + "/f"); err != nil || string(content) != "mine" || st.Mode&0o7777 != 0o600 {
		t.Errorf("outside: got %q, mode %o, %v, want it untouched", content, st.Mode&0o7777, err)
	}
	if got := names(t, outside); !slices.Equal(got, []string{"f"}) {
		t.Errorf("outside: got %q, want only f", got)
	}
}

// TestADirectoryThatBecomesALinkWhileItIsOpenLeadsNowhere: whoever can write to the target swaps
// directories.
func TestADirectoryThatBecomesALinkWhileItIsOpenLeadsNowhere(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	tg := open(t, root, directory.Options{})
	must(t, tg.Make(ctx, dir("a")))
	must(t, write(tg, file("a/1", "x"), "x")) // a is open now
	must(t, os.Rename(root+"/a", root+"/b"))
	must(t, os.Symlink(outside, root+"/a"))
	_ = write(tg, file("a/2", "x"), "x")
	_ = tg.Make(ctx, dir("a/d"))
	if got := names(t, outside); len(got) != 0 {
		t.Errorf("outside: got %q, want nothing", got)
	}
}

func TestASmallFileTakesTheNameOnlyWhereNothingHasIt(t *testing.T) {
	root := t.TempDir()
	tg := open(t, root, directory.Options{})
	must(t, os.Symlink("elsewhere", root+"/link"))
	must(t, os.WriteFile(root+"/old", []byte("what was there"), 0o600))
	must(t, os.Mkdir(root+"/empty", 0o700))
	for _, path := range []string{"new", "link", "old", "empty"} {
		f, err := tg.Create(ctx, file(path, "small"))
		must(t, err)
		_, err = f.WriteAt([]byte("small"), 0)
		must(t, err)
		if path == "new" && len(names(t, root)) != 3+1 { // and the lock of the run
			t.Errorf("before Commit: got %q", names(t, root))
		}
		must(t, f.Commit(ctx))
		if got, err := os.ReadFile(root + "/" + path); err != nil || string(got) != "small" {
			t.Errorf("%s: got %q, %v, want the content", path, got, err)
		}
	}
	must(t, tg.Close(ctx))
	if got, want := names(t, root), []string{"empty", "link", "new", "old"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLeftoversOfAKilledRunAreRemovedButNotThoseOfARunningOne(t *testing.T) {
	root := t.TempDir()
	running := open(t, root, directory.Options{})
	must(t, running.Make(ctx, dir("d")))
	f, err := running.Create(ctx, file("d/f", "live"))
	must(t, err)
	_, err = f.WriteAt([]byte("li"), 0)
	must(t, err)
	dead := []string{".packstone-deadbeef00000000", ".packstone-deadbeef00000001", "d/.packstone-deadbeef0000000a", "d/.packstone-0123456700000002"}
	other := []string{".packstone-note", "d/.packstone-DEADBEEF00000001", "d/.packstone-deadbeef00000001x"}
	for _, name := range slices.Concat(dead, other) {
		must(t, os.WriteFile(filepath.Join(root, name), nil, 0o600))
	}
	want := []string{".packstone-note", "d", "d/.packstone-DEADBEEF00000001", "d/.packstone-deadbeef00000001x"}
	looking := open(t, root, directory.Options{ReadOnly: true})
	if got := paths(t, looking); !slices.Equal(got, want) {
		t.Errorf("read only: got %q, want %q", got, want)
	}
	if got := len(names(t, root)) + len(names(t, root+"/d")); got != 10 {
		t.Errorf("read only: %d names are left, want all 10", got)
	}
	if err := looking.Make(ctx, dir("x")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("make in a target to be read only: got %v, want a refusal", err)
	}
	alive := slices.DeleteFunc(names(t, root), func(name string) bool { return slices.Contains(dead, name) })
	if got := paths(t, open(t, root, directory.Options{})); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, name := range alive {
		if _, err := os.Lstat(filepath.Join(root, name)); err != nil {
			t.Errorf("what is no leftover is gone: %v", err)
		}
	}
	for _, name := range dead {
		if _, err := os.Lstat(filepath.Join(root, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("leftover %s is still there", name)
		}
	}
	if _, err := f.WriteAt([]byte("live"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(ctx); err != nil {
		t.Errorf("the running one's file: %v", err)
	}
}

func TestNothingTemporaryRemainsAfterClose(t *testing.T) {
	root := t.TempDir()
	tg, err := directory.New(root, directory.Options{})
	must(t, err)
	must(t, write(tg, file("f", "x"), "x"))
	f, err := tg.Create(ctx, file("g", "y"))
	must(t, err)
	f.Abort()
	must(t, tg.Link(ctx, file("h", "x"), "f"))
	must(t, tg.Link(ctx, file("h", "x"), "f"))
	must(t, tg.Close(ctx))
	if got := names(t, root); !slices.Equal(got, []string{"f", "h"}) {
		t.Errorf("got %q, want f and h", got)
	}
	if err := tg.Make(ctx, dir("late")); err == nil {
		t.Error("a closed target makes directories")
	}
}

func TestTheRootsTimeIsLeftAloneByARunThatWritesBelowIt(t *testing.T) {
	root := t.TempDir()
	must(t, os.Mkdir(root+"/d", 0o755))
	at := time.Unix(1e9, 123456789)
	must(t, os.Chtimes(root, at, at))
	tg, err := directory.New(root, directory.Options{})
	must(t, err)
	must(t, write(tg, file("d/f", "x"), "x"))
	must(t, tg.Close(ctx))
	info, err := os.Stat(root)
	must(t, err)
	if !info.ModTime().Equal(at) {
		t.Errorf("got %v, want %v", info.ModTime(), at)
	}
}

func TestHolesStayHoles(t *testing.T) {
	root := t.TempDir()
	tg := open(t, root, directory.Options{})
	e := file("f", "")
	e.Size = 16 << 20
	e.Extents = []entry.Extent{{Offset: 1 << 20, Length: 4096}, {Offset: 8 << 20, Length: 8192}}
	content := make([]byte, e.Size)
	copy(content[1<<20:], "one")
	copy(content[8<<20:], "two")
	f, err := tg.Create(ctx, e)
	must(t, err)
	var writers sync.WaitGroup
	for at := 0; at < len(content); at += 3 << 20 { // pieces that begin and end anywhere, zeros too
		writers.Go(func() {
			if _, err := f.WriteAt(content[at:min(at+3<<20, len(content))], int64(at)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	must(t, f.Commit(ctx))
	got, err := os.ReadFile(root + "/f")
	must(t, err)
	if string(got) != string(content) {
		t.Errorf("got %d bytes, want %d others", len(got), len(content))
	}
	var st unix.Stat_t
	must(t, unix.Stat(root+"/f", &st))
	if st.Blocks*512 > 1<<20 {
		t.Errorf("%d bytes are allocated, want little more than 12 KiB", st.Blocks*512)
	}
}

func TestOwnersGoByNameByNumberOrAsTold(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	told, err := target.ParseOwner("7:nogroup")
	if err != nil {
		told, err = target.ParseOwner("7:65534")
	}
	must(t, err)
	for _, c := range []struct {
		options  directory.Options
		name     string
		uid, gid uint32
	}{
		{directory.Options{}, "root", 0, 0},
		{directory.Options{}, "no-such-user-here", 4321, 1234},
		{directory.Options{NumericIDs: true}, "root", 4321, 1234},
		{directory.Options{Owner: told}, "root", 7, 65534},
	} {
		root := t.TempDir()
		tg := open(t, root, c.options)
		e := file("f", "")
		e.UID, e.GID, e.User, e.Group, e.Mode = 4321, 1234, c.name, c.name, 0o6755
		must(t, write(tg, e, ""))
		var st unix.Stat_t
		must(t, unix.Stat(root+"/f", &st))
		if st.Uid != c.uid || st.Gid != c.gid || st.Mode&0o7777 != 0o6755 {
			t.Errorf("%+v, name %q: got %d:%d, mode %o, want %d:%d, 6755", c.options, c.name, st.Uid, st.Gid, st.Mode&0o7777, c.uid, c.gid)
		}
	}
}

func TestOwnersAreParsed(t *testing.T) {
	for s, want := range map[string][2]int64{"root:0": {0, 0}, "12:34": {12, 34}, "12": {12, -1}, ":34": {-1, 34}, "12:": {12, -1}} {
		o, err := target.ParseOwner(s)
		if err != nil || number(o.UID) != want[0] || number(o.GID) != want[1] {
			t.Errorf("%q: got %d:%d, %v, want %v", s, number(o.UID), number(o.GID), err, want)
		}
	}
	for _, s := range []string{"", ":", "no-such-user-here", ":no-such-group", "4294967295", "-1:0"} {
		if _, err := target.ParseOwner(s); err == nil {
			t.Errorf("%q: got no error", s)
		}
	}
}

func number(id *uint32) int64 {
	if id == nil {
		return -1
	}
	return int64(*id)
}

func TestChmodChangesModes(t *testing.T) {
	for _, c := range []struct {
		change    string
		mode      uint32
		directory bool
		want      uint32
	}{
		{"640", 0o4777, false, 0o640}, {"D755,F644", 0o700, true, 0o755}, {"D755,F644", 0o700, false, 0o644},
		{"u=rwX,go=rX", 0o777, false, 0o755}, {"u=rwX,go=rX", 0o600, false, 0o644}, {"u=rwX,go=rX", 0o600, true, 0o755},
		{"go-rwx", 0o755, true, 0o700}, {"a+x", 0o644, false, 0o755}, {"+w", 0o444, false, 0o666}, {"ug-s,-t", 0o7755, false, 0o755},
		{"Dg+s", 0o755, true, 0o2755}, {"Dg+s", 0o755, false, 0o755}, {"o=", 0o777, false, 0o770}, {"4755", 0, false, 0o4755},
	} {
		m, err := target.ParseChmod(c.change)
		must(t, err)
		root := t.TempDir()
		tg := open(t, root, directory.Options{Chmod: m})
		e := file("x", "")
		if c.directory {
			e = dir("x")
			must(t, tg.Make(ctx, e))
			e.Mode = c.mode
			must(t, tg.Finish(ctx, e))
		} else {
			e.Mode = c.mode
			must(t, write(tg, e, ""))
		}
		var st unix.Stat_t
		must(t, unix.Stat(root+"/x", &st))
		if got := uint32(st.Mode) & 0o7777; got != c.want {
			t.Errorf("%s on %o (directory: %v): got %o, want %o", c.change, c.mode, c.directory, got, c.want)
		}
	}
	for _, s := range []string{"", "u", "x+r", "u+q", "99", "777777", "u=r,,g=r"} {
		if _, err := target.ParseChmod(s); err == nil {
			t.Errorf("%q: got no error", s)
		}
	}
}

func TestAPathOfAnyLengthIsWrittenAndRemoved(t *testing.T) {
	root := t.TempDir()
	tg := open(t, root, directory.Options{})
	path := ""
	must(t, tg.Make(ctx, dir("")))
	for range 400 {
		path = strings.TrimPrefix(path+"/"+strings.Repeat("d", 30), "/")
		must(t, tg.Make(ctx, dir(path)))
	}
	must(t, write(tg, file(path+"/end", "deep"), "deep"))
	again := open(t, root, directory.Options{})
	r, err := again.Open(ctx, path+"/end")
	must(t, err)
	b := make([]byte, 4)
	_, err = r.ReadAt(b, 0)
	must(t, err)
	must(t, r.Close())
	if string(b) != "deep" || len(path) < 3*4096 {
		t.Errorf("got %q at a path of %d bytes", b, len(path))
	}
	if got := paths(t, again); len(got) != 401 {
		t.Errorf("got %d entries, want 401", len(got))
	}
	for all := paths(t, again); len(all) > 0; all = all[:len(all)-1] {
		kind := entry.Directory
		if strings.HasSuffix(all[len(all)-1], "/end") {
			kind = entry.File
		}
		must(t, remove(again, all[len(all)-1], kind))
	}
	if got := paths(t, again); len(got) != 0 {
		t.Errorf("after Remove got %d entries, want none", len(got))
	}
}

func TestATimeThatTheFileSystemHasNotIsTold(t *testing.T) {
	root := t.TempDir()
	for _, seconds := range []int64{-1, 1 << 31, 9_223_372_037, 1 << 34, 1 << 38, -1 << 33} {
		probe := filepath.Join(root, "probe")
		must(t, os.WriteFile(probe, nil, 0o600))
		var st unix.Stat_t
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, probe, []unix.Timespec{{}, {Sec: seconds}}, 0))
		must(t, unix.Stat(probe, &st))
		var warned []string
		to, err := directory.New(root+"/to", directory.Options{Warn: func(path string, err error) { warned = append(warned, path+": "+err.Error()) }})
		must(t, err)
		for _, e := range []*entry.Entry{
			{Path: "f", Type: entry.File, Mode: 0o600, ModTime: entry.Time{Seconds: seconds}},
			{Path: "l", Type: entry.Symlink, Target: "f", ModTime: entry.Time{Seconds: seconds}},
		} {
			if e.Type == entry.File {
				f, err := to.Create(ctx, e)
				must(t, err)
				must(t, f.Commit(ctx))
			} else {
				must(t, to.Make(ctx, e))
			}
			var is unix.Stat_t
			must(t, unix.Lstat(filepath.Join(root, "to", e.Path), &is))
			if is.Mtim.Sec != st.Mtim.Sec {
				t.Errorf("%s of %d: got %d, the file system has %d", e.Path, seconds, is.Mtim.Sec, st.Mtim.Sec)
			}
		}
		must(t, to.Close(ctx))
		want := 0
		if st.Mtim.Sec != seconds {
			want = 2
		}
		if told := strings.Count(strings.Join(warned, "\n"), "the file system has no "); told != want {
			t.Errorf("%d, of which the file system makes %d: got the warnings %q, want %d", seconds, st.Mtim.Sec, warned, want)
		}
	}
}

// TestWhatBelongsToNobodyLendsNoRights: the system takes this number for "as it is", and the file
// would lend the rights of whoever restores it.
func TestWhatBelongsToNobodyLendsNoRights(t *testing.T) {
	for _, ids := range [][2]uint32{{math.MaxUint32, uint32(os.Getegid())}, {uint32(os.Geteuid()), math.MaxUint32}, {math.MaxUint32, math.MaxUint32}} {
		root := t.TempDir()
		warned := 0
		tg := open(t, root, directory.Options{Warn: func(string, error) { warned++ }})
		e := file("f", "x")
		e.Mode, e.UID, e.GID = 0o6755, ids[0], ids[1]
		must(t, write(tg, e, "x"))
		info, err := os.Stat(filepath.Join(root, "f"))
		must(t, err)
		if info.Mode() != 0o755 || warned != 1 {
			t.Errorf("%d:%d: it has the mode %v, and there were %d warnings", ids[0], ids[1], info.Mode(), warned)
		}
	}
}

// TestAFileThatGetsAnotherOwnerKeepsItsSetIDBits: the system takes them away with a change of owner,
// and a program that was there with its mode, of somebody else, would run without them.
func TestAFileThatGetsAnotherOwnerKeepsItsSetIDBits(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	for _, mode := range []uint32{0o4755, 0o2755, 0o6755} {
		root := t.TempDir()
		tg := open(t, root, directory.Options{NumericIDs: true})
		e := file("program", "x")
		e.Mode, e.UID, e.GID = mode, 12345, 12345
		must(t, write(tg, e, "x"))
		e.UID, e.GID = 23456, 23456
		must(t, tg.Finish(ctx, e))
		var st unix.Stat_t
		must(t, unix.Stat(root+"/program", &st))
		if got := uint32(st.Mode) & 0o7777; st.Uid != e.UID || st.Gid != e.GID || got != mode {
			t.Errorf("got the owner %d:%d and the mode %o, want %d:%d and %o", st.Uid, st.Gid, got, e.UID, e.GID, mode)
		}
	}
}
