package pipeline_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/target/directory"
)

// rounds is how many random rounds of backup, change and restore are played.
const rounds = 100

// largest is the size above which the backups of a game leave files out.
const largest = 5000

// TestRandomRoundsOfRestoreTouchNothingForeign plays backups of paths that come back, with Delete,
// into a tree with foreign neighbours. After each round all that was backed up is as it was, what
// the backup does not know of is as it was before, and so is everything foreign: files beside the
// way, behind links, and under mount points.
func TestRandomRoundsOfRestoreTouchNothingForeign(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	g := newGame(t)
	removed := uint64(0)
	for round := range rounds {
		g.seed = uint64(round)
		g.rand = rand.New(rand.NewPCG(g.seed, 2))
		removed += g.round()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d rounds, %d entries deleted, %d mount points met", rounds, removed, g.mounted)
	g.w.check()
}

// game is a source and a target that change from round to round.
type game struct {
	t       *testing.T
	w       *world
	rand    *rand.Rand
	seed    uint64
	base    string
	roots   []string        // below base/src, what is backed up
	blind   map[string]bool // what the backup cannot read, by its path in the tree
	mounts  []string
	mounted int

	// What a backup took, and what it does not know, by the path below base/out.
	captured  map[string]line
	unknown   map[string]bool // with all that lies below
	unknownIn map[string]bool // all that lies below
}

func newGame(t *testing.T) *game {
	g := &game{t: t, w: newWorld(t), base: t.TempDir(), roots: []string{"home/docs", "srv/data", "etc/conf"}}
	g.must(os.MkdirAll(g.src("home/docs"), 0o755))
	g.must(os.MkdirAll(g.src("srv/data"), 0o750))
	g.must(os.MkdirAll(g.src("etc"), 0o755))
	g.must(os.WriteFile(g.src("etc/conf"), []byte("conf"), 0o600))
	g.must(os.MkdirAll(g.base+"/outside/deep", 0o755))
	g.must(os.WriteFile(g.base+"/outside/mine", []byte("mine"), 0o600))
	g.must(os.WriteFile(g.base+"/outside/deep/mine", []byte("mine too"), 0o600))
	t.Cleanup(g.unmount)
	return g
}

func (g *game) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatalf("round %d: %v", g.seed, err)
	}
}

// src and out name a place in the source, and where it comes back to.
func (g *game) src(path string) string { return filepath.Join(g.base, "src", path) }
func (g *game) out(path string) string { return filepath.Join(g.base, "out", g.src(path)) }

// round returns how many entries were deleted.
func (g *game) round() uint64 {
	g.must(os.WriteFile(g.src("home/docs/always"), []byte(fmt.Sprint(g.seed)), 0o644))
	g.must(os.WriteFile(g.src("srv/data/always"), []byte(fmt.Sprint(g.seed)), 0o644))
	for _, root := range g.roots[:2] {
		g.change(g.src(root), 12)
	}
	g.mountIn(g.src("srv/data"))
	snapshot := g.backup()
	g.unmount()
	for _, dir := range []string{g.out("home/docs"), g.out("srv/data"), g.out("home"), g.out(""), filepath.Join(g.base, "out")} {
		g.must(os.MkdirAll(dir, 0o755))
	}
	for _, root := range g.roots[:2] {
		g.change(g.out(root), 10)
	}
	for _, dir := range []string{g.out("home"), g.out("etc"), g.out(""), filepath.Join(g.base, "out")} {
		g.must(os.MkdirAll(dir, 0o755))
		g.foreign(dir)
	}
	return g.restore(snapshot)
}

// change makes random changes below a directory.
func (g *game) change(dir string, n int) {
	for range n {
		g.changeOne(g.somewhere(dir))
	}
}

// somewhere is a path below a directory, which may be there or not.
func (g *game) somewhere(dir string) string {
	path := dir
	for depth := g.rand.IntN(4); ; depth-- {
		path = filepath.Join(path, []string{"a", "b", "A", "c.txt", "d", "\xffraw", "x y"}[g.rand.IntN(7)])
		if info, err := os.Lstat(path); depth == 0 || err != nil || !info.IsDir() {
			return path
		}
	}
}

