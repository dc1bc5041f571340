package pipeline_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
)

// Whatever becomes of an object of a small repository that has every kind of them: a check or a
// restore says so and names what is hurt, or nothing is; nothing panics, and nothing wrong comes
// back.

// corruptible is such a repository, with what its snapshots have.
type corruptible struct {
	*world
	holds   map[archive.Name]*fakeSource
	objects map[string][]byte
	seen    string // the memory of a host that has seen it as it is

	found, noticed, harmless, cases atomic.Int64
	mu                              sync.Mutex
	unhurt                          map[string]int // of each kind of change and object those that hurt nothing
}

func newCorruptible(t *testing.T) *corruptible {
	w := newWorld(t)
	c := &corruptible{world: w, holds: map[archive.Name]*fakeSource{}, objects: map[string][]byte{}, seen: t.TempDir(), unhurt: map[string]int{}}
	src := randomSource(3, 1500, 1)
	first := w.mustBackup(src)
	src.change("dir/file001.bin", randomBytes(1700, 8))
	c.holds[w.mustBackup(src).ID] = src.clone()
	c.addRecipient()
	w.letForget()
	w.forget(first.ID)
	w.mustCollect(fencing)
	w.mustCollect(rolling)
	src.add("text", bytes.Repeat([]byte("a line of text\n"), 50))
	third := w.mustBackup(src)
	c.holds[third.ID] = src.clone()
	w.tagAll("kept")
	if err := w.decides(w.store, func(s *catalog.Session) error {
		return s.Hold(t.Context(), []archive.Name{third.ID}, "why", time.Time{})
	}); err != nil {
		t.Fatal(err)
	}
	w.mustAttest(check.Options{})
	w.mustRepack(fencing)
	w.check()
	for info := range w.store.List(t.Context(), "", "") {
		data, err := w.store.Get(t.Context(), info.Name, 0, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.objects[info.Name] = data
	}
	if _, err := c.opened(w.store, c.seen); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *corruptible) addRecipient() {
	c.t.Helper()
	old, err := crypto.RecipientOf(c.identity.Identities[0])
	if err != nil {
		c.t.Fatal(err)
	}
	_, second := identityOf(c.t.(*testing.T), true)
	if err := c.reader().SetRecipients(c.t.Context(), c.owner, []age.Recipient{old, second}); err != nil {
		c.t.Fatal(err)
	}
}

// opened opens the repository in s and reads its log, as a host with a memory if one is named.
func (c *corruptible) opened(s *memory.Store, memory string) (*catalog.Repository, error) {
	repo, err := catalog.Open(c.t.Context(), s, catalog.Options{Keys: catalog.Keys{Identities: c.identity}, Memory: memory})
	if err == nil && memory != "" {
		_, err = repo.ReadLog(c.t.Context())
	}
	return repo, err
}

func (c *corruptible) names() []string { return slices.Sorted(maps.Keys(c.objects)) }

// change tests what becomes of a repository in which some objects are others; nil stands for none.
func (c *corruptible) change(what string, changed map[string][]byte) {
	s := c.store.Clone()
	for name, data := range changed {
		if data == nil {
			_ = s.Delete(c.t.Context(), name)
		} else {
			s.Set(name, data)
		}
	}
	repo, err := c.opened(s, "")
	told := c.tells(repo, err, changed)
	whole := err == nil && c.restores(what, repo)
	switch {
	case told != "" && !says(told, changed):
		c.t.Errorf("%s: what is said names none of it: %s", what, told)
	case told != "":
		c.found.Add(1)
	case c.isNoticed(s):
		c.noticed.Add(1)
	case whole:
		c.harmless.Add(1)
		c.countUnhurt(strings.Fields(what)[0], changed)
	default:
		c.t.Errorf("%s: nobody says so, and a snapshot is not whole", what)
	}
}

func (c *corruptible) countUnhurt(what string, changed map[string][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range changed {
		c.unhurt[what+" "+kindOf(name)]++
		if !slices.Contains([]string{"domains", "gc", "refs", "sessions"}, kindOf(name)) {
			c.t.Errorf("%s %s: nobody says so", what, name)
		}
	}
}

func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	return kind
}

// isPack tells whether an object's content is only read when content is: its name has the hash of
// it, and nothing else depends on it.
func isPack(name string) bool { return kindOf(name) == "packs" || kindOf(name) == "trees" }

// tells is what opening or a check says; "": all is well. A check reads only what was changed.
func (c *corruptible) tells(repo *catalog.Repository, err error, changed map[string][]byte) string {
	if err != nil {
		return err.Error()
	}
	readData := slices.ContainsFunc(slices.Collect(maps.Keys(changed)), isPack)
	report, err := check.Run(c.t.Context(), repo, check.Options{ReadData: readData})
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, f := range slices.Concat(report.Findings, report.Healed) {
		all = append(all, f.Object+": "+f.Err.Error())
	}
	return strings.Join(append(all, report.Notes...), "\n")
}

// says reports whether a text names one of the objects, or for one that is gone its place or what
// depends on it. Without the right packstone.json nothing opens, whatever the reason is called.
func says(text string, changed map[string][]byte) bool {
	for name, data := range changed {
		if strings.Contains(text, name) || data == nil && hurts.MatchString(text) || name == archive.FormatObject {
			return true
		}
	}
	return false
}

var hurts = regexp.MustCompile(`(config|record) \d+|(log|packs|trees|index|refs)/[0-9a-z]+|no repository there`)

// isNoticed reports whether a host that has seen the repository as it was notices.
func (c *corruptible) isNoticed(s *memory.Store) bool {
	repo, err := c.opened(s, c.seen)
	if err != nil {
		return true
	}
	log, err := repo.ReadLog(c.t.Context())
	return err != nil || len(log.RolledBack()) > 0
}

// restores restores all snapshots that are found. It fails the test if wrong bytes come back, and
// reports whether all are there and whole.
func (c *corruptible) restores(what string, repo *catalog.Repository) bool {
	log, err := repo.ReadLog(c.t.Context())
	if err != nil {
		return false
	}
	all, err := repo.Snapshots(c.t.Context(), log)
	if err != nil {
		return false
	}
	whole := 0
	for _, snapshot := range all {
		want := c.holds[snapshot.ID]
		if want == nil {
			continue // it is forgotten, and what forgets it may be damaged
		}
		if c.restoresOne(what, repo, snapshot, want) {
			whole++
		}
	}
	return whole == len(c.holds)
}

func (c *corruptible) restoresOne(what string, repo *catalog.Repository, s *catalog.Snapshot, want *fakeSource) bool {
	fetcher, err := fetch.New(repo, s.Domain, fetch.Options{})
	if err != nil {
		return false
	}
	to, problems := newTarget(), 0
	opened := tree.Open(s.Sources[0].Root, fetcher.Pages(), tree.OpenOptions{})
	o := restore.Options{Problem: func(string, error) { problems++ }}
	if _, err := restore.New(opened, fetcher, to, o).Run(c.t.Context()); err != nil {
		problems++
	}
	for path, f := range to.files {
		if wanted := want.files[path]; wanted == nil && path != "" && path != "dir" || wanted != nil && !bytes.Equal(f.content, wanted.content) {
			c.t.Errorf("%s: wrong bytes come back in %s of %s", what, path, s.ID)
		}
	}
	return problems == 0 && want.differs(to) == ""
}

// spoiled is the storage, in which one object has another content.
type spoiled struct {
	store.Store
	name string
	data []byte
}

func (s *spoiled) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if name != s.name {
		return s.Store.Get(ctx, name, offset, length, dst)
	}
	from, n := store.Clip(offset, length, int64(len(s.data)))
	return append(dst, s.data[from:from+n]...), nil
}

