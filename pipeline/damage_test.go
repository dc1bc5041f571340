package pipeline_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
)

// collects admits a collector and has it decide about all packs that are there.
func (w *world) collects(t testing.TB, kind string, number int) {
	t.Helper()
	collector := signer(t, fmt.Sprintf("collector%d", number))
	err := w.reader().Change(t.Context(), w.owner, func(c *catalog.Config) error {
		c.Collectors = append(c.Collectors, catalog.Member{Key: collector.Verifier().Text()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var packs []string
	for _, prefix := range []string{"packs/", "trees/"} {
		for info := range w.store.List(t.Context(), prefix, "") {
			packs = append(packs, info.Name[strings.LastIndexByte(info.Name, '/')+1:])
		}
	}
	name := fmt.Sprintf("gc/%010d/%s", number, kind)
	body, err := json.Marshal(map[string]any{"kind": kind, "number": number, "packs": packs})
	if err != nil {
		t.Fatal(err)
	}
	data, err := collector.Sign(w.writer.Repository, name, append(body, '\n'))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Put(t.Context(), name, data, sha256.Sum256(data)); err != nil {
		t.Fatal(err)
	}
}

func TestUnchangedFilesInCondemnedPacksAreReadAndStoredAgain(t *testing.T) {
	w := newWorld(t)
	src := randomSource(6, 20_000, 1)
	w.mustBackup(src)
	old := w.snapshots()[0]
	w.collects(t, "condemn", 1)
	o := w.options(src)
	o.Progress = new(pipeline.Progress)
	if _, err := w.backup(w.store, o); err != nil {
		t.Fatal(err)
	}
	if n := o.Progress.ChunksNew.Load(); n != 6 {
		t.Errorf("%d chunks were stored again, want 6", n)
	}
	w.deletePacksOf(old)
	w.same(0, src)
}

// deletePacksOf deletes everything that a snapshot needs.
func (w *world) deletePacksOf(s *catalog.Snapshot) {
	w.t.Helper()
	repo, log := w.logOf(w.store)
	refs, err := repo.LoadRefs(w.t.Context(), log.Find(s.ID).Refs)
	if err != nil {
		w.t.Fatal(err)
	}
	for ref := range refs.All() {
		if err := w.store.Delete(w.t.Context(), ref.Kind.Object(ref.Name)); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestABackupWhosePacksAreCondemnedMeanwhileBeginsAgain(t *testing.T) {
	w := newWorld(t)
	src := randomSource(12, 20_000, 1)
	w.mustBackup(src)
	old := w.snapshots()[0]
	f := &storetest.Faulty{Store: w.store}
	now := src.clone()
	for i := range 6 {
		now.add(fmt.Sprintf("new%d", i), randomBytes(20_000, 77+uint64(i)))
	}
	now.add("zlast", randomBytes(20_000, 99))
	reading := now.clone()
	condemned := false
	untilRecord(reading.files["zlast"], f)
	reading.files["new4"].reading = func(ctx context.Context) {
		if !condemned { // after the session has read gc, before its first checkpoint
			condemned = true
			w.collects(t, "condemn", 1)
		}
	}
	o := w.options(reading)
	o.Publish = 1
	if _, err := w.backup(f, o); err != nil {
		t.Fatal(err)
	}
	w.deletePacksOf(old)
	w.same(0, now)
}

func TestAnyFlippedByteIsFoundAndNothingWrongComesBack(t *testing.T) {
	w := newWorld(t)
	src := randomSource(3, 2000, 1)
	src.add("text", bytes.Repeat([]byte("a line of text\n"), 200))
	w.mustBackup(src)
	src.change("dir/file001.bin", randomBytes(1500, 8))
	w.mustBackup(src)
	w.check()
	tested := 0
	for info := range w.store.List(t.Context(), "", "") {
		data, err := w.store.Get(t.Context(), info.Name, 0, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range positions(len(data)) {
			tested++
			damaged := *w
			damaged.store = w.store.Clone()
			changed := bytes.Clone(data)
			changed[at] ^= 0x10
			damaged.store.Set(info.Name, changed)
			damaged.findsDamage(info.Name, at, src)
		}
	}
	t.Logf("%d flipped bytes", tested)
}

// findsDamage fails the test unless the repository is refused or its check finds something, and if
// anything wrong is restored.
func (w *world) findsDamage(object string, at int, want *fakeSource) {
	w.t.Helper()
	repo, err := catalog.Open(w.t.Context(), w.store, catalog.Options{Keys: catalog.Keys{Identities: w.identity}})
	if err != nil {
		return
	}
	report, err := check.Run(w.t.Context(), repo, check.Options{ReadData: true})
	if err != nil || len(report.Findings) == 0 {
		w.t.Errorf("byte %d of %s: check found nothing (%v)", at, object, err)
	}
	log, err := repo.ReadLog(w.t.Context())
	if err != nil {
		return
	}
	all, err := repo.Snapshots(w.t.Context(), log)
	if err != nil || len(all) == 0 {
		return
	}
	s := all[len(all)-1]
	fetcher, err := fetch.New(repo, s.Domain, fetch.Options{})
	if err != nil {
		return
	}
	to := newTarget()
	opened := tree.Open(s.Sources[0].Root, fetcher.Pages(), tree.OpenOptions{})
	if _, err := restore.New(opened, fetcher, to, restore.Options{}).Run(w.t.Context()); err != nil {
		return
	}
	older := all[0].ID == s.ID // the newer commit is the damaged object
	for path, f := range to.files {
		if !older && !bytes.Equal(f.content, want.files[path].content) {
			w.t.Errorf("byte %d of %s: wrong bytes were restored to %s", at, object, path)
		}
	}
}

func TestARestoreFindsChunksWithoutIndexAndAtOtherPlaces(t *testing.T) {
	w := newWorld(t)
	src := randomSource(4, 5000, 1)
	w.mustBackup(src)
	for info := range w.store.List(t.Context(), "index/", "") {
		if err := w.store.Delete(t.Context(), info.Name); err != nil {
			t.Fatal(err)
		}
	}
	w.same(0, src) // by the places in the tree
	// Another copy of all data, in other packs; then the first is lost.
	repo := w.reader()
	first := w.snapshots()[0]
	o := w.options(src)
	w.cache, o.Force = t.TempDir(), true
	if _, err := w.backup(w.store, o); err != nil {
		t.Fatal(err)
	}
	refs, err := repo.LoadRefs(t.Context(), w.recordOf(first).Refs)
	if err != nil {
		t.Fatal(err)
	}
	for ref := range refs.All() {
		if ref.Kind == archive.Data {
			_ = w.store.Delete(t.Context(), ref.Kind.Object(ref.Name))
		}
	}
	for info := range w.store.List(t.Context(), "index/", "") {
		_ = w.store.Delete(t.Context(), info.Name)
	}
	to := newTarget()
	if _, err := w.restoreTo(to, first, 0, restore.Options{Problem: func(path string, err error) { t.Errorf("%s: %v", path, err) }}); err != nil {
		t.Fatal(err)
	}
	if diff := src.differs(to); diff != "" {
		t.Error(diff)
	}
}

func (w *world) recordOf(s *catalog.Snapshot) *catalog.Record {
	_, log := w.logOf(w.store)
	return log.Find(s.ID)
}

func TestARolledBackStorageMakesASnapshotAndSaysSo(t *testing.T) {
	w := newWorld(t)
	src := randomSource(4, 5000, 1)
	w.mustBackup(src)
	old := w.store.Clone()
	w.mustBackup(src)
	w.store = old
	s, err := w.backup(w.store, w.options(src))
	if s == nil || !errors.Is(err, catalog.ErrRolledBack) {
		t.Fatalf("got %v, %v; want a snapshot and %v", s, err, catalog.ErrRolledBack)
	}
	w.mustBackup(src)
	w.check()
	w.same(0, src)
}

func TestADamagedIndexRunStopsNoBackup(t *testing.T) {
	w := newWorld(t)
	src := randomSource(4, 5000, 1)
	w.mustBackup(src)
	for info := range w.store.List(t.Context(), "index/", "") {
		w.store.Set(info.Name, []byte("damaged"))
	}
	w.cache = t.TempDir()
	w.mustBackup(src)
	w.same(0, src)
}
