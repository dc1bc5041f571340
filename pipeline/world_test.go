package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/target"
)

// world is a repository in memory with all its keys.
type world struct {
	t        testing.TB
	store    *memory.Store
	owner    crypto.Signer
	writer   *crypto.WriterFile
	identity *crypto.IdentityFile
	cache    string // "" for none
}

func newWorld(t testing.TB) *world { return newWorldOf(t, true) }

func newWorldOf(t testing.TB, classic bool) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), owner: signer(t, "owner"), cache: t.TempDir()}
	identity, err := crypto.GenerateIdentity(classic)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	w.identity = &crypto.IdentityFile{Identities: []age.Identity{identity}}
	w.writer, err = catalog.Init(t.Context(), w.store, w.owner, signer(t, "host"), []age.Recipient{recipient}, nil, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.identity.Owners = []crypto.OwnerPin{{Repository: w.writer.Repository, Owner: w.owner.Verifier()}}
	return w
}

func signer(t testing.TB, name string) crypto.Signer {
	t.Helper()
	s, err := crypto.GenerateSigner(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// branch is the world as it is now, in a store and a cache of its own.
func (w *world) branch(t testing.TB) *world {
	t.Helper()
	next := *w
	next.t, next.store = t, w.store.Clone()
	if w.cache != "" {
		next.cache = t.TempDir()
		if err := os.CopyFS(next.cache, os.DirFS(w.cache)); err != nil {
			t.Fatal(err)
		}
	}
	return &next
}

// open opens the repository in s as the writer.
func (w *world) open(s store.Store) (*catalog.Repository, error) {
	return catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Writer: w.writer}, CacheDir: w.cache, Software: "test"})
}

// reader opens the repository as who restores, without a cache.
func (w *world) reader() *catalog.Repository {
	w.t.Helper()
	repo, err := catalog.Open(w.t.Context(), w.store, catalog.Options{Keys: catalog.Keys{Identities: w.identity}})
	if err != nil {
		w.t.Fatalf("open for reading: %v", err)
	}
	return repo
}

func (w *world) options(sources ...*fakeSource) backup.Options {
	o := backup.Options{Set: "set", Host: "host", PackSize: 64 << 10, Concurrency: 1}
	for i, s := range sources {
		o.Jobs = append(o.Jobs, backup.Job{
			Name: fmt.Sprintf("source%d", i), Type: "fake", Location: "here",
			Open: func(context.Context) (source.Source, error) { return s, s.failOpen },
		})
	}
	return o
}

// backup takes sources through s, which may be w.store.
func (w *world) backup(s store.Store, o backup.Options) (*catalog.Snapshot, error) {
	repo, err := w.open(s)
	if err != nil {
		return nil, err
	}
	return backup.Run(w.t.Context(), repo, o)
}

func (w *world) mustBackup(sources ...*fakeSource) *catalog.Snapshot {
	w.t.Helper()
	s, err := w.backup(w.store, w.options(sources...))
	if err != nil {
		w.t.Fatalf("backup: %v", err)
	}
	return s
}

// check fails the test on any finding.
func (w *world) check() {
	w.t.Helper()
	report, err := check.Run(w.t.Context(), w.reader(), check.Options{ReadData: true})
	if err != nil {
		w.t.Fatalf("check: %v", err)
	}
	for _, f := range report.Findings {
		w.t.Errorf("check: %s: %v (hurts %q)", f.Object, f.Err, f.Files)
	}
}

