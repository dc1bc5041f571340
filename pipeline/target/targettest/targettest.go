// Package targettest is the suite that every target passes. An adapter says what its target can
// keep. Anything else must be target.ErrUnsupported or left out, but never wrong.
package targettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/target"
)

// Keeps says what a target restores of an entry. The zero value is a target of names and contents
// only.
type Keeps struct {
	Mode        bool          // set-uid and set-gid bits only together with Owner
	Owner       bool          // by number; the test must be permitted to give files away
	ModTime     time.Duration // how fine; 0: not at all
	Symlinks    bool
	HardLinks   bool
	Fifos       bool
	Devices     bool
	Directories bool // empty ones too
	RawNames    bool // names that are not UTF-8
	// Name, if set, changes a name of the suite into one that the target can hold.
	Name func(string) string
}

// Run runs the suite. Each call of open returns a target at the same place, which is empty at
// first; with fresh it must be a new place.
func Run(t *testing.T, open func(t *testing.T, fresh bool) target.Target, keeps Keeps) {
	s := &suite{open: open, keeps: keeps}
	for _, test := range []struct {
		name string
		run  func(*suite, *testing.T)
	}{
		{"AnEmptyTargetWalksToNothing", (*suite).empty},
		{"WhatIsCommittedIsThereWithItsMetadata", (*suite).committed},
		{"NothingAppearsBeforeCommitOrAfterAbort", (*suite).notBefore},
		{"AFileIsReplacedWhole", (*suite).replaced},
		{"WhatIsNeverWrittenReadsAsZeros", (*suite).zeros},
		{"FilesAreWrittenAtOnce", (*suite).parallel},
		{"ChunksArriveInAnyOrder", (*suite).anyOrder},
		{"LinksAndNodesAreMadeOrRefused", (*suite).specials},
		{"HardLinksShareTheirContentOrAreRefused", (*suite).hardLinks},
		{"DirectoriesGetTheirMetadataAtTheEnd", (*suite).directories},
		{"WhatIsInTheWayIsReplaced", (*suite).inTheWay},
		{"ADirectoryThatIsNotEmptyIsNotReplaced", (*suite).notReplaced},
		{"RemoveTakesOneThingAtATime", (*suite).removed},
		{"WalkKeepsToItsScope", (*suite).scoped},
		{"PathsOutsideAreRefused", (*suite).outside},
		{"WalkIsInOrder", (*suite).ordered},
		{"ACancelledContextStopsEverything", (*suite).cancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(s, t) })
	}
}

type suite struct {
	open  func(t *testing.T, fresh bool) target.Target
	keeps Keeps
}

var moment = entry.TimeOf(time.Date(2024, 2, 29, 12, 34, 56, 789012345, time.UTC))

// fresh opens an empty target that is closed after the test.
func (s *suite) fresh(t *testing.T) target.Target {
	t.Helper()
	tg := s.open(t, true)
	t.Cleanup(func() {
		if err := tg.Close(context.Background()); err != nil {
			t.Errorf("close the target: %v", err)
		}
	})
	return tg
}

func (s *suite) name(n string) string {
	if s.keeps.Name != nil {
		return s.keeps.Name(n)
	}
	return n
}

func file(path string, size int) *entry.Entry {
	return &entry.Entry{Path: path, Type: entry.File, Mode: 0o640, Size: int64(size), ModTime: moment}
}

func directory(path string) *entry.Entry {
	return &entry.Entry{Path: path, Type: entry.Directory, Mode: 0o750, ModTime: moment}
}

// write restores a file in one go.
func write(t *testing.T, tg target.Target, e *entry.Entry, content []byte) {
	t.Helper()
	f, err := tg.Create(context.Background(), e)
	if err != nil {
		t.Fatalf("create %q: %v", e.Path, err)
	}
	if len(content) > 0 {
		if n, err := f.WriteAt(content, 0); err != nil || n != len(content) {
			t.Fatalf("write %d bytes to %q: %d, %v", len(content), e.Path, n, err)
		}
	}
	if err := f.Commit(context.Background()); err != nil {
		t.Fatalf("commit %q: %v", e.Path, err)
	}
	f.Abort()
}

