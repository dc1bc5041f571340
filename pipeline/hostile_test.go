package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/browse"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target/directory"
)

// FuzzHostileSnapshot makes two snapshots as a writer that means ill may sign them, reads them in
// every way, and restores one over the other: nothing beside the target changes, what does not come
// back is told, and it takes no more memory than good snapshots of that size.
func FuzzHostileSnapshot(f *testing.F) {
	base := newWorld(f)
	base.cache = ""
	for _, script := range hostileScripts {
		f.Add([]byte(script))
	}
	f.Fuzz(func(t *testing.T, script []byte) { endure(t, base, script) })
}

// hostileScripts are scripts of small snapshots. Each byte is a choice: see forgetest.Script.
var hostileScripts = []string{
	"",
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	"\x00\x00\x00\x00\x00\x00\x0a\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01\x0a\x00\x01\x00\x00\x01\x00\x00\x00",
}

func TestHostileSnapshotsAreReadAndRestoredInTheirPlace(t *testing.T) {
	base := newWorld(t)
	base.cache = ""
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 11))
		script := make([]byte, 40+r.IntN(700))
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { endure(t, base, script) })
	}
}

// siege is a repository in which two snapshots mean ill, and a target in the middle of files that
// are none of a restore's business.
type siege struct {
	*world
	snapshots []*catalog.Snapshot
	place     string // the directory that the target lies in
	target    string
	browser   *browse.Browser
}

// memoryOfSiege is how much all that is done with two snapshots may allocate in all: a length of 4
// GiB that is believed takes more.
const memoryOfSiege = 1 << 30

// endure does to a pair of snapshots what users do.
func endure(t *testing.T, base *world, script []byte) {
	s := lay(t, base, script)
	if len(s.snapshots) < 2 {
		return
	}
	before := allocated()
	outside := s.surroundings()
	for _, snapshot := range s.snapshots {
		s.look(snapshot)
	}
	s.compare()
	s.mustTell(s.snapshots[0])
	for i, snapshot := range s.snapshots {
		choice := 0
		if len(script) > 0 {
			choice = int(script[len(script)-1]) >> (4 * i)
		}
		s.restoreOver(snapshot, choice)
	}
	if _, err := check.Run(t.Context(), s.reader(), check.Options{ReadData: true}); err != nil {
		t.Errorf("check: %v", err)
	}
	if now := s.surroundings(); now != outside {
		t.Errorf("beside the target there was\n%s, and now there is\n%s", outside, now)
	}
	if took := allocated() - before; took > memoryOfSiege {
		t.Errorf("two small snapshots took %d MiB", took>>20)
	}
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// lay makes the snapshots, as far as a tree can hold what the script says, and what lies around the
// target and in it.
func lay(t *testing.T, base *world, script []byte) *siege {
	t.Helper()
	s := &siege{world: base.branch(t), place: t.TempDir()}
	s.target = filepath.Join(s.place, "target")
	outside := filepath.Join(s.place, "outside")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(outside, "folder", "a"), 0o755))
	must(os.WriteFile(filepath.Join(outside, "secret"), []byte("not to be touched"), 0o600))
	must(os.WriteFile(filepath.Join(outside, "folder", "b"), nil, 0o644))
	must(os.Mkdir(s.target, 0o755))
	must(os.Symlink("../outside", filepath.Join(s.target, "link")))
	must(os.Symlink(filepath.Join(outside, "secret"), filepath.Join(s.target, "c")))
	must(os.Symlink(filepath.Join(outside, "folder"), filepath.Join(s.target, "d")))
	t.Cleanup(func() { makeRemovable(s.target) })
	forger := forgetest.New(s.store, s.writer)
	half := len(script) / 2
	var ids []string
	for _, part := range [][]byte{script[:half], script[half:]} {
		id, err := forgetest.NewScript(part, outside).Perform(t.Context(), forger, forgetest.Snapshot{Host: "host", Set: "set", Source: "source0"})
		if errors.Is(err, tree.ErrTooLarge) {
			return s
		}
		must(err)
		ids = append(ids, id)
	}
	repo := s.reader()
	log, err := repo.ReadLog(t.Context())
	must(err)
	all, _, err := repo.ReadSnapshots(t.Context(), log) // without those whose root is refused
	must(err)
	for _, snapshot := range all {
		if slices.Contains(ids, snapshot.ID.String()) {
			s.snapshots = append(s.snapshots, snapshot)
		}
	}
	s.browser = browse.New(repo, fetch.Options{})
	return s
}

