package pipeline_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
)

// unknownIn lists what a snapshot does not know, by path, with the reason.
func (w *world) unknownIn(s *catalog.Snapshot) map[string]entry.Reason {
	w.t.Helper()
	fetcher, err := fetch.New(w.reader(), s.Domain, fetch.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	unknown := map[string]entry.Reason{}
	for n, err := range tree.Open(s.Sources[0].Root, fetcher.Pages(), tree.OpenOptions{Marks: true}).All(w.t.Context(), "") {
		if err != nil {
			w.t.Fatal(err)
		}
		if n.Unknown != entry.Captured {
			unknown[n.Path] = n.Unknown
		}
	}
	return unknown
}

func TestWhatAWalkCannotReadIsMarked(t *testing.T) {
	w := newWorld(t)
	src := randomSource(2, 100, 1)
	src.problems = map[string]error{"secret": errors.New("permission denied")}
	if got, want := w.unknownIn(w.mustBackup(src)), map[string]entry.Reason{"secret": entry.Unreadable}; !maps.Equal(got, want) {
		t.Errorf("got the marks %v, want %v: a restore with --delete would remove it", got, want)
	}
	w.check()
}

func TestABackupMarksWhatItDoesNotKnow(t *testing.T) {
	w := newWorld(t)
	s := newSource()
	s.left = map[string]entry.Reason{}
	want := map[string]entry.Reason{}
	for i := range 1000 { // so that each place in a batch of entries has its turn
		dir := fmt.Sprintf("d%03d", i)
		s.add(dir, nil).Type = entry.Directory
		why := []entry.Reason{entry.Unreadable, entry.Excluded, entry.OtherFileSystem}[i%3]
		switch i % 4 {
		case 0:
			s.left[dir], want[dir] = why, why
		case 1:
			s.left[dir+"/left"], want[dir+"/left"] = why, why
		case 2:
			s.add(dir+"/file", []byte(dir)).open, want[dir+"/file"] = errors.New("it cannot be read"), entry.Unreadable
		}
	}
	s.left["zz/last"], want["zz/last"] = entry.Excluded, entry.Excluded
	first := w.mustBackup(s)
	if got := w.unknownIn(first); !maps.Equal(got, want) {
		t.Fatalf("got %d marks %v, want %d", len(got), got, len(want))
	}
	if c := first.Sources[0].Coverage; c.Files != 0 || c.Directories != 1000 || c.Missed != 250 || !first.Sources[0].Marks {
		t.Errorf("counted %+v, marks %v, want no file, 1000 directories, 250 missed", c, first.Sources[0].Marks)
	}

	again := w.mustBackup(s.clone())
	if got := w.unknownIn(again); !maps.Equal(got, want) {
		t.Errorf("a second time: got %d marks, want %d", len(got), len(want))
	}
	if got, was := again.Sources[0].Root, first.Sources[0].Root; got.Entries != was.Entries || len(got.Runs) != len(was.Runs) || got.Runs[0].Top.ID != was.Runs[0].Top.ID {
		t.Errorf("a second time: the tree is another one, %+v instead of %+v", got, was)
	}

	readable := s.clone()
	readable.left = map[string]entry.Reason{"d000": entry.Excluded}
	for _, f := range readable.files {
		f.open = nil
	}
	if got := w.unknownIn(w.mustBackup(readable)); !maps.Equal(got, readable.left) {
		t.Errorf("where all can be read but d000: got the marks %v", got)
	}
	w.same(0, onlyFiles(readable))
	maps.DeleteFunc(want, func(path string, _ entry.Reason) bool { return strings.HasSuffix(path, "/file") }) // known by now
	if got := w.unknownIn(w.mustBackup(s.clone())); !maps.Equal(got, want) {
		t.Errorf("and left out again: got %d marks, want %d", len(got), len(want))
	}
	w.check()
}

// onlyFiles is a source without its directories, which a target in memory does not keep.
func onlyFiles(s *fakeSource) *fakeSource {
	s = s.clone()
	maps.DeleteFunc(s.files, func(_ string, f *fakeFile) bool { return f.Type == entry.Directory })
	return s
}

// TestWhatASourceTellsOutOfOrderIsNoMark: a source that has no paths, as that of a database, tells
// its losses when it likes.
func TestWhatASourceTellsOutOfOrderIsNoMark(t *testing.T) {
	w := newWorld(t)
	s := newSource()
	for _, path := range []string{"a", "b", "m"} {
		s.add(path, []byte(path))
	}
	s.problems = map[string]error{"a": errors.New("lost"), "c": errors.New("lost"), "m": errors.New("lost")}
	if got := w.unknownIn(w.mustBackup(s)); len(got) != 0 {
		t.Errorf("got the marks %v, want none", slices.Collect(maps.Keys(got)))
	}
	w.same(0, s)
	w.check()
}
