package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target/directory"
)

func TestDeleteSparesDirectoriesOfWhichATreeKnowsOnlyWhatIsInThem(t *testing.T) {
	w := newWorld(t)
	s := newSource() // as a listing of objects: it has no directories
	s.add("a/b/keep", []byte("keep"))
	s.add("top", []byte("top"))
	snapshot := w.mustBackup(s)
	root := t.TempDir()
	for _, name := range []string{"a/b/extra", "other/extra"} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	to, err := directory.New(root, directory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.restoreTo(to, snapshot, 0, restore.Options{Delete: true}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a/b/keep": true, "top": true, "a/b/extra": false, "other": false} {
		_, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name)))
		if got := err == nil; got != want {
			t.Errorf("%s is there: %v, want %v", name, got, want)
		}
	}
	w.check()
}

// pagesOf opens a source of a snapshot and counts the pages that are loaded.
func (w *world) pagesOf(s *catalog.Snapshot, pages *int) (*tree.Tree, *fetch.Fetcher) {
	w.t.Helper()
	fetcher, err := fetch.New(w.reader(), s.Domain, fetch.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	load := fetcher.Pages()
	return tree.Open(s.Sources[0].Root, func(ctx context.Context, want []archive.Chunk, each func(int, []byte) error) error {
		*pages += len(want)
		return load(ctx, want, each)
	}, tree.OpenOptions{}), fetcher
}

func TestAPartComesBackWithoutReadingTheRestOfTheTree(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	w := newWorld(t)
	s := newSource()
	for i := range 60000 {
		s.add(fmt.Sprintf("dir%02d/file%05d", i/1000, i), []byte{byte(i)})
	}
	s.add("dir07", nil).Type = entry.Directory
	snapshot := w.mustBackup(s)

	all, part := 0, 0
	whole, fetcher := w.pagesOf(snapshot, &all)
	if _, err := restore.New(whole, fetcher, newTarget(), restore.Options{DryRun: true}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	few, fetcher := w.pagesOf(snapshot, &part)
	to := newTarget()
	if _, err := restore.New(few, fetcher, to, restore.Options{Below: "dir07/file07123"}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(to.files) != 1 || to.files["dir07/file07123"] == nil {
		t.Errorf("restored %d files, want dir07/file07123 alone", len(to.files))
	}
	if part*4 > all {
		t.Errorf("one file of 60000 took %d pages, all of them %d", part, all)
	}
	w.check()
}

func TestContentIsReadInOrderAcrossBatches(t *testing.T) {
	w := newWorld(t)
	s := randomSource(300, 9000, 1)
	s.add("dir/empty", nil)
	s.add("large", randomBytes(20<<20, 7))
	o := w.options(s)
	o.PackSize = 1 << 20
	snapshot, err := w.backup(w.store, o)
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	all, fetcher := w.pagesOf(snapshot, &pages)
	got, now := map[string]*bytes.Buffer{}, ""
	var order []string
	err = fetcher.InOrder(t.Context(), all.All(t.Context(), ""), fetch.Reading{
		Begin: func(n *tree.Node) error {
			now = n.Path
			order = append(order, now)
			got[now] = new(bytes.Buffer)
			return nil
		},
		Data: func(data []byte) error {
			got[now].Write(data)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(order, entry.ComparePaths) || len(order) != len(s.files) {
		t.Errorf("%d nodes came in the order %q, want %d, sorted", len(order), order, len(s.files))
	}
	for path, f := range s.files {
		if content := got[path]; content == nil || !bytes.Equal(content.Bytes(), f.content) {
			t.Errorf("%s: its content differs", path)
		}
	}
	w.check()
}

func TestReadingInOrderNamesWhatIsDamagedAndEndsAtAnError(t *testing.T) {
	w := newWorld(t)
	w.mustBackup(randomSource(20, 9000, 1))
	for info := range w.store.List(t.Context(), "packs/", "") {
		w.store.Delete(t.Context(), info.Name)
	}
	s := randomSource(20, 9000, 1)
	s.add("dir/zz", []byte("a file of its own"))
	snapshot := w.mustBackup(s)
	pages := 0
	all, fetcher := w.pagesOf(snapshot, &pages)
	ignore := fetch.Reading{Begin: func(*tree.Node) error { return nil }, Data: func([]byte) error { return nil }}
	err := fetcher.InOrder(t.Context(), all.All(t.Context(), ""), ignore)
	if !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "dir/file000.bin") {
		t.Errorf("got %v, want that dir/file000.bin is damaged", err)
	}
	full := errors.New("full")
	ignore.Begin = func(*tree.Node) error { return full }
	if err := fetcher.InOrder(t.Context(), all.Below(t.Context(), "dir/zz"), ignore); !errors.Is(err, full) {
		t.Errorf("got %v, want the error of who reads", err)
	}
}

func TestACheckWithoutAnyKeyFindsNothingWrongAndSaysWhatItCannotSee(t *testing.T) {
	w := newWorld(t)
	w.mustBackup(randomSource(5, 9000, 1))
	repo, err := catalog.Open(t.Context(), w.store, catalog.Options{Keys: catalog.Keys{Pins: catalog.Pins{Owners: w.identity.Owners}}})
	if err != nil {
		t.Fatal(err)
	}
	report, err := check.Run(t.Context(), repo, check.Options{ReadData: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) > 0 || report.Unused > 0 {
		t.Errorf("findings %v and %d unused packs, want none", report.Findings, report.Unused)
	}
	if len(report.Unchecked) == 0 || report.PacksRead == 0 {
		t.Errorf("left out %q and read %d packs, want both", report.Unchecked, report.PacksRead)
	}
}