// snapshots lists what is there.
func (w *world) snapshots() []*catalog.Snapshot {
	w.t.Helper()
	repo := w.reader()
	log, err := repo.ReadLog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := repo.Snapshots(w.t.Context(), log)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// restore brings source number i of the last snapshot back.
func (w *world) restore(i int, o restore.Options) *fakeTarget {
	w.t.Helper()
	all := w.snapshots()
	to := newTarget()
	if _, err := w.restoreTo(to, all[len(all)-1], i, o); err != nil {
		w.t.Fatalf("restore: %v", err)
	}
	return to
}

func (w *world) restoreTo(to target.Target, s *catalog.Snapshot, i int, o restore.Options) (restore.Result, error) {
	fetcher, err := fetch.New(w.reader(), s.Domain, fetch.Options{})
	if err != nil {
		return restore.Result{}, err
	}
	t := tree.Open(s.Sources[i].Root, fetcher.Pages(), tree.OpenOptions{})
	return restore.New(t, fetcher, to, o).Run(w.t.Context())
}

// same fails the test unless the last snapshot restores as the source is.
func (w *world) same(i int, want *fakeSource) {
	w.t.Helper()
	var problems []string
	got := w.restore(i, restore.Options{Verify: true, Problem: func(path string, err error) {
		problems = append(problems, path+": "+err.Error())
	}})
	if len(problems) > 0 {
		w.t.Errorf("restore: %q", problems)
	}
	if diff := want.differs(got); diff != "" {
		w.t.Errorf("restored differs: %s", diff)
	}
}

// fakeSource is a source in memory.
type fakeSource struct {
	files    map[string]*fakeFile
	failOpen error
	failWalk error // after all entries
	problems map[string]error
	left     map[string]entry.Reason // what is there and left out; of a directory that is visited, what is in it
}

type fakeFile struct {
	entry.Entry
	content []byte
	detail  error
	open    error
	finish  error
	reading func(ctx context.Context) // called before it is read
	reads   *int
}

func newSource() *fakeSource { return &fakeSource{files: map[string]*fakeFile{}} }

// random fills a source with n files of size bytes that do not compress.
func randomSource(n, size int, seed uint64) *fakeSource {
	s := newSource()
	for i := range n {
		s.add(fmt.Sprintf("dir/file%03d.bin", i), randomBytes(size, seed+uint64(i)))
	}
	return s
}

func randomBytes(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func (s *fakeSource) add(path string, content []byte) *fakeFile {
	f := &fakeFile{content: content, reads: new(int)}
	f.Entry = entry.Entry{Path: path, Type: entry.File, Mode: 0o644, Size: int64(len(content)), ModTime: entry.NanoTime(int64(len(s.files)) + 1)}
	s.files[path] = f
	return f
}

// change gives a file other content.
func (s *fakeSource) change(path string, content []byte) {
	f := *s.files[path]
	f.content, f.Size, f.ModTime, f.reads = content, int64(len(content)), entry.Time{Seconds: f.ModTime.Seconds, Nanos: f.ModTime.Nanos + 1000}, new(int)
	s.files[path] = &f
}

func (s *fakeSource) clone() *fakeSource {
	next := *s
	next.files = map[string]*fakeFile{}
	for path, f := range s.files {
		copied := *f
		copied.reads = new(int)
		next.files[path] = &copied
	}
	return &next
}

func (s *fakeSource) Class() source.Class { return source.ClassSmall }
func (s *fakeSource) Close() error        { return nil }

func (s *fakeSource) Walk(ctx context.Context, v source.Visitor) error {
	all := map[string]bool{}
	for path := range s.files {
		all[path] = true
	}
	for path := range s.left {
		all[path] = true
	}
	for _, path := range slices.SortedFunc(maps.Keys(all), entry.ComparePaths) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f := s.files[path]; f != nil {
			e := f.Entry
			if err := v.Visit(&e); err != nil {
				return err
			}
		}
		if why := s.left[path]; why != entry.Captured {
			source.Leave(v, path, why)
		}
	}
	for path, err := range s.problems {
		v.Problem(path, err)
	}
	return s.failWalk
}

func (s *fakeSource) Detail(_ context.Context, e *entry.Entry) error { return s.files[e.Path].detail }

func (s *fakeSource) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	f := s.files[e.Path]
	if f.reading != nil {
		f.reading(ctx)
	}
	*f.reads++
	return &openFile{Reader: bytes.NewReader(f.content), f: f}, f.open
}

type openFile struct {
	*bytes.Reader
	f *fakeFile
}

func (f *openFile) Finish(*entry.Entry) error { return f.f.finish }
func (f *openFile) Close() error              { return nil }

// differs compares names and contents of files with a target.
func (s *fakeSource) differs(got *fakeTarget) string {
	for path, f := range s.files {
		have, ok := got.files[path]
		switch {
		case !ok:
			return path + " is missing"
		case !bytes.Equal(have.content, f.content):
			return fmt.Sprintf("%s has other content: %d bytes, want %d", path, len(have.content), len(f.content))
		}
	}
	for path := range got.files {
		if s.files[path] == nil && path != "" {
			return path + " is too much"
		}
	}
	return ""
}