func (g *game) changeOne(path string) {
	what := g.rand.IntN(14)
	if what < 12 {
		g.must(os.RemoveAll(path))
	}
	switch what {
	case 0, 1, 2, 3: // a file
		g.must(os.WriteFile(path, randomBytes(g.rand.IntN(200), g.rand.Uint64()), 0o600))
	case 4: // one that is too large
		g.must(os.WriteFile(path, randomBytes(largest+1+g.rand.IntN(100), g.rand.Uint64()), 0o600))
	case 5, 6, 7:
		g.must(os.Mkdir(path, 0o755))
		for i := range g.rand.IntN(3) {
			g.must(os.WriteFile(fmt.Sprintf("%s/f%d", path, i), randomBytes(20, g.rand.Uint64()), 0o644))
		}
	case 8:
		g.must(os.Symlink([]string{g.base + "/outside", "nowhere", "../always"}[g.rand.IntN(3)], path))
	case 9:
		g.must(os.Mkdir(path, 0o755))
		g.must(os.WriteFile(path+"/CACHEDIR.TAG", []byte("Signature: 8a477f597d28d172789f06886806bc55"), 0o644))
		g.must(os.WriteFile(path+"/cached", randomBytes(20, g.rand.Uint64()), 0o644))
	case 10:
		g.must(unix.Mkfifo(path, 0o640))
	case 11: // another name of something foreign, or of a file of its own
		old := []string{g.base + "/outside/mine", filepath.Dir(path) + "/always"}[g.rand.IntN(2)]
		if err := os.Link(old, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.t.Fatal(err)
		}
		return
	}
	g.dress(path)
}

// dress gives something random metadata.
func (g *game) dress(path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return
	}
	var st unix.Stat_t
	if g.must(unix.Lstat(path, &st)); st.Nlink > 1 && !info.IsDir() {
		return // it may be foreign
	}
	g.must(os.Chmod(path, []fs.FileMode{0o755, 0o700, 0o644, 0o600}[g.rand.IntN(4)]|0o100))
	if os.Geteuid() == 0 {
		g.must(os.Lchown(path, g.rand.IntN(3), g.rand.IntN(3)))
	}
	at := time.Unix(int64(g.rand.IntN(3))*1000, int64(g.rand.IntN(2)))
	g.must(os.Chtimes(path, at, at))
}

// foreign puts something beside the way to what comes back.
func (g *game) foreign(dir string) {
	name := filepath.Join(dir, fmt.Sprintf("foreign%d", g.rand.IntN(3)))
	if _, err := os.Lstat(name); err == nil {
		return
	}
	switch g.rand.IntN(3) {
	case 0:
		g.must(os.WriteFile(name, []byte(name), 0o600))
	case 1:
		g.must(os.MkdirAll(name+"/sub", 0o700))
		g.must(os.WriteFile(name+"/sub/f", []byte(name), 0o600))
	default:
		g.must(os.Symlink(g.base+"/outside", name))
	}
}

// mountIn mounts something on a directory below dir that the backup then leaves out as another file
// system.
func (g *game) mountIn(dir string) {
	at := filepath.Join(dir, "mounted")
	g.must(os.MkdirAll(at, 0o755))
	if os.Geteuid() != 0 || g.rand.IntN(3) > 0 {
		return
	}
	g.must(unix.Mount("none", at, "tmpfs", 0, "size=1m"))
	g.mounts = append(g.mounts, at)
	g.must(os.WriteFile(at+"/inside", []byte("on the mount"), 0o600))
}

func (g *game) unmount() {
	for _, at := range slices.Backward(g.mounts) {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			g.t.Errorf("unmount %s: %v", at, err)
		}
	}
	g.mounts = nil
}

// backup takes the roots, with some files and directories that cannot be read.
func (g *game) backup() *catalog.Snapshot {
	g.blind = map[string]bool{}
	for _, root := range g.roots[:2] {
		if path := g.somewhere(g.src(root)); g.rand.IntN(2) == 0 {
			g.blind[strings.Trim(path, "/")] = true
		}
	}
	var paths []string
	for _, root := range g.roots {
		paths = append(paths, g.src(root))
	}
	o := g.w.options()
	o.Jobs = []backup.Job{{Name: catalog.PathsName, Type: "files", Location: strings.Join(paths, "\x00"), Paths: paths, Open: func(context.Context) (source.Source, error) {
		s, err := files.New(files.Options{Roots: paths, Absolute: true, ExcludeCaches: true, ExcludeLargerThan: largest, OneFileSystem: true})
		return &blindSource{s, g.blind}, err
	}}}
	snapshot, err := g.w.backup(g.w.store, o)
	g.must(err)
	g.model()
	return snapshot
}