// makeRemovable lets the owner of directories remove what is in them.
func makeRemovable(root string) {
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
}

// surroundings tells all that is to be known of what lies beside the target: a change of anything
// changes the time of its inode.
func (s *siege) surroundings() (all string) {
	s.t.Helper()
	err := filepath.WalkDir(s.place, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == s.target {
			return fs.SkipDir
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		all += fmt.Sprintf("%s %o %d:%d, %d bytes, %d names, inode %d, %v, %v\n", path, st.Mode, st.Uid, st.Gid, st.Size, st.Nlink, st.Ino, st.Mtim, st.Ctim)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// scanty takes some bytes, and then no more.
type scanty struct{ left int }

var errScanty = errors.New("that is enough")

// Write implements io.Writer.
func (w *scanty) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errScanty
	}
	return len(p), nil
}

// look lists, searches, packs and reads a snapshot. Whatever fails, it ends.
func (s *siege) look(snapshot *catalog.Snapshot) {
	ctx := s.t.Context()
	at := catalog.Spot{Snapshot: snapshot, Sources: []*catalog.SourceState{&snapshot.Sources[0]}}
	var files []*entry.Entry
	for _, recursive := range []bool{false, true} {
		_ = s.browser.List(ctx, at, recursive, func(_ *catalog.SourceState, e *entry.Entry) error {
			if e.Type == entry.File && len(files) < 50 {
				files = append(files, e)
			}
			return nil
		})
	}
	for _, e := range files {
		at.Path = e.Path
		if node, err := s.browser.Node(ctx, at); err == nil {
			_ = s.browser.Content(ctx, snapshot, node, &scanty{1 << 20})
		}
		_ = s.browser.List(ctx, at, false, func(*catalog.SourceState, *entry.Entry) error { return nil })
	}
	at.Path = ""
	_ = s.browser.Tar(ctx, at, &scanty{4 << 20}, func(*entry.Entry, string) {})
	_ = s.browser.Zip(ctx, at, &scanty{4 << 20}, func(*entry.Entry) {})
	_ = browse.NewNames(browse.NewRoom(1<<20)).Add(ctx, s.browser, snapshot)
	t, err := s.browser.Tree(snapshot, &snapshot.Sources[0])
	if err != nil {
		s.t.Fatal(err)
	}
	for _, err := range t.Pages(ctx) {
		if err != nil {
			break
		}
	}
}

// compare searches both snapshots, and compares them.
func (s *siege) compare() {
	ctx := s.t.Context()
	finder, err := s.browser.Find(browse.Query{Patterns: []string{"*"}})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, snapshot := range s.snapshots {
		_ = finder.Search(ctx, snapshot, func(*catalog.SourceState, *entry.Entry) error { return nil })
	}
	_ = s.browser.Diff(ctx, s.snapshots[0], s.snapshots[1], func(string, browse.Kind, *tree.Change) error { return nil })
}

// bring restores a snapshot to a directory.
func (s *siege) bring(snapshot *catalog.Snapshot, root string, o restore.Options) (problems map[string]error, err error) {
	s.t.Helper()
	to, err := directory.New(root, directory.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	problems = map[string]error{}
	o.Parallel, o.Problem = 1, func(path string, err error) { problems[path] = err }
	_, err = s.restoreTo(to, snapshot, 0, o)
	if closing := to.Close(context.WithoutCancel(s.t.Context())); closing != nil {
		s.t.Errorf("close the target: %v", closing)
	}
	return problems, err
}

// restoreOver restores a snapshot over what is there.
func (s *siege) restoreOver(snapshot *catalog.Snapshot, choice int) {
	s.t.Helper()
	_, _ = s.bring(snapshot, s.target, restore.Options{
		Overwrite: []restore.Overwrite{restore.OverwriteAlways, restore.OverwriteIfChanged, restore.OverwriteIfNewer, restore.OverwriteAlways}[choice%4],
		Delete:    choice&4 != 0, Verify: choice&8 != 0, Sparse: choice&2 != 0, NoSpecial: choice%4 == 3,
	})
}

// mustTell restores a snapshot to an empty directory. Each entry is there afterwards, or was told.
func (s *siege) mustTell(snapshot *catalog.Snapshot) {
	s.t.Helper()
	empty := filepath.Join(s.target, "empty")
	problems, restored := s.bring(snapshot, empty, restore.Options{Verify: true})
	defer func() {
		makeRemovable(empty)
		if err := os.RemoveAll(empty); err != nil {
			s.t.Error(err)
		}
	}()
	t, err := s.browser.Tree(snapshot, &snapshot.Sources[0])
	if err != nil {
		s.t.Fatal(err)
	}
	var nodes []*tree.Node
	for n, err := range t.All(s.t.Context(), "") {
		if err != nil {
			if restored == nil {
				s.t.Errorf("the tree cannot be read, %v, and the restore does not fail", err)
			}
			return
		}
		nodes = append(nodes, n.Clone())
	}
	if restored != nil {
		return
	}
	root, err := os.OpenRoot(empty)
	if errors.Is(err, fs.ErrNotExist) && len(problems) > 0 || len(nodes) == 0 {
		return
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer root.Close()
	s.t.Logf("%d entries, %d problems", len(nodes), len(problems))
	for _, n := range nodes {
		if wrong := wrongOf(root, n); wrong != nil && !toldOf(problems, n.Path) {
			s.t.Errorf("%q, of type %d: %v, and nothing was told of it", n.Path, n.Type, wrong)
		}
	}
}

// toldOf tells whether there was a problem with a path, or with what it lies in.
func toldOf(problems map[string]error, path string) bool {
	for at := range problems {
		if entry.Within(path, at) {
			return true
		}
	}
	return false
}

// wrongOf says what is not in a restored directory as an entry has it, nil if all is there that a
// restore promises.
func wrongOf(root *os.Root, n *tree.Node) error {
	if n.IsMark() || n.Type == entry.Socket {
		return nil
	}
	path := n.Path
	if path == "" {
		path = "."
	}
	info, err := root.Lstat(path)
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	switch {
	case map[entry.Type]fs.FileMode{
		entry.File: 0, entry.Directory: fs.ModeDir, entry.Symlink: fs.ModeSymlink, entry.Fifo: fs.ModeNamedPipe,
		entry.CharDevice: fs.ModeDevice | fs.ModeCharDevice, entry.BlockDevice: fs.ModeDevice,
	}[n.Type] != info.Mode().Type():
		return fmt.Errorf("%v is there", info.Mode())
	case n.Type == entry.File && n.Links < 2 && info.Size() != n.Size:
		return fmt.Errorf("%d bytes are there, not %d", info.Size(), n.Size)
	case n.Type == entry.File && n.Links < 2 && st.Mode&0o6000 != 0 && n.User == "" && n.Group == "" && (st.Uid != n.UID || st.Gid != n.GID):
		return fmt.Errorf("it has the mode %o with the rights of %d:%d, not those of %d:%d", st.Mode, st.Uid, st.Gid, n.UID, n.GID)
	}
	return nil
}

// TestAChunkIsAsLongAsTheTreeSays: the id of a chunk finds it wherever it is, and a file that counts on
// more bytes of it would come back with zeros in their place.
func TestAChunkIsAsLongAsTheTreeSays(t *testing.T) {
	w := newWorld(t)
	f := forgetest.New(w.store, w.writer)
	pack, err := f.Pack(t.Context(), "the content of a file")
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.Pack(t.Context(), "the content of a file") // where it is looked for next
	if err != nil {
		t.Fatal(err)
	}
	chunk := slices.Collect(pack.Directory.All(pack.Pack))[0]
	for _, length := range []uint32{chunk.Length + 1, chunk.Length - 1, math.MaxUint32} {
		lie := chunk
		lie.Length = length
		node := &tree.Node{Entry: entry.Entry{Path: "file", Type: entry.File, Size: int64(length)}, Chunks: []archive.Chunk{lie}}
		id, err := f.Commit(t.Context(), forgetest.Snapshot{Host: "host", Set: "set", Source: "source0", Nodes: []*tree.Node{node}, Packs: []archive.RunPack{pack, again}})
		if err != nil {
			t.Fatal(err)
		}
		all := w.snapshots()
		last := all[slices.IndexFunc(all, func(s *catalog.Snapshot) bool { return s.ID.String() == id })]
		var problems []error
		before := allocated()
		to := newTarget()
		to.files["file"] = &fakeFile{Entry: entry.Entry{Path: "file", Type: entry.File, Size: int64(length)}}
		_, err = w.restoreTo(to, last, 0, restore.Options{Verify: true, Overwrite: restore.OverwriteIfChanged, Problem: func(_ string, err error) { problems = append(problems, err) }})
		if err != nil || len(problems) != 1 || !errors.Is(problems[0], archive.ErrDamaged) {
			t.Errorf("%d bytes of %d: %v, with the problems %v", length, chunk.Length, err, problems)
		}
		if took := allocated() - before; took > memoryOfSiege {
			t.Errorf("%d bytes of %d took %d MiB", length, chunk.Length, took>>20)
		}
	}
	report, err := check.Run(t.Context(), w.reader(), check.Options{})
	if err != nil || len(report.Findings) != 3 {
		t.Errorf("check finds %v, %v, want one for each snapshot", report.Findings, err)
	}
}

// TestWhatIsOfAnotherTypeIsNoNameOfAFile: a file whose numbers are those of a pipe comes back as a file.
func TestWhatIsOfAnotherTypeIsNoNameOfAFile(t *testing.T) {
	w := newWorld(t)
	f := forgetest.New(w.store, w.writer)
	pack, err := f.Pack(t.Context(), "content")
	if err != nil {
		t.Fatal(err)
	}
	linked := func(path string, kind entry.Type) *tree.Node {
		return &tree.Node{Entry: entry.Entry{Path: path, Type: kind, Mode: 0o600, Links: 2, Device: 1, Inode: 7}}
	}
	file := linked("b", entry.File)
	file.Chunks, file.Size = slices.Collect(pack.Directory.All(pack.Pack)), int64(len("content"))
	_, err = f.Commit(t.Context(), forgetest.Snapshot{Host: "host", Set: "set", Source: "source0", Nodes: []*tree.Node{linked("a", entry.Fifo), file}, Packs: []archive.RunPack{pack}})
	if err != nil {
		t.Fatal(err)
	}
	to := w.restore(0, restore.Options{Verify: true})
	if b := to.files["b"]; b == nil || string(b.content) != "content" || len(to.links) > 0 {
		t.Errorf("got %+v, and the links %v", b, to.links)
	}
}

// TestFilesOfOneNumberComeBackApart: two files to which a file system has given one number, as earlier
// versions have stored them, come back each with its own content.
func TestFilesOfOneNumberComeBackApart(t *testing.T) {
	w := newWorld(t)
	f := forgetest.New(w.store, w.writer)
	pack, err := f.Pack(t.Context(), "content of a", "content of b")
	if err != nil {
		t.Fatal(err)
	}
	var nodes []*tree.Node
	for chunk := range pack.Directory.All(pack.Pack) {
		n := &tree.Node{Entry: entry.Entry{Path: []string{"a", "b"}[len(nodes)], Type: entry.File, Mode: 0o600, Links: 2, Device: 1, Inode: 7, Size: int64(chunk.Length)}}
		n.Chunks = []archive.Chunk{chunk}
		nodes = append(nodes, n)
	}
	_, err = f.Commit(t.Context(), forgetest.Snapshot{Host: "host", Set: "set", Source: "source0", Nodes: nodes, Packs: []archive.RunPack{pack}})
	if err != nil {
		t.Fatal(err)
	}
	to := w.restore(0, restore.Options{Verify: true})
	if string(to.files["a"].content) != "content of a" || string(to.files["b"].content) != "content of b" || len(to.links) > 0 {
		t.Errorf("got %+v, and the links %v", to.files, to.links)
	}
}
