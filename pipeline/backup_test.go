package pipeline_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
)

func TestADryRunPutsNothingAndCountsWhatABackupWould(t *testing.T) {
	w := newWorld(t)
	src := randomSource(5, 20_000, 1)
	w.mustBackup(src)
	src.add("new", randomBytes(10_000, 9))
	src.add("same as new", randomBytes(10_000, 9))
	f := &storetest.Faulty{Store: w.store}
	o := w.options(src)
	o.DryRun, o.Progress = true, new(pipeline.Progress)
	s, err := w.backup(f, o)
	if err != nil {
		t.Fatal(err)
	}
	if n := f.Count(storetest.Put); n != 0 {
		t.Errorf("a dry run put %d objects", n)
	}
	c := s.Sources[0].Coverage
	if c.Files != 7 || c.New != 2 || c.Unmodified != 5 {
		t.Errorf("counted %+v, want 7 files, 2 of them new", c)
	}
	if n, b := o.Progress.ChunksNew.Load(), o.Progress.BytesNew.Load(); n != 1 || b != 10_000 {
		t.Errorf("%d new chunks of %d bytes, want 1 of 10000", n, b)
	}
	w.mustBackup(src)
	w.check()
	w.same(0, src)
}

func TestVerifyFindsWhatTheTargetHasSpoiled(t *testing.T) {
	w := newWorld(t)
	w.mustBackup(randomSource(3, 20_000, 1))
	spoiled, longer := newTarget(), newTarget()
	spoiled.spoil, longer.longer = true, true
	for what, to := range map[string]*fakeTarget{"other bytes": spoiled, "more bytes": longer} {
		var told error
		result, err := w.restoreTo(to, w.snapshots()[0], 0, restore.Options{Verify: true, Problem: func(_ string, err error) { told = err }})
		if err != nil {
			t.Fatal(err)
		}
		if result.Failed != 3 || result.Restored != 0 || !errors.Is(told, restore.ErrMismatch) {
			t.Errorf("%s: %d failed, %d restored, told %v; want 3 mismatches", what, result.Failed, result.Restored, told)
		}
	}
	w.check()
}

func TestASourceThatFailsMakesNoSnapshot(t *testing.T) {
	for _, failure := range []error{source.ErrFailed, source.ErrUnreachable} {
		w := newWorld(t)
		src := randomSource(5, 20_000, 1)
		src.failWalk = failure
		if _, err := w.backup(w.store, w.options(src)); !errors.Is(err, failure) {
			t.Errorf("got %v, want %v", err, failure)
		}
		if n := len(w.snapshots()); n != 0 {
			t.Errorf("%d snapshots after %v", n, failure)
		}
		w.check()
	}
}

func TestAFileWhoseMetadataCannotBeReadKeepsItsContent(t *testing.T) {
	w := newWorld(t)
	src := randomSource(3, 5000, 1)
	src.files["dir/file001.bin"].detail = errors.New("xattrs: permission denied")
	s, err := w.backup(w.store, w.options(src))
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Sources[0].Coverage; c.Missed != 1 || c.Files != 3 {
		t.Errorf("coverage %+v, want 3 files, 1 problem", c)
	}
	w.check()
	w.same(0, src)
}

func TestAFileThatCannotBeReadIsLeftOutAndTheRestKept(t *testing.T) {
	w := newWorld(t)
	src := randomSource(4, 5000, 1)
	src.files["dir/file001.bin"].open = errors.New("permission denied")
	src.problems = map[string]error{"secret": errors.New("permission denied")}
	s, err := w.backup(w.store, w.options(src))
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Sources[0].Coverage; c.Missed != 2 || c.Files != 3 || s.Complete() {
		t.Errorf("coverage %+v, want 3 files, 2 problems", c)
	}
	delete(src.files, "dir/file001.bin")
	w.check()
	w.same(0, src)
}