// model notes what a backup takes of the source, by the same rules.
func (g *game) model() {
	g.captured, g.unknown, g.unknownIn = map[string]line{}, map[string]bool{}, map[string]bool{}
	source := g.ledger(g.base + "/src")
	for below, l := range source {
		path := strings.Trim(g.src(below), "/")
		_, marked := source[filepath.Join(below, "CACHEDIR.TAG")]
		switch {
		case l.kind.IsRegular() && (g.blind[path] || l.size > largest):
			g.unknown[path] = true
		case l.kind.IsDir() && (g.blind[path] || marked || slices.Contains(g.mounts, g.src(below))):
			g.unknownIn[path] = true
		}
	}
	for below, l := range source {
		if path := strings.Trim(g.src(below), "/"); g.isInside(path) && !g.isUnknown(path) {
			g.captured[path] = l
		}
	}
}

// isUnknown tells whether the backup does not know what was at a path.
func (g *game) isUnknown(path string) bool {
	for at := path; at != "."; at = filepath.Dir(at) {
		above := filepath.Dir(at)
		marker := filepath.Base(at) == "CACHEDIR.TAG" && !g.blind[above] && !slices.Contains(g.mounts, "/"+above)
		if g.unknown[at] || g.unknownIn[above] && !marker {
			return true
		}
	}
	return false
}

// isInside tells whether a path lies in what was backed up.
func (g *game) isInside(path string) bool {
	for _, root := range g.roots {
		if at := strings.Trim(g.src(root), "/"); path == at || strings.HasPrefix(path, at+"/") {
			return true
		}
	}
	return false
}

// blindSource cannot read some paths of another source.
type blindSource struct {
	*files.Source
	blind map[string]bool
}

func (s *blindSource) Walk(ctx context.Context, v source.Visitor) error {
	return s.Source.Walk(ctx, &blindVisitor{Visitor: v, blind: s.blind})
}

type blindVisitor struct {
	source.Visitor
	blind map[string]bool
	below string
}

func (v *blindVisitor) Visit(e *entry.Entry) error {
	if v.below != "" && strings.HasPrefix(e.Path, v.below+"/") {
		return nil
	}
	v.below = ""
	if e.Type == entry.File && v.blind[e.Path] {
		v.Visitor.Problem(e.Path, fs.ErrPermission)
		return nil
	}
	if err := v.Visitor.Visit(e); err != nil {
		return err
	}
	if e.Type == entry.Directory && v.blind[e.Path] {
		v.below = e.Path
		v.Visitor.Problem(e.Path, fs.ErrPermission)
	}
	return nil
}

func (v *blindVisitor) Leave(path string, why entry.Reason) {
	if v.below == "" || !strings.HasPrefix(path, v.below+"/") {
		source.Leave(v.Visitor, path, why)
	}
}

// line is what a ledger keeps of one thing.
type line struct {
	kind     fs.FileMode
	mode     fs.FileMode
	uid, gid uint32
	size     int64
	modified time.Time
	content  string // hash, or where a link leads
	inode    uint64
}

// ledger lists all that lies at and below a directory, by its path below it.
func (g *game) ledger(dir string) map[string]line {
	all := map[string]line{}
	g.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		l := line{kind: d.Type(), mode: fs.FileMode(st.Mode & 0o7777), uid: st.Uid, gid: st.Gid, modified: time.Unix(st.Mtim.Unix()), inode: st.Ino}
		switch {
		case d.Type().IsRegular():
			l.size = st.Size
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(content)
			l.content = hex.EncodeToString(sum[:])
		case d.Type()&fs.ModeSymlink != 0:
			l.content, _ = os.Readlink(path)
		}
		below, _ := filepath.Rel(dir, path)
		all[below] = l
		return nil
	}))
	return all
}

// restore brings a snapshot back and compares.
func (g *game) restore(snapshot *catalog.Snapshot) uint64 {
	surprise := g.surprise(snapshot)
	before, outside := g.ledger(g.base+"/out"), g.ledger(g.base+"/outside")
	if surprise != "" {
		g.refuses(snapshot, surprise)
		g.same("a survey", before, g.ledger(g.base+"/out"))
		g.unmount()
		before = g.ledger(g.base + "/out")
	}
	overwrite := []restore.Overwrite{restore.OverwriteAlways, restore.OverwriteIfChanged}[g.rand.IntN(2)]
	planned := g.run(snapshot, restore.Options{Overwrite: overwrite, DryRun: true})
	g.same("a dry run", before, g.ledger(g.base+"/out"))
	result := g.run(snapshot, restore.Options{Overwrite: overwrite})
	if planned.Deleted != result.Deleted || planned.Failed != result.Failed {
		g.t.Errorf("planned to delete %d with %d failures, and it was %d with %d", planned.Deleted, planned.Failed, result.Deleted, result.Failed)
	}
	g.same("what lies outside", outside, g.ledger(g.base+"/outside"))
	g.compare(before, g.ledger(g.base+"/out"))
	return result.Deleted
}