func make1(t *testing.T, tg target.Target, e *entry.Entry) {
	t.Helper()
	if err := tg.Make(context.Background(), e); err != nil {
		t.Fatalf("make %q: %v", e.Path, err)
	}
}

// read returns the content at path, or nil if there is no file.
func read(t *testing.T, tg target.Target, path string) []byte {
	t.Helper()
	r, err := tg.Open(context.Background(), path)
	if err != nil {
		t.Fatalf("open %q: %v", path, err)
	}
	if r == nil {
		return nil
	}
	defer r.Close()
	content, err := io.ReadAll(io.NewSectionReader(r, 0, 1<<40))
	if err != nil {
		t.Fatalf("read %q: %v", path, err)
	}
	return append([]byte{}, content...)
}

func expect(t *testing.T, tg target.Target, path string, want []byte) {
	t.Helper()
	got := read(t, tg, path)
	if want == nil && got != nil {
		t.Errorf("%q: got a file of %d bytes, want none", path, len(got))
	}
	if want != nil && (got == nil || !bytes.Equal(got, want)) {
		t.Errorf("%q: got %d bytes (file: %v), want %d others", path, len(got), got != nil, len(want))
	}
}

// walk returns what is there.
func walk(t *testing.T, tg target.Target) []*entry.Entry {
	t.Helper()
	var all []*entry.Entry
	err := tg.Walk(context.Background(), nil, target.Entries(func(e *entry.Entry) error {
		all = append(all, e)
		return nil
	}))
	if err != nil {
		t.Fatalf("walk: %v", err)
	}
	return all
}

func find(t *testing.T, tg target.Target, path string) *entry.Entry {
	t.Helper()
	for _, e := range walk(t, tg) {
		if e.Path == path {
			return e
		}
	}
	return nil
}

// compare checks what the target keeps of want.
func (s *suite) compare(t *testing.T, tg target.Target, want *entry.Entry) {
	t.Helper()
	got := find(t, tg, want.Path)
	if got == nil {
		t.Errorf("%q is not there", want.Path)
		return
	}
	if got.Type != want.Type || got.Size != want.Size || got.Target != want.Target {
		t.Errorf("%q: got type %d, size %d, target %q, want %d, %d, %q", want.Path, got.Type, got.Size, got.Target, want.Type, want.Size, want.Target)
	}
	mode := want.Mode
	if !s.keeps.Owner {
		mode &^= target.SetIDs // which would lend the rights of the wrong owner
	}
	if s.keeps.Mode && want.Type != entry.Symlink && got.Mode != mode {
		t.Errorf("%q: got mode %o, want %o", want.Path, got.Mode, mode)
	}
	if s.keeps.Owner && (got.UID != want.UID || got.GID != want.GID) {
		t.Errorf("%q: got owner %d:%d, want %d:%d", want.Path, got.UID, got.GID, want.UID, want.GID)
	}
	if fine := s.keeps.ModTime; fine > 0 && got.ModTime.Truncate(fine) != want.ModTime.Truncate(fine) {
		t.Errorf("%q: got time %v, want %v to %v", want.Path, got.ModTime, want.ModTime, fine)
	}
}

// finished checks that a target that is a Looker recognizes what was finished.
func (s *suite) finished(t *testing.T, tg target.Target, all []*entry.Entry) {
	t.Helper()
	l, ok := tg.(target.Looker)
	if !ok {
		return
	}
	for _, e := range all {
		there, other := find(t, tg, e.Path), *e
		other.Mode ^= 0o040
		if !l.Finished(there, e) {
			t.Errorf("%q has been finished, and Finished does not know it; there is %+v", e.Path, there)
		}
		if s.keeps.Mode && l.Finished(there, &other) {
			t.Errorf("%q is to get mode %o and has %o, and Finished says that it has that", e.Path, other.Mode, there.Mode)
		}
	}
}

func pattern(size, seed int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + seed)
	}
	return b
}

// remove removes one thing.
func remove(tg target.Target, e *entry.Entry) error {
	var failed error
	err := tg.Remove(context.Background(), []*entry.Entry{e}, func(_ *entry.Entry, err error) { failed = err })
	return errors.Join(err, failed)
}