// fakeTarget is a target in memory.
type fakeTarget struct {
	mu     sync.Mutex
	files  map[string]*fakeFile
	links  map[string]string
	traits target.Traits
	spoil  bool // writes other bytes than it is given
	longer bool // leaves a byte behind the end of each file
}

func newTarget() *fakeTarget {
	return &fakeTarget{files: map[string]*fakeFile{}, links: map[string]string{}, traits: target.Traits{Parallel: 4}}
}

func (t *fakeTarget) Traits() target.Traits { return t.traits }

func (t *fakeTarget) Walk(_ context.Context, in target.Scope, v target.Visitor) error {
	t.mu.Lock()
	var there []*entry.Entry
	for _, path := range slices.SortedFunc(maps.Keys(t.files), entry.ComparePaths) {
		e := t.files[path].Entry
		there = append(there, &e)
	}
	t.mu.Unlock()
	for _, e := range there {
		if !in.Means(e.Path) {
			continue
		}
		if err := v.Visit(e); err != nil {
			return err
		}
	}
	return nil
}

func (t *fakeTarget) Accepts(*entry.Entry) error { return nil }

func (t *fakeTarget) Make(context.Context, *entry.Entry) error   { return nil }
func (t *fakeTarget) Finish(context.Context, *entry.Entry) error { return nil }
func (t *fakeTarget) Close(context.Context) error                { return nil }

func (t *fakeTarget) Link(_ context.Context, e *entry.Entry, existing string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.files[existing]
	if f == nil {
		return fmt.Errorf("%s is not there", existing)
	}
	t.files[e.Path], t.links[e.Path] = &fakeFile{Entry: *e, content: f.content}, existing
	return nil
}

func (t *fakeTarget) Create(_ context.Context, e *entry.Entry) (target.File, error) {
	return &createdFile{target: t, f: &fakeFile{Entry: *e, content: make([]byte, e.Size)}}, nil
}

func (t *fakeTarget) Open(_ context.Context, path string) (target.ReadAtCloser, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.files[path]; f != nil {
		return struct {
			io.ReaderAt
			io.Closer
		}{bytes.NewReader(f.content), io.NopCloser(nil)}, nil
	}
	return nil, nil
}

func (t *fakeTarget) Remove(_ context.Context, all []*entry.Entry, _ func(*entry.Entry, error)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range all {
		delete(t.files, e.Path)
	}
	return nil
}

type createdFile struct {
	target *fakeTarget
	f      *fakeFile
}

func (c *createdFile) WriteAt(p []byte, off int64) (int, error) {
	c.target.mu.Lock()
	defer c.target.mu.Unlock()
	n := copy(c.f.content[off:], p)
	if c.target.spoil && n > 0 {
		c.f.content[off] ^= 1
	}
	return n, nil
}

func (c *createdFile) Commit(context.Context) error {
	c.target.mu.Lock()
	defer c.target.mu.Unlock()
	if c.target.longer {
		c.f.content = append(c.f.content, 0)
	}
	c.target.files[c.f.Path] = c.f
	return nil
}

func (c *createdFile) Abort() {}

// noted notes when a fault strikes.
func noted(fault storetest.Fault, struck *atomic.Bool) storetest.Fault {
	if fault == nil {
		return nil
	}
	return func(op storetest.Op, name string) error {
		err := fault(op, name)
		if err != nil {
			struck.Store(true)
		}
		return err
	}
}

// untilRecord makes a file wait until the backup has published something, which a pack must have
// been uploaded for, or a fault has struck.
func untilRecord(f *fakeFile, calls *storetest.Faulty) {
	var struck atomic.Bool
	calls.Before, calls.After = noted(calls.Before, &struck), noted(calls.After, &struck)
	f.reading = func(ctx context.Context) {
		for ctx.Err() == nil && !struck.Load() {
			for _, call := range calls.Calls() {
				if call.Op == storetest.Put && strings.HasPrefix(call.Name, "log/") {
					return
				}
			}
			time.Sleep(200 * time.Microsecond)
		}
	}
}

var errFault = errors.New("injected fault")
