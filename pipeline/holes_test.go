package pipeline_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/target"
)

// piece is some data in a sparse file.
type piece struct {
	offset int64
	data   []byte
}

// makeSparse makes a file of size bytes with data here and there.
func makeSparse(t testing.TB, file string, size int64, pieces ...piece) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pieces {
		if _, err := f.WriteAt(p.data, p.offset); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmp.Or(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	moment := time.Unix(1_600_000_000, 0)
	if err := os.Chtimes(file, moment, moment); err != nil {
		t.Fatal(err)
	}
}

// dataIn is what a file has beside holes; zeros at the ends of its ranges do not count.
func dataIn(t testing.TB, file string) (size int64, all []piece) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < info.Size(); {
		from, to, err := local.NextData(int(f.Fd()), at, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, min(to, info.Size())-from)
		if _, err := f.ReadAt(data, from); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if short := bytes.TrimLeft(data, "\x00"); len(short) > 0 {
			all = append(all, piece{from + int64(len(data)-len(short)), bytes.TrimRight(short, "\x00")})
		}
		at = to
	}
	return info.Size(), all
}

const tebibyte = 1 << 40

// sparseFiles are sizes and pieces of files, by name.
func sparseFiles() map[string][]piece {
	data := func(n int, seed uint64) []byte { return bytes.ReplaceAll(randomBytes(n, seed), []byte{0}, []byte{1}) }
	return map[string][]piece{
		"a hole alone":       {{tebibyte, nil}},
		"an end of its own":  {{2*tebibyte + 12345, nil}, {2*tebibyte + 12344, []byte("e")}},
		"some in the middle": {{tebibyte, nil}, {1, data(3_000_000, 1)}, {5 << 30, data(100_000, 2)}, {5<<30 + 9<<20, data(2<<20, 3)}, {tebibyte - 777<<10, data(777<<10, 4)}},
		"small holes":        {{40 << 20, nil}, {1 << 20, data(1<<20, 5)}, {6 << 20, data(1000, 6)}, {11<<20 + 4096, data(70_000, 7)}},
		"a database":         {{1 << 30, nil}, {0, append([]byte("SQLite format 3\x00"), data(16<<10, 8)...)}, {512 << 20, data(4096, 9)}},
	}
}

func TestHolesAreNeitherReadNorStored(t *testing.T) {
	w := newWorld(t)
	from, to := t.TempDir(), t.TempDir()
	for name, pieces := range sparseFiles() {
		makeSparse(t, filepath.Join(from, name), pieces[0].offset, pieces[1:]...)
	}
	w.backUpTree(from)
	all := w.snapshots()
	s := all[len(all)-1]
	pages := 0
	tr, _ := w.pagesOf(s, &pages)
	stored := int64(0)
	for node, err := range tr.All(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range node.Chunks {
			if !c.IsHole() {
				stored += int64(c.Length)
			}
		}
	}
	if stored > 80<<20 {
		t.Errorf("%d bytes are listed as stored", stored)
	}
	w.bringBack(to, restore.Options{Verify: true})
	for name := range sparseFiles() {
		wantSize, want := dataIn(t, filepath.Join(from, name))
		gotSize, got := dataIn(t, filepath.Join(to, name))
		if gotSize != wantSize || !slices.EqualFunc(got, want, func(a, b piece) bool { return a.offset == b.offset && bytes.Equal(a.data, b.data) }) {
			t.Errorf("%s: got %d bytes with %d pieces, want %d with %d", name, gotSize, len(got), wantSize, len(want))
		}
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(to, name), &st); err != nil || st.Blocks*512 > 16<<20 {
			t.Errorf("%s takes %d bytes of the disk, %v", name, st.Blocks*512, err)
		}
	}
	w.check()
}