func (s *suite) empty(t *testing.T) {
	tg := s.fresh(t)
	if all := walk(t, tg); len(all) != 0 {
		t.Errorf("got %d entries, want none", len(all))
	}
	expect(t, tg, "nothing", nil)
	expect(t, tg, "no/thing", nil)
	for _, e := range []*entry.Entry{file("nothing", 1), directory("nothing"), file("no/thing", 1)} {
		if err := remove(tg, e); err != nil {
			t.Errorf("remove what is not there, %s: %v", e.Path, err)
		}
	}
}

func (s *suite) committed(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	make1(t, tg, directory("d"))
	for i, size := range []int{0, 1, 4096, 1<<20 + 17} {
		for _, mode := range []uint32{0o400, 0o644, 0o4755} {
			e := file(s.name(fmt.Sprintf("d/f%d-%o", i, mode)), size)
			e.Mode, e.UID, e.GID = mode, 12345, 54321
			write(t, tg, e, pattern(size, i))
			s.compare(t, tg, e)
			expect(t, tg, e.Path, pattern(size, i))
		}
	}
	if s.keeps.RawNames {
		e := file("d/\xff\xfe not utf-8 \n\x01", 3)
		e.UID, e.GID = 1, 1
		write(t, tg, e, []byte("raw"))
		s.compare(t, tg, e)
	}
	if tg.Traits().Parallel < 1 {
		t.Errorf("Traits().Parallel is %d, want at least 1", tg.Traits().Parallel)
	}
}

func (s *suite) notBefore(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	f, err := tg.Create(context.Background(), file("f", 5))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("hello"), 0); err != nil {
		t.Fatal(err)
	}
	expect(t, tg, "f", nil)
	if all := walk(t, tg); len(all) != 0 {
		t.Errorf("before Commit a walk shows %q", all[0].Path)
	}
	f.Abort()
	f.Abort()
	expect(t, tg, "f", nil)
	if all := walk(t, s.open(t, false)); len(all) != 0 {
		t.Errorf("after Abort a walk shows %q", all[0].Path)
	}
}

func (s *suite) replaced(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	write(t, tg, file("f", 5000), pattern(5000, 1))
	f, err := tg.Create(context.Background(), file("f", 10))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(pattern(10, 2), 0); err != nil {
		t.Fatal(err)
	}
	expect(t, tg, "f", pattern(5000, 1))
	if err := f.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	expect(t, tg, "f", pattern(10, 2))
	f.Abort()
	expect(t, tg, "f", pattern(10, 2))
}