// worker tests cases, one after the other.
type worker struct {
	*corruptible
	storage *spoiled
	repo    *catalog.Repository // in storage, opened once
	held    map[archive.Name]*catalog.Snapshot
}

func (c *corruptible) newWorker() (*worker, error) {
	k := &worker{corruptible: c, storage: &spoiled{Store: c.store}, held: map[archive.Name]*catalog.Snapshot{}}
	repo, err := catalog.Open(c.t.Context(), k.storage, catalog.Options{Keys: catalog.Keys{Identities: c.identity}})
	if err != nil {
		return nil, err
	}
	log, err := repo.ReadLog(c.t.Context())
	if err != nil {
		return nil, err
	}
	all, err := repo.Snapshots(c.t.Context(), log)
	for _, s := range all {
		k.held[s.ID] = s
	}
	k.repo = repo
	return k, err
}

// do tests one case. Of many that change content alone, one is tested in full; of the others only
// what depends on the content: its hash, and restores.
func (k *worker) do(n int64, what string, changed map[string][]byte) {
	defer func() {
		if r := recover(); r != nil {
			k.t.Errorf("%s: panic: %v\n%s", what, r, debug.Stack())
		}
	}()
	if len(changed) == 1 && n%corruptionFull != 0 {
		for name, data := range changed {
			if data != nil && isPack(name) {
				k.content(what, name, data)
				return
			}
		}
	}
	k.change(what, changed)
}