// surprise mounts something in the target where the snapshot knows of no mount.
func (g *game) surprise(snapshot *catalog.Snapshot) string {
	at := g.out("home/docs/surprise")
	if os.Geteuid() != 0 || g.rand.IntN(4) > 0 {
		return ""
	}
	g.must(os.RemoveAll(at))
	g.must(os.MkdirAll(at, 0o755))
	if g.rand.IntN(2) == 0 {
		g.must(unix.Mount("none", at, "tmpfs", 0, "size=1m"))
		g.must(os.WriteFile(at+"/inside", []byte("foreign"), 0o600))
	} else {
		g.must(unix.Mount(g.base+"/outside", at, "", unix.MS_BIND, ""))
	}
	g.mounts = append(g.mounts, at)
	g.mounted++
	return at
}

// refuses makes sure that a person is asked.
func (g *game) refuses(snapshot *catalog.Snapshot, mount string) {
	restored, done := g.prepare(snapshot, restore.Options{})
	defer done()
	surplus, err := restored.Survey(g.t.Context())
	g.must(err)
	if want := []string{strings.Trim(strings.TrimPrefix(mount, g.base+"/out"), "/")}; !slices.Equal(surplus.Mounts, want) || surplus.Doubt() == "" {
		g.t.Errorf("mounts in which something would be removed: got %q, %q, want %q", surplus.Mounts, surplus.Doubt(), want)
	}
}

func (g *game) run(snapshot *catalog.Snapshot, o restore.Options) restore.Result {
	restored, done := g.prepare(snapshot, o)
	defer done()
	result, err := restored.Run(g.t.Context())
	g.must(err)
	return result
}

func (g *game) prepare(snapshot *catalog.Snapshot, o restore.Options) (restored *restore.Restoration, done func()) {
	fetcher, err := fetch.New(g.w.reader(), snapshot.Domain, fetch.Options{})
	g.must(err)
	s := &snapshot.Sources[0]
	t := tree.Open(s.Root, fetcher.Pages(), tree.OpenOptions{Marks: true})
	known, err := restore.KnowledgeOf(g.t.Context(), s, t)
	g.must(err)
	to, err := directory.New(g.base+"/out", directory.Options{NoOwner: os.Geteuid() != 0, ReadOnly: o.DryRun, Warn: func(path string, err error) { g.t.Errorf("%s: %v", path, err) }})
	g.must(err)
	o.Delete, o.Roots, o.Unknown = true, known.Roots, known.Unknown
	o.Problem = func(path string, err error) { g.t.Errorf("%s: %v", path, err) }
	return restore.New(t, fetcher, to, o), func() { g.must(to.Close(context.Background())) }
}

func (g *game) same(what string, want, got map[string]line) {
	g.t.Helper()
	for path, l := range want {
		if got[path] != l {
			g.t.Errorf("%s: %q was %+v and is %+v", what, path, l, got[path])
		}
	}
	for path, l := range got {
		if _, ok := want[path]; !ok {
			g.t.Errorf("%s: %q is there now: %+v", what, path, l)
		}
	}
}

// compare holds the target against the source where that was backed up, and against what it was
// before everywhere else.
func (g *game) compare(before, after map[string]line) {
	want := maps.Clone(g.captured)
	for path, l := range before {
		if !g.isInside(path) || g.isUnknown(path) {
			want[path] = l
		}
	}
	for path, w := range want {
		got, ok := after[path]
		if _, restored := g.captured[path]; restored {
			got.inode = w.inode // it is another file
			if os.Geteuid() != 0 {
				got.uid, got.gid = w.uid, w.gid
			}
		}
		if !ok || got != w && !g.leads(path) {
			g.t.Errorf("%q: got %+v (there: %v), want %+v", path, got, ok, w)
		}
	}
	for path, l := range after {
		if _, ok := want[path]; !ok {
			g.t.Errorf("%q is left: %+v", path, l)
		}
	}
}

// leads tells whether a path leads to what comes back, so that it gets the metadata that the
// snapshot has of it.
func (g *game) leads(path string) bool {
	for _, root := range g.roots {
		if path == "." || strings.HasPrefix(strings.Trim(g.src(root), "/"), path+"/") {
			return true
		}
	}
	return false
}