func TestContentThatChangesWhileItIsReadIsMarkedAndReadAgain(t *testing.T) {
	w := newWorld(t)
	src := randomSource(3, 5000, 1)
	restless := src.files["dir/file001.bin"]
	restless.finish = source.ErrChanged
	s := w.mustBackup(src)
	if c := s.Sources[0].Coverage; c.Missed != 1 || c.Files != 3 || s.Complete() {
		t.Errorf("coverage %+v, complete is %v, want 3 files, 1 problem", c, s.Complete())
	}
	to := w.restore(0, restore.Options{})
	if !to.files["dir/file001.bin"].Fuzzy || to.files["dir/file000.bin"].Fuzzy {
		t.Error("the mark of fuzzy content is not in the tree")
	}
	restless.finish, *restless.reads = nil, 0
	w.mustBackup(src)
	if *restless.reads != 1 {
		t.Errorf("fuzzy content was read %d times by the next backup, want 1", *restless.reads)
	}
	w.check()
	w.same(0, src)
}

func TestNamesOfOneFileStayTogetherWhenTheDeviceIsNumberedAnew(t *testing.T) {
	w := newWorld(t)
	src := newSource()
	for _, path := range []string{"a", "b"} {
		f := src.add(path, randomBytes(3000, 1))
		f.Links, f.Inode, f.Device, f.ModTime = 3, 7, 1, entry.NanoTime(5)
	}
	w.mustBackup(src)
	c := src.add("c", randomBytes(3000, 1)) // a name that was excluded before
	c.Links, c.Inode, c.ModTime = 3, 7, entry.NanoTime(5)
	for _, f := range src.files {
		f.Device = 2
	}
	reads := *src.files["a"].reads
	w.mustBackup(src)
	if got := *src.files["a"].reads - reads + *c.reads; got != 0 {
		t.Errorf("%d reads of content that the last tree has", got)
	}
	to := w.restore(0, restore.Options{})
	if to.links["b"] != "a" || to.links["c"] != "a" {
		t.Errorf("links %v, want b and c to be names of a", to.links)
	}
	w.check()
	w.same(0, src)
}

// Some file systems make numbers up, and give one to two files.
func TestFilesOfOneNumberKeepTheContentOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	src := newSource()
	for i, path := range []string{"a", "b"} {
		f := src.add(path, randomBytes(3000+i, uint64(i)))
		f.Links, f.Inode, f.Device = 2, 7, 1
	}
	w.mustBackup(src)
	w.check()
	w.same(0, src)
}

func TestSeveralSourcesAreOneSnapshot(t *testing.T) {
	w := newWorld(t)
	a, b := randomSource(3, 5000, 1), randomSource(3, 5000, 2)
	w.mustBackup(a, b)
	b.change("dir/file000.bin", randomBytes(100, 9))
	if s := w.mustBackup(a, b); len(s.Sources) != 2 || s.Sources[0].Coverage.Unmodified != 3 || s.Sources[1].Coverage.Unmodified != 2 {
		t.Errorf("%+v", s.Sources)
	}
	w.check()
	w.same(0, a)
	w.same(1, b)
}

func TestABackupNeedsNoCache(t *testing.T) {
	w := newWorld(t)
	w.cache = ""
	src := randomSource(20, 5000, 1)
	w.mustBackup(src)
	objects := w.objects("trees/")
	o := w.options(src)
	o.Progress = new(pipeline.Progress)
	if _, err := w.backup(w.store, o); err != nil {
		t.Fatal(err)
	}
	if n := o.Progress.ChunksNew.Load(); n != 0 {
		t.Errorf("%d chunks were stored again", n)
	}
	if now := w.objects("trees/"); now != objects {
		t.Errorf("the same tree was stored again: %d tree packs, before %d", now, objects)
	}
	w.check()
	w.same(0, src)
}

func (w *world) objects(prefix string) (n int) {
	for range w.store.List(w.t.Context(), prefix, "") {
		n++
	}
	return n
}

func TestADamagedPageOfTheCacheCostsAReadAndNothingElse(t *testing.T) {
	w := newWorld(t)
	src := randomSource(20, 500, 1)
	w.mustBackup(src)
	w.spoilCache(".pages")
	src.change("dir/file003.bin", randomBytes(700, 5))
	w.mustBackup(src)
	w.check()
	w.same(0, src)
}