func (k *worker) content(what, name string, data []byte) {
	if sum := sha256.Sum256(data); strings.HasSuffix(name, archive.Name(sum).String()) {
		k.t.Errorf("%s: the hash is the same", what)
	}
	k.found.Add(1)
	k.storage.name, k.storage.data = name, data
	for id, want := range k.holds {
		k.restoresOne(what, k.repo, k.held[id], want)
	}
}

// each runs tests on all processors.
func (c *corruptible) each(t *testing.T, what string, cases func(do func(what string, changed map[string][]byte))) {
	type job struct {
		what    string
		changed map[string][]byte
	}
	before, begun := c.cases.Load(), time.Now()
	jobs := make(chan job)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		k, err := c.newWorker()
		if err != nil {
			t.Fatal(err)
		}
		workers.Go(func() {
			for j := range jobs {
				k.do(c.cases.Add(1), j.what, j.changed)
			}
		})
	}
	cases(func(what string, changed map[string][]byte) {
		if !t.Failed() {
			jobs <- job{what, changed}
		}
	})
	close(jobs)
	workers.Wait()
	t.Logf("counted: corruption: %s: %d in %v", what, c.cases.Load()-before, time.Since(begun).Round(time.Millisecond))
}

func TestSoakNoCorruptionGoesUnnoticedOrBringsWrongBytesBack(t *testing.T) {
	c := newCorruptible(t)
	size := 0
	for _, data := range c.objects {
		size += len(data)
	}
	t.Logf("corruption: a repository of %d objects, %d bytes: %q", len(c.objects), size, c.kinds())
	for _, kind := range []struct {
		name  string
		cases func(do func(string, map[string][]byte))
	}{
		{"objects deleted", c.deleted}, {"objects replaced by others of their kind", c.replaced}, {"pairs swapped", c.swapped},
		{"truncations", c.truncated}, {"bits flipped", c.flipped},
	} {
		t.Run(kind.name, func(t *testing.T) {
			now := *c.world
			now.t = t
			c.world = &now
			c.each(t, kind.name, kind.cases)
		})
	}
	t.Logf("counted: corruption: %d changes: %d found by a check, %d noticed only by a host that had seen the repository before, %d hurt nothing: %v",
		c.cases.Load(), c.found.Load(), c.noticed.Load(), c.harmless.Load(), c.unhurt)
}

func (c *corruptible) kinds() []string {
	count, size := map[string]int{}, map[string]int{}
	for name, data := range c.objects {
		count[kindOf(name)]++
		size[kindOf(name)] += len(data)
	}
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		all = append(all, fmt.Sprintf("%d %s with %d bytes", count[kind], kind, size[kind]))
	}
	return all
}

func (c *corruptible) deleted(do func(string, map[string][]byte)) {
	for _, name := range c.names() {
		do("delete "+name, map[string][]byte{name: nil})
	}
}

// replaced gives each object the content of each other one of its kind, such as an older version.
func (c *corruptible) replaced(do func(string, map[string][]byte)) {
	n := 0
	for _, name := range c.names() {
		for _, other := range c.names() {
			if name == other || kindOf(name) != kindOf(other) || bytes.Equal(c.objects[name], c.objects[other]) {
				continue
			}
			if n++; n%corruptionPairs == 0 {
				do("replace "+name+" by "+other, map[string][]byte{name: c.objects[other]})
			}
		}
	}
}

func (c *corruptible) swapped(do func(string, map[string][]byte)) {
	names, n := c.names(), 0
	for i, name := range names {
		for _, other := range names[i+1:] {
			if n++; n%corruptionPairs == 0 && !bytes.Equal(c.objects[name], c.objects[other]) {
				do("swap "+name+" and "+other, map[string][]byte{name: c.objects[other], other: c.objects[name]})
			}
		}
	}
}

func (c *corruptible) truncated(do func(string, map[string][]byte)) {
	for _, name := range c.names() {
		for _, length := range lengths(len(c.objects[name])) {
			do(fmt.Sprintf("truncate %s to %d", name, length), map[string][]byte{name: c.objects[name][:length:length]})
		}
	}
}

func (c *corruptible) flipped(do func(string, map[string][]byte)) {
	for _, name := range c.names() {
		for _, bit := range bits(len(c.objects[name])) {
			data := bytes.Clone(c.objects[name])
			data[bit/8] ^= 1 << (bit % 8)
			do(fmt.Sprintf("flip bit %d of %s", bit, name), map[string][]byte{name: data})
		}
	}
}
