package pipeline_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/copy"
	"github.com/packstone/packstone/pipeline/fetch"
)

// sharing is another repository of other keys that names content as w does.
func (w *world) sharing() *world {
	w.t.Helper()
	other := newWorldOf(w.t, true)
	other.store = memory.New()
	recipient, err := crypto.RecipientOf(other.identity.Identities[0])
	if err != nil {
		w.t.Fatal(err)
	}
	other.writer, err = catalog.Init(w.t.Context(), other.store, other.owner, signer(w.t, "host"), []age.Recipient{recipient}, &w.writer.Domain, catalog.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	other.identity.Owners = []crypto.OwnerPin{{Repository: other.writer.Repository, Owner: other.owner.Verifier()}}
	return other
}

// copying is a copy from one world to another, and what became of it.
type copying struct {
	from, to         *world
	source, sink     store.Store // where they are read and written
	o                copy.Options
	copied, failures []string
}

func (w *world) copyTo(to *world) *copying {
	return &copying{from: w, to: to, source: w.store, sink: to.store}
}

// run copies all that is missing.
func (c *copying) run() error {
	ctx := c.from.t.Context()
	from, err := catalog.Open(ctx, c.source, catalog.Options{Keys: catalog.Keys{Identities: c.from.identity}})
	if err != nil {
		return err
	}
	to, err := c.to.open(c.sink)
	if err != nil {
		return err
	}
	log, err := from.ReadLog(ctx)
	if err != nil {
		return err
	}
	all, err := from.Snapshots(ctx, log)
	if err != nil {
		return err
	}
	o := c.o
	o.Write.PackSize, o.Write.Concurrency = cmp.Or(o.Write.PackSize, 1<<20), 2
	o.Done = func(s *catalog.Snapshot, _ archive.Name) { c.copied = append(c.copied, s.ID.String()) }
	o.Failed = func(s *catalog.Snapshot, err error) { c.failures = append(c.failures, err.Error()) }
	copier, err := copy.New(from, to, all, o)
	if err != nil {
		return err
	}
	plan, err := copier.Plan(ctx, all)
	if err != nil {
		return err
	}
	return copier.Run(ctx, plan.Missing)
}

func (c *copying) mustRun(want int) {
	c.from.t.Helper()
	c.copied = nil
	if err := c.run(); err != nil || len(c.failures) > 0 {
		c.from.t.Fatalf("copy: %v, failed %q", err, c.failures)
	}
	if len(c.copied) != want {
		c.from.t.Fatalf("%d snapshots were copied, want %d", len(c.copied), want)
	}
}

// contents says of every node of a snapshot what it is, whatever its chunks are called.
func (w *world) contents(s *catalog.Snapshot) map[string]string {
	w.t.Helper()
	fetcher, err := fetch.New(w.reader(), s.Domain, fetch.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]string{}
	for i := range s.Sources {
		root := s.Sources[i].Root
		for n, err := range tree.Open(root, fetcher.Pages(), tree.OpenOptions{Marks: true}).All(w.t.Context(), "") {
			if err != nil {
				w.t.Fatal(err)
			}
			var text strings.Builder
			fmt.Fprintf(&text, "%+v ", n.Entry)
			n = n.Clone()
			content := fetcher.Ahead(w.t.Context())
			for data, err := range content.Add(n.Chunks)[0].All() {
				if err != nil {
					w.t.Fatal(err)
				}
				text.Write(data)
			}
			content.Close()
			all[s.Sources[i].Name+":"+n.Path] = text.String()
		}
	}
	return all
}

// alike fails the test unless the copies are what was copied, in all that a snapshot says.
func (c *copying) alike() {
	c.from.t.Helper()
	was, is := c.from.snapshots(), c.to.snapshots()
	if len(was) != len(is) {
		c.from.t.Fatalf("%d snapshots were copied, and %d are there", len(was), len(is))
	}
	for i, s := range was {
		made := is[i]
		if made.Origin == nil || made.Origin.Snapshot != s.ID.String() || made.Origin.Repository != c.from.writer.Repository {
			c.from.t.Errorf("the copy of %s names as its origin %+v", s.ShortID(), made.Origin)
		}
		says := func(s *catalog.Snapshot) string {
			text := fmt.Sprint(s.Set, s.Host, s.User, s.Tags, s.Time, s.Started, s.Finished, s.Complete(), s.Undated)
			for _, source := range s.Sources {
				text += fmt.Sprintf("%s %s %s %v %v %v %+v", source.Name, source.Type, source.Location, source.Excludes, source.Marks, source.Moment, source.Coverage)
			}
			return text
		}
		if a, b := says(s), says(made); a != b {
			c.from.t.Errorf("the copy says\n%s\nof\n%s", b, a)
		}
		a, b := c.from.contents(s), c.to.contents(made)
		if !maps.Equal(a, b) {
			for path := range a {
				if a[path] != b[path] {
					c.from.t.Errorf("%s differs: %.200q, want %.200q", path, b[path], a[path])
				}
			}
			c.from.t.Errorf("%d nodes, want %d", len(b), len(a))
		}
	}
	c.to.check()
	c.from.check()
}

// history is a world with three snapshots: of files that change, that are several names of one,
// that could not be read.
func history(t *testing.T) (*world, *fakeSource) {
	w := newWorld(t)
	take := func(src *fakeSource) {
		t.Helper()
		o := w.options(src)
		o.PackSize = 1 << 20
		if _, err := w.backup(w.store, o); err != nil {
			t.Fatal(err)
		}
	}
	src := randomSource(12, 20_000, 1)
	src.add("dir/text", []byte(strings.Repeat("line of text\n", 9000)))
	src.add("dir/zeros", make([]byte, 3<<20))
	for _, name := range []string{"links/a", "links/b"} {
		f := src.add(name, randomBytes(30_000, 70))
		f.Entry.Links, f.Entry.Inode, f.Entry.ModTime = 2, 42, entry.NanoTime(5)
	}
	src.left = map[string]entry.Reason{"dir/zz-left": entry.Excluded}
	take(src)
	next := src.clone()
	next.change("dir/file003.bin", randomBytes(25_000, 33))
	next.add("new/empty", nil)
	delete(next.files, "dir/file007.bin")
	next.problems = map[string]error{"zzz": errors.New("permission denied")}
	take(next)
	last := next.clone()
	last.problems = nil
	last.add("new/big", randomBytes(600_000, 44))
	take(last)
	return w, last
}

// eachKind runs a test with a repository that names content otherwise, and one that does not.
func eachKind(t *testing.T, w *world, test func(t *testing.T, c *copying)) {
	t.Run("other domain", func(t *testing.T) { test(t, w.branch(t).copyTo(newWorld(t))) })
	t.Run("same domain", func(t *testing.T) {
		from := w.branch(t)
		test(t, from.copyTo(from.sharing()))
	})
}

func TestACopyHoldsWhatWasCopied(t *testing.T) {
	w, last := history(t)
	eachKind(t, w, func(t *testing.T, c *copying) {
		c.o.Write.Progress = &pipeline.Progress{}
		c.mustRun(3)
		c.alike()
		if read := c.o.Write.Progress.BytesRead.Load(); read > 9<<20 {
			t.Errorf("%d bytes were read: what an earlier copy holds was read again", read)
		}
		c.mustRun(0)
		next := last.clone()
		next.add("one/more", randomBytes(1000, 99))
		c.from.mustBackup(next)
		before := c.o.Write.Progress.BytesRead.Load()
		c.mustRun(1)
		if read := c.o.Write.Progress.BytesRead.Load() - before; read != 1000 {
			t.Errorf("%d bytes were read, want 1000", read)
		}
		c.alike()
	})
}

func TestACopyWithoutACacheIsTheSame(t *testing.T) {
	w, _ := history(t)
	eachKind(t, w, func(t *testing.T, c *copying) {
		c.to.cache = ""
		c.mustRun(3)
		c.mustRun(0)
		c.alike()
	})
}

func TestACopyIsNotCopiedBack(t *testing.T) {
	w, _ := history(t)
	c := w.copyTo(newWorld(t))
	c.mustRun(3)
	back := c.to.copyTo(c.from)
	back.mustRun(0)
	if err := (&copying{from: w, to: w, source: w.store, sink: w.store}).run(); !errors.Is(err, catalog.ErrMisuse) {
		t.Errorf("a repository was copied to itself: %v", err)
	}
	c.alike()
}

func TestACopyAfterOneLostCallFindsEverythingWell(t *testing.T) {
	w, _ := history(t)
	for _, kept := range []bool{false, true} {
		t.Run(fmt.Sprintf("kept %v", kept), func(t *testing.T) {
			eachCall(t, func(t *testing.T, n int) int {
				from := w.branch(t)
				c := from.copyTo(newWorld(t))
				f := &storetest.Faulty{Store: c.to.store, Before: storetest.Nth(n, errFault)}
				if kept { // and names are the same
					c = from.copyTo(from.sharing())
					f = &storetest.Faulty{Store: c.to.store, After: storetest.Nth(n, errFault)}
				}
				c.sink = f
				_ = c.run()
				c.sink, c.failures = c.to.store, nil
				if err := c.run(); err != nil || len(c.failures) > 0 {
					t.Fatalf("the copy after: %v, %q", err, c.failures)
				}
				c.alike()
				return len(f.Calls())
			})
		})
	}
}

func TestACopyOfARepositoryThatFailsOnceIsWholeOrNone(t *testing.T) {
	w, _ := history(t)
	eachCall(t, func(t *testing.T, n int) int {
		c := w.branch(t).copyTo(newWorld(t))
		f := &storetest.Faulty{Store: c.from.store, Before: storetest.Nth(n, errFault)}
		c.source = f
		_ = c.run()
		c.source, c.failures = c.from.store, nil
		if err := c.run(); err != nil || len(c.failures) > 0 {
			t.Fatalf("the copy after: %v, %q", err, c.failures)
		}
		c.alike()
		return len(f.Calls())
	})
}

func TestADamagedSnapshotIsNotCopiedAndTheOthersAre(t *testing.T) {
	w, _ := history(t)
	eachKind(t, w, func(t *testing.T, c *copying) {
		bad := c.from.snapshots()[2]
		pack := packOf(t, c.from, bad, "new/big")
		c.source = &storetest.Faulty{Store: c.from.store, Corrupt: storetest.FlipBit(pack)}
		if err := c.run(); err != nil {
			t.Fatal(err)
		}
		if len(c.copied) != 2 || len(c.failures) != 1 || !strings.Contains(c.failures[0], "new/big") {
			t.Fatalf("copied %d, failed %q", len(c.copied), c.failures)
		}
		c.to.check()
		c.source, c.failures = c.from.store, nil
		c.mustRun(1)
		c.alike()
	})
}

// A copy of a file that has fewer bytes than its tree says would look whole, and come back damaged.
func TestAFileThatLacksBytesIsNotCopied(t *testing.T) {
	for _, missing := range []int64{1, -1} {
		w := newWorld(t)
		f := forgetest.New(w.store, w.writer)
		pack, err := f.Pack(t.Context(), "the content of a file")
		if err != nil {
			t.Fatal(err)
		}
		chunks := slices.Collect(pack.Directory.All(pack.Pack))
		node := &tree.Node{Entry: entry.Entry{Path: "file", Type: entry.File, Size: int64(chunks[0].Length) + missing}, Chunks: chunks}
		_, err = f.Commit(t.Context(), forgetest.Snapshot{Host: "host", Set: "set", Source: "source0", Nodes: []*tree.Node{node}, Packs: []archive.RunPack{pack}})
		if err != nil {
			t.Fatal(err)
		}
		for name, to := range map[string]*world{"cut again": newWorld(t), "taken as it is": w.sharing()} {
			c := w.copyTo(to)
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
			if len(c.copied) > 0 || len(c.failures) != 1 || !strings.Contains(c.failures[0], "file has") {
				t.Errorf("%s, where %d bytes are missing: copied %q, failed %q", name, missing, c.copied, c.failures)
			}
			to.check()
		}
	}
}

func TestOldSnapshotsAreCopiedByAWriterThatMayDateBack(t *testing.T) {
	w := newWorld(t)
	o := w.options(randomSource(3, 1000, 1))
	o.Time = time.Now().Add(-100 * time.Hour).UTC()
	if _, err := w.backup(w.store, o); err != nil {
		t.Fatal(err)
	}
	c := w.copyTo(newWorld(t))
	if err := c.run(); !errors.Is(err, catalog.ErrRefused) || !strings.Contains(err.Error(), "--role backdate") {
		t.Fatalf("copied, by a writer that may not date back: %v", err)
	}
	c.o.Undated = true
	c.mustRun(1)
	if made := c.to.snapshots(); !made[0].Undated {
		t.Error("what was dated back counts as dated")
	}
	c.to.check()
}

func TestACopyOfAHostThatItsWriterMayNotSpeakForIsRefused(t *testing.T) {
	w, _ := history(t)
	c := w.copyTo(newWorld(t))
	repo, err := c.to.open(c.to.store)
	if err != nil {
		t.Fatal(err)
	}
	err = repo.Change(t.Context(), c.to.owner, func(config *catalog.Config) error {
		config.Writers[0].Hosts = []string{"other"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.run(); !errors.Is(err, catalog.ErrOutside) {
		t.Errorf("copied: %v", err)
	}
}

func packOf(t *testing.T, w *world, s *catalog.Snapshot, path string) string {
	fetcher, err := fetch.New(w.reader(), s.Domain, fetch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := tree.Open(s.Sources[0].Root, fetcher.Pages(), tree.OpenOptions{}).Lookup(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	pack := n.Chunks[0].Place.Pack
	return pack.Kind.Object(pack.Name)
}