func TestASecondWriterReusesWhatTheFirstHasPublishedMeanwhile(t *testing.T) {
	w := newWorld(t)
	src := randomSource(12, 20_000, 1)
	f := &storetest.Faulty{Store: w.store}
	first := src.clone()
	second := src.clone()
	var otherErr error
	o2 := w.options(second)
	o2.Set, o2.Progress = "other", new(pipeline.Progress)
	waits := first.files["dir/file011.bin"]
	untilRecord(waits, f)
	published := waits.reading
	once := false
	waits.reading = func(ctx context.Context) {
		published(ctx)
		if !once {
			once = true
			_, otherErr = w.backup(w.store, o2)
		}
	}
	o := w.options(first)
	o.Publish = time.Millisecond
	if _, err := w.backup(f, o); err != nil || otherErr != nil {
		t.Fatal(err, otherErr)
	}
	if n := o2.Progress.ChunksNew.Load(); n > 9 {
		t.Errorf("the second stored %d of 12 chunks", n)
	}
	lanes := map[string]bool{}
	for info := range w.store.List(t.Context(), "log/", "") {
		lanes[info.Name[:strings.LastIndexByte(info.Name, '/')]] = true
	}
	if len(lanes) != 2 {
		t.Errorf("runs at the same time used lanes %v, want 2", lanes)
	}
	w.check()
	w.same(0, src)
}

func TestAnUnchangedBackupTakesFewRequests(t *testing.T) {
	w := newWorld(t)
	src := randomSource(50, 500, 1)
	w.mustBackup(src)
	w.mustBackup(src)
	w.requests("an unchanged backup", 9, func(s store.Store) {
		if _, err := w.backup(s, w.options(src)); err != nil {
			t.Fatal(err)
		}
	})
	w.requests("the snapshots on a new machine", 5+3, func(s store.Store) {
		repo, log := w.logOf(s)
		if _, err := repo.Snapshots(t.Context(), log); err != nil {
			t.Fatal(err)
		}
	})
	w.requests("a file on a new machine", 12, // where pages end depends on a random key
		func(s store.Store) {
			w.restoreOne(s, "dir/file007.bin")
		})
	w.check()
}

// requests fails the test if do makes another number of requests.
func (w *world) requests(what string, want int64, do func(s store.Store)) {
	w.t.Helper()
	counted := count.New(w.store)
	do(counted)
	n := counted.Totals()
	if got := n.Put.Calls + n.Get.Calls + n.List.Calls + n.Delete.Calls; got > want {
		w.t.Errorf("%s took %d requests, want at most %d: %+v", what, got, want, n)
	}
}

func (w *world) logOf(s store.Store) (*catalog.Repository, *catalog.Log) {
	w.t.Helper()
	repo, err := catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Identities: w.identity}})
	if err != nil {
		w.t.Fatal(err)
	}
	log, err := repo.ReadLog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return repo, log
}

// restoreOne brings one file of the last snapshot back through s.
func (w *world) restoreOne(s store.Store, path string) {
	w.t.Helper()
	repo, log := w.logOf(s)
	all, err := repo.Snapshots(w.t.Context(), log)
	if err != nil {
		w.t.Fatal(err)
	}
	last := all[len(all)-1]
	fetcher, err := fetch.New(repo, last.Domain, fetch.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	match, err := restore.NewMatch(path, nil, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	to := newTarget()
	t := tree.Open(last.Sources[0].Root, fetcher.Pages(), tree.OpenOptions{})
	if _, err := restore.New(t, fetcher, to, restore.Options{Include: match}).Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if len(to.files) != 1 || to.files[path] == nil {
		w.t.Errorf("restored %d files, want %s", len(to.files), path)
	}
}

// spoilCache flips a byte in the middle of every file of the cache whose name ends so.
func (w *world) spoilCache(suffix string) {
	w.t.Helper()
	err := filepath.WalkDir(w.cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			return err
		}
		data[len(data)/2] ^= 1
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