func (s *suite) zeros(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	e := file("sparse", 1<<20)
	e.Extents = []entry.Extent{{Offset: 256 << 10, Length: 4096}}
	want := make([]byte, e.Size)
	copy(want[256<<10:], pattern(4096, 3))
	f, err := tg.Create(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	if tg.Traits().Sequential {
		_, err = f.WriteAt(want, 0)
	} else {
		_, err = f.WriteAt(pattern(4096, 3), 256<<10)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	expect(t, tg, "sparse", want)
}

func (s *suite) parallel(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	make1(t, tg, directory("d"))
	var writers sync.WaitGroup
	for w := range min(tg.Traits().Parallel, 8) {
		writers.Go(func() {
			for i := range 25 {
				if err := restore(tg, fmt.Sprintf("d/%d-%d", w, i), pattern(1000+i, w)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	for w := range min(tg.Traits().Parallel, 8) {
		for i := range 25 {
			expect(t, tg, fmt.Sprintf("d/%d-%d", w, i), pattern(1000+i, w))
		}
	}
}

// restore is write for other goroutines than the test's own.
func restore(tg target.Target, path string, content []byte) error {
	f, err := tg.Create(context.Background(), file(path, len(content)))
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.WriteAt(content, 0); err != nil {
		return err
	}
	return f.Commit(context.Background())
}

func (s *suite) anyOrder(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	const piece, pieces = 70_001, 16
	want := pattern(piece*pieces, 5)
	f, err := tg.Create(context.Background(), file("f", len(want)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	put := func(i int) {
		if _, err := f.WriteAt(want[i*piece:(i+1)*piece], int64(i*piece)); err != nil {
			t.Errorf("write piece %d: %v", i, err)
		}
	}
	if tg.Traits().Sequential {
		for i := range pieces {
			put(i)
		}
	} else {
		var writers sync.WaitGroup
		for i := range pieces {
			writers.Go(func() { put(pieces - 1 - i) })
		}
		writers.Wait()
	}
	if err := f.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	expect(t, tg, "f", want)
}

func (s *suite) specials(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	for _, c := range []struct {
		e    entry.Entry
		kept bool
	}{
		{entry.Entry{Path: "link", Type: entry.Symlink, Target: "../outside/\xff", ModTime: moment, UID: 3, GID: 4}, s.keeps.Symlinks},
		{entry.Entry{Path: "fifo", Type: entry.Fifo, Mode: 0o622, ModTime: moment, UID: 3, GID: 4}, s.keeps.Fifos},
		{entry.Entry{Path: "null", Type: entry.CharDevice, Mode: 0o666, NodeDevice: 0x103, ModTime: moment}, s.keeps.Devices},
		{entry.Entry{Path: "disk", Type: entry.BlockDevice, Mode: 0o660, NodeDevice: 0x701, ModTime: moment}, s.keeps.Devices},
		{entry.Entry{Path: "socket", Type: entry.Socket, Mode: 0o777, ModTime: moment}, false},
	} {
		err := tg.Make(context.Background(), &c.e)
		if accepts := tg.Accepts(&c.e); (accepts == nil) != c.kept && (c.kept || !errors.Is(err, target.ErrUnsupported)) {
			t.Errorf("%q: Accepts says %v, kept: %v", c.e.Path, accepts, c.kept)
		}
		if c.kept {
			if err != nil {
				t.Errorf("make %q: %v", c.e.Path, err)
			}
			s.compare(t, tg, &c.e)
		} else if !errors.Is(err, target.ErrUnsupported) {
			t.Errorf("make %q: got %v, want ErrUnsupported", c.e.Path, err)
		} else if got := find(t, tg, c.e.Path); got != nil {
			t.Errorf("%q is there although it is unsupported", c.e.Path)
		}
	}
}

func (s *suite) hardLinks(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	make1(t, tg, directory("d"))
	write(t, tg, file("first", 100), pattern(100, 1))
	write(t, tg, file("d/old", 10), pattern(10, 9))
	for range 2 { // the second time all is in place already
		for _, path := range []string{"second", "d/old"} {
			err := tg.Link(context.Background(), file(path, 100), "first")
			if !s.keeps.HardLinks {
				if !errors.Is(err, target.ErrUnsupported) {
					t.Errorf("link %q: got %v, want ErrUnsupported", path, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("link %q: %v", path, err)
			}
			expect(t, tg, path, pattern(100, 1))
		}
	}
	if !s.keeps.HardLinks {
		return
	}
	a, b, c := find(t, tg, "first"), find(t, tg, "second"), find(t, tg, "d/old")
	if a.Links != 3 || a.Inode != b.Inode || b.Inode != c.Inode {
		t.Errorf("got inodes %d, %d, %d and %d links, want one inode and 3", a.Inode, b.Inode, c.Inode, a.Links)
	}
	if all := walk(t, tg); len(all) != 4 {
		t.Errorf("got %d entries, want 4", len(all))
	}
}

func (s *suite) directories(t *testing.T) {
	if !s.keeps.Directories {
		t.Skip("the target has no directories")
	}
	tg := s.fresh(t)
	all := []*entry.Entry{directory(""), directory("a"), directory("a/b"), directory("empty")}
	for i, e := range all {
		e.Mode, e.UID, e.GID = []uint32{0o755, 0o500, 0o2775, 0o1777}[i], uint32(i), uint32(i)
		make1(t, tg, e)
		make1(t, tg, e) // a directory that is there is kept
	}
	write(t, tg, file("a/b/f", 1), []byte("x"))
	for _, e := range slices.Backward(all) {
		if err := tg.Finish(context.Background(), e); err != nil {
			t.Fatalf("finish %q: %v", e.Path, err)
		}
	}
	for _, e := range all[1:] {
		s.compare(t, tg, e)
	}
	s.finished(t, tg, all[1:])
	make1(t, tg, all[1]) // writable again
	write(t, tg, file("a/g", 1), []byte("y"))
	expect(t, tg, "a/b/f", []byte("x"))
	expect(t, tg, "a/g", []byte("y"))
}

func (s *suite) inTheWay(t *testing.T) {
	if !s.keeps.Directories {
		t.Skip("the target has no directories")
	}
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	write(t, tg, file("a", 1), []byte("a"))
	make1(t, tg, directory("b"))
	make1(t, tg, directory("a"))
	write(t, tg, file("a/in", 2), []byte("in"))
	write(t, tg, file("b", 1), []byte("b"))
	expect(t, tg, "a/in", []byte("in"))
	expect(t, tg, "b", []byte("b"))
	make1(t, tg, directory("b"))
	write(t, tg, file("b/again", 1), []byte("c"))
	expect(t, tg, "b/again", []byte("c"))
	if s.keeps.Symlinks {
		s.linkInTheWay(t, tg)
	}
}

func (s *suite) linkInTheWay(t *testing.T, tg target.Target) {
	make1(t, tg, directory("real"))
	make1(t, tg, &entry.Entry{Path: "link", Type: entry.Symlink, Target: "real", ModTime: moment})
	if f, err := tg.Create(context.Background(), file("link/f", 1)); err == nil {
		f.Abort()
		t.Error("a file was created through a symbolic link")
	}
	if err := tg.Make(context.Background(), directory("link/d")); err == nil {
		t.Error("a directory was made through a symbolic link")
	}
	make1(t, tg, directory("link"))
	write(t, tg, file("link/f", 1), []byte("x"))
	expect(t, tg, "link/f", []byte("x"))
	expect(t, tg, "real/f", nil)
	if err := remove(tg, file("link/f", 1)); err != nil {
		t.Fatal(err)
	}
	make1(t, tg, &entry.Entry{Path: "link", Type: entry.Symlink, Target: "real", ModTime: moment})
	write(t, tg, file("link", 1), []byte("y"))
	expect(t, tg, "link", []byte("y"))
}

// notReplaced checks that only an empty directory is replaced by something else.
func (s *suite) notReplaced(t *testing.T) {
	if !s.keeps.Directories {
		t.Skip("the target has no directories")
	}
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	make1(t, tg, directory("full"))
	write(t, tg, file("full/f", 1), []byte("f"))
	if err := restore(tg, "full", []byte("x")); !errors.Is(err, target.ErrNotEmpty) || errors.Is(err, target.ErrUnreachable) {
		t.Errorf("a file: got %v, want ErrNotEmpty, of the file alone", err)
	}
	if s.keeps.Symlinks {
		err := tg.Make(context.Background(), &entry.Entry{Path: "full", Type: entry.Symlink, Target: "x", ModTime: moment})
		if !errors.Is(err, target.ErrNotEmpty) {
			t.Errorf("a link: got %v, want ErrNotEmpty", err)
		}
	}
	expect(t, tg, "full/f", []byte("f"))
	if all := walk(t, s.open(t, false)); len(all) != 2 {
		t.Errorf("got %d entries, want full and full/f alone", len(all))
	}
}

func (s *suite) removed(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	for _, path := range []string{"d", "d/e", "d/e/f", "d.x"} {
		make1(t, tg, directory(path))
		write(t, tg, file(path+"/file", 3), []byte("abc"))
	}
	write(t, tg, file("single", 1), []byte("x"))
	if err := remove(tg, directory("d/e")); s.keeps.Directories && (!errors.Is(err, target.ErrNotEmpty) || errors.Is(err, target.ErrUnreachable)) {
		t.Errorf("remove a directory that is not empty: got %v, want ErrNotEmpty, of the directory alone", err)
	}
	expect(t, tg, "d/e/file", []byte("abc"))
	var all []*entry.Entry
	for _, e := range slices.Backward(walk(t, tg)) {
		if e.Path == "single" || e.Path == "d" || strings.HasPrefix(e.Path, "d/") {
			all = append(all, e)
		}
	}
	err := tg.Remove(context.Background(), all, func(e *entry.Entry, err error) { t.Errorf("remove %q: %v", e.Path, err) })
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range walk(t, s.open(t, false)) {
		if e.Path != "d.x" && e.Path != "d.x/file" {
			t.Errorf("%q is still there", e.Path)
		}
	}
	expect(t, tg, "d.x/file", []byte("abc"))
	make1(t, tg, directory("d"))
	write(t, tg, file("d/new", 1), []byte("n"))
	expect(t, tg, "d/new", []byte("n"))
}

func (s *suite) scoped(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	for _, path := range []string{"a", "a/in", "a/out", "b"} {
		make1(t, tg, directory(path))
		write(t, tg, file(path+"/file", 1), []byte("x"))
	}
	in := func(path string) bool { return path == "a" || path == "a/in" || strings.HasPrefix(path, "a/in/") }
	var got []string
	err := tg.Walk(context.Background(), in, target.Entries(func(e *entry.Entry) error {
		got = append(got, e.Path)
		return nil
	}))
	if want := []string{"a", "a/in", "a/in/file"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func (s *suite) outside(t *testing.T) {
	tg := s.fresh(t)
	ctx := context.Background()
	make1(t, tg, directory(""))
	for _, path := range []string{"..", "../x", "/etc/x", "a/../../x", "a//b", "./x", "a/.", "a\x00b"} {
		_, createErr := tg.Create(ctx, file(path, 0))
		_, openErr := tg.Open(ctx, path)
		for act, err := range map[string]error{
			"create": createErr, "open": openErr, "make": tg.Make(ctx, directory(path)), "link": tg.Link(ctx, file(path, 0), "f"),
			"link from": tg.Link(ctx, file("f", 0), path), "finish": tg.Finish(ctx, directory(path)), "remove": remove(tg, file(path, 0)),
		} {
			unsupported := errors.Is(err, target.ErrUnsupported) && (act == "link" || act == "link from")
			if !errors.Is(err, target.ErrPath) && !unsupported {
				t.Errorf("%s %q: got %v, want ErrPath", act, path, err)
			}
		}
	}
	if err := remove(tg, directory("")); !errors.Is(err, target.ErrPath) {
		t.Errorf("remove the root: got %v, want ErrPath", err)
	}
}

func (s *suite) ordered(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	for _, path := range []string{"a", "a/z", "b"} {
		make1(t, tg, directory(path))
	}
	for _, path := range []string{"a.b", "a-b", "a0", "a/1", "a/z/2", "b/3", "c"} {
		write(t, tg, file(path, 1), []byte("x"))
	}
	all := walk(t, s.open(t, false))
	var files []string
	for i, e := range all {
		if i > 0 && entry.ComparePaths(all[i-1].Path, e.Path) >= 0 {
			t.Errorf("%q comes before %q", all[i-1].Path, e.Path)
		}
		if e.Type == entry.File {
			files = append(files, e.Path)
		}
	}
	if want := []string{"a/1", "a/z/2", "a-b", "a.b", "a0", "b/3", "c"}; !slices.Equal(files, want) {
		t.Errorf("got files %q, want %q", files, want)
	}
	stop := errors.New("stop")
	if err := tg.Walk(context.Background(), nil, target.Entries(func(*entry.Entry) error { return stop })); !errors.Is(err, stop) {
		t.Errorf("a visit's error: got %v from Walk, want it", err)
	}
}

func (s *suite) cancelled(t *testing.T) {
	tg := s.fresh(t)
	make1(t, tg, directory(""))
	write(t, tg, file("f", 1), []byte("x"))
	f, err := tg.Create(context.Background(), file("g", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, createErr := tg.Create(ctx, file("h", 1))
	for act, err := range map[string]error{
		"create": createErr, "make": tg.Make(ctx, directory("d")), "commit": f.Commit(ctx),
		"walk":   tg.Walk(ctx, nil, target.Entries(func(*entry.Entry) error { return nil })),
		"remove": tg.Remove(ctx, []*entry.Entry{file("f", 1)}, func(*entry.Entry, error) {}),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", act, err)
		}
	}
	expect(t, tg, "f", []byte("x"))
	expect(t, tg, "g", nil)
}