// listOf is the chunk list of a file of the last snapshot, with chunks of zeros in the place of
// holes.
func (w *world) listOf(name string, zeroChunk uint32) (list []archive.Chunk, holes int) {
	w.t.Helper()
	all := w.snapshots()
	s := all[len(all)-1]
	f, err := fetch.New(w.reader(), s.Domain, fetch.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	node, err := tree.Open(s.Sources[0].Root, f.Pages(), tree.OpenOptions{}).Lookup(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	zero := archive.Chunk{ID: f.IDs.Sum(make([]byte, zeroChunk)), Length: zeroChunk}
	for _, c := range node.Chunks {
		switch {
		case !c.IsHole():
			list = append(list, archive.Chunk{ID: c.ID, Length: c.Length})
		case c.Length%zeroChunk != 0:
			w.t.Errorf("%s: a hole of %d bytes is no number of chunks of zeros", name, c.Length)
		default:
			holes++
			for range c.Length / zeroChunk {
				list = append(list, zero)
			}
		}
	}
	return list, holes
}

func TestAHoleStandsForTheChunksThatItsZerosWouldBe(t *testing.T) {
	w := newWorld(t)
	from := t.TempDir()
	data := randomBytes(3_000_001, 3)
	makeSparse(t, from+"/sparse", 45<<20+777, piece{3 << 20, data}, piece{30<<20 + 5, data[:2_000_000]})
	dense, err := os.ReadFile(from + "/sparse")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(from+"/dense", dense, 0o600); err != nil {
		t.Fatal(err)
	}
	w.backUpTree(from)
	sparseList, holes := w.listOf("sparse", 1<<20)
	denseList, none := w.listOf("dense", 1<<20)
	if holes != 2 || none != 0 || !slices.Equal(sparseList, denseList) {
		t.Errorf("%d holes stand in a list of %d chunks, want 2 in the %d of the dense file, and the same", holes, len(sparseList), len(denseList))
	}
	w.check()
}

func TestWhatIsNoHoleAnyMoreIsSeen(t *testing.T) {
	w := newWorld(t)
	from, to := t.TempDir(), t.TempDir()
	makeSparse(t, from+"/f", tebibyte, piece{10 << 30, []byte("data")})
	w.backUpTree(from)
	for name, spoil := range map[string]func(f *os.File) error{
		"a byte in a hole": func(f *os.File) error { _, err := f.WriteAt([]byte{1}, 700<<30); return err },
		"a byte at its end": func(f *os.File) error {
			_, err := f.WriteAt([]byte{1}, tebibyte-1)
			return err
		},
		"shorter": func(f *os.File) error { return f.Truncate(tebibyte - 1) },
		"longer":  func(f *os.File) error { return f.Truncate(tebibyte + 1) },
		"nothing": func(*os.File) error { return nil },
	} {
		w.bringBack(to, restore.Options{})
		f, err := os.OpenFile(to+"/f", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		before, err := f.Stat()
		if err := cmp.Or(err, spoil(f), f.Close(), os.Chtimes(to+"/f", before.ModTime(), before.ModTime())); err != nil {
			t.Fatal(err)
		}
		updated := false
		w.bringBack(to, restore.Options{Overwrite: restore.OverwriteIfChanged, Verify: true, Plan: func(e *entry.Entry, action restore.Action) {
			updated = updated || e.Path == "f" && action == restore.ActionUpdate
		}})
		if want := name != "nothing"; updated != want {
			t.Errorf("%s: the file is written anew: %v, want %v", name, updated, want)
		}
		if size, got := dataIn(t, to+"/f"); size != tebibyte || len(got) != 1 || got[0].offset != 10<<30 || string(got[0].data) != "data" {
			t.Errorf("%s: got %d bytes and %v", name, size, got)
		}
	}
	w.check()
}

func TestHolesAreWrittenWhereATargetIsWrittenInOrder(t *testing.T) {
	w := newWorld(t)
	from := t.TempDir()
	makeSparse(t, from+"/f", 30<<20, piece{20 << 20, []byte("data")})
	w.backUpTree(from)
	to := newTarget()
	to.traits = target.Traits{Sequential: true, Parallel: 1}
	all := w.snapshots()
	if _, err := w.restoreTo(to, all[len(all)-1], 0, restore.Options{Verify: true}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(from + "/f")
	if err != nil || to.files["f"] == nil || !bytes.Equal(to.files["f"].content, want) {
		t.Errorf("what came back differs, %v", err)
	}
	w.check()
}

// endless is a file of nothing but zeros that is longer than any list of holes.
type endless struct{ at int64 }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.at += int64(len(p))
	return len(p), nil
}
func (e *endless) Zeros() int64              { return math.MaxInt64 - e.at }
func (e *endless) Skip(n int64)              { e.at += n }
func (e *endless) Finish(*entry.Entry) error { return nil }
func (e *endless) Close() error              { return nil }

// endlessSource gives that for every file.
type endlessSource struct{ *files.Source }

func (s endlessSource) Open(context.Context, *entry.Entry) (source.File, error) {
	return &endless{}, nil
}

func TestAFileOfMoreHolesThanAListHoldsIsMissedAndTheRestIsThere(t *testing.T) {
	w := newWorld(t)
	from := t.TempDir()
	if err := os.WriteFile(from+"/f", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var problems []string
	o := backup.Options{Set: "set", Host: "host", Problem: func(path string, err error) { problems = append(problems, path+": "+err.Error()) }}
	o.Jobs = []backup.Job{{Name: "files", Type: "files", Location: from, Open: func(context.Context) (source.Source, error) {
		s, err := files.New(files.Options{Roots: []string{from}})
		return endlessSource{s}, err
	}}}
	s, err := w.backup(w.store, o)
	if err != nil || s.Complete() || len(problems) != 1 || !strings.Contains(problems[0], "f: it has holes of more than") {
		t.Errorf("got %v and the problems %q", err, problems)
	}
	w.check()
}
