package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"filippo.io/age"
	"pgregory.net/rapid"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/crypto"
)

// Histories: several hosts and collectors do what comes to a generator's mind, in a simulated bucket
// whose calls go wrong, one in the middle of another. In a third of the histories somebody holds the
// key of a writer and means ill. What was committed and not forgotten comes back byte for byte, and
// what was forgotten and pruned costs nothing.

// chronicle is one of them, and what it has promised so far.
type chronicle struct {
	t      testing.TB
	sim    *storetest.Simulation
	keys   *world // of the owner, and of who restores
	hosts  []*host
	admins []*decider
	forger *forgetest.Forger // nil: nobody means ill
	copies *world            // the other repository
	second *storetest.Simulation

	mu     sync.Mutex       // around what follows: an operation may leave one behind that began in its middle
	kept   map[string]*kept // by the description of a snapshot
	ids    map[archive.Name]string
	copied map[string]bool // what the other repository has

	steps, refused int
	broken         error // the first promise that was broken
}

// host has a key of its own, a cache and a source.
type host struct {
	*world
	name   string
	source *fakeSource
	stock  *stock // nil: it has files alone
	guest  bool   // it works in the middle of something: the stock stays as it is
}

// decider decides with the key of the owner or of a collector.
type decider struct {
	*world
	by crypto.Signer
}

// kept is what a backup was told to keep.
type kept struct {
	source  *fakeSource
	stock   *holdings // nil: of files alone
	must    bool      // it is there, and nobody has tried to forget it since
	held    bool
	forgets int  // tries to forget it
	unsure  bool // such a try ended with an error: it may count, even later
}

// failing turns what fails a test into what fails one history, so that rapid makes it smaller.
type failing struct {
	testing.TB
	rapid *rapid.T
}

func (f failing) Fatal(args ...any)                 { f.rapid.Fatal(args...) }
func (f failing) Fatalf(format string, args ...any) { f.rapid.Fatalf(format, args...) }
func (f failing) Error(args ...any)                 { f.rapid.Error(args...) }
func (f failing) Errorf(format string, args ...any) { f.rapid.Errorf(format, args...) }

// newHistory begins with an empty repository of some hosts.
func newHistory(t testing.TB, hosts int, malice bool, skew time.Duration) *chronicle {
	h := &chronicle{t: t, sim: storetest.NewSimulation(nil, skew), second: storetest.NewSimulation(nil, 0), kept: map[string]*kept{}}
	h.ids, h.copied = map[archive.Name]string{}, map[string]bool{}
	s := h.calm()
	h.keys = emptyWorld(t, s, nil)
	h.copies = emptyWorld(t, h.second.Client(storetest.Weather{}), &h.keys.writer.Domain)
	collector := signer(t, "collector")
	members := catalog.Config{Collectors: []catalog.Member{{Key: collector.Verifier().Text()}}}
	for i := range hosts {
		name := fmt.Sprint("host", i)
		h.hosts = append(h.hosts, &host{h.keys.as(h.admit(&members, name), t.TempDir()), name, randomSource(3, 700+300*i, uint64(10*i)), nil, false})
	}
	for _, by := range []crypto.Signer{h.keys.owner, collector} {
		h.admins = append(h.admins, &decider{h.keys.as(h.keys.writer, t.TempDir()), by})
	}
	if malice {
		h.forger = forgetest.New(s, h.admit(&members, "mallory"))
	}
	if err := h.let(s, &members); err != nil {
		t.Fatal(err)
	}
	return h
}

// emptyWorld makes the keys of a repository, which names content as domain does.
func emptyWorld(t testing.TB, s store.Store, domain *crypto.Domain) *world {
	w := &world{t: t, owner: signer(t, "owner")}
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	w.writer, err = catalog.Init(t.Context(), s, w.owner, signer(t, "first"), []age.Recipient{recipient}, domain, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.identity = &crypto.IdentityFile{
		Identities: []age.Identity{identity}, Owners: []crypto.OwnerPin{{Repository: w.writer.Repository, Owner: w.owner.Verifier()}},
	}
	return w
}

// as is the same repository, seen with another key and cache.
func (w *world) as(writer *crypto.WriterFile, cache string) *world {
	next := *w
	next.writer, next.cache = writer, cache
	return &next
}

// admit makes the key of a writer who may speak for a host of its name.
func (h *chronicle) admit(members *catalog.Config, name string) *crypto.WriterFile {
	file := *h.keys.writer
	file.Signer = signer(h.t, name)
	members.Writers = append(members.Writers, catalog.Member{Key: file.Signer.Verifier().Text(), Hosts: []string{name}})
	return &file
}

// let admits members, and lets them forget and move: every config costs each opening a signature.
func (h *chronicle) let(s store.Store, members *catalog.Config) error {
	repo, err := h.open(s)
	if err != nil {
		return err
	}
	return repo.Change(h.t.Context(), h.keys.owner, func(c *catalog.Config) error {
		c.Writers, c.Collectors = append(c.Writers, members.Writers...), append(c.Collectors, members.Collectors...)
		c.LetForget()
		return nil
	})
}

// open opens the repository as who restores.
func (h *chronicle) open(s store.Store) (*catalog.Repository, error) {
	return catalog.Open(h.t.Context(), s, catalog.Options{Keys: catalog.Keys{Identities: h.keys.identity}})
}

// decides writes a decision with this admin's key.
func (d *decider) decides(s store.Store, do func(s *catalog.Session) error) error {
	repo, err := d.owning(s)
	if err != nil {
		return err
	}
	session, err := repo.BeginDeciding(d.t.Context(), d.by)
	if err != nil {
		return err
	}
	defer session.Close()
	return do(session)
}

// calm is a way to the bucket on which nothing goes wrong, and to which no call is counted.
func (h *chronicle) calm() store.Store { return h.sim.Client(storetest.Weather{}) }

// keeps is what a backup with a description was told to keep; nil if there was none.
func (h *chronicle) keeps(description string) *kept {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kept[description]
}

// everything is what all backups were told to keep.
func (h *chronicle) everything() map[string]*kept {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.kept)
}

// breaks notes that a promise was broken. Any goroutine may call it.
func (h *chronicle) breaks(format string, args ...any) {
	if h.broken == nil {
		h.broken = fmt.Errorf(format, args...)
	}
}

// warm makes what all histories share: encoders that were made in one bubble can't be used in
// another.
var warm = sync.OnceFunc(func() {
	ctx, some := context.Background(), bytes.Repeat([]byte("some bytes "), 5000)
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		panic(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		panic(err)
	}
	for _, level := range []archive.Level{archive.LevelFastest, archive.LevelDefault} {
		w := archive.NewWriter(ctx, memory.New(), archive.WriterOptions{Level: level, Recipients: []age.Recipient{recipient}, PackSize: 64 << 10})
		if err := errors.Join(w.Add(ctx, archive.NewSlot(archive.ID{}, len(some)), some, ""), w.Flush(ctx)); err != nil {
			panic(err)
		}
		w.Close()
	}
	if _, err := archive.Expand(archive.Compact(some), 0); err != nil {
		panic(err)
	}
})

// inBubble runs a history where time passes only when all wait, with keys that depend on the seed
// alone. What rapid throws to end it goes on outside.
func inBubble(t *testing.T, seed uint64, run func(t *testing.T)) {
	warm()
	var thrown any
	synctest.Test(t, func(t *testing.T) {
		defer func() { thrown = recover() }()
		cryptotest.SetGlobalRandom(t, seed)
		run(t)
	})
	if thrown != nil {
		panic(thrown)
	}
}

// chapters is how often steps are repeated, so that few histories are much longer than others: each
// step looks at all that was done before.
const chapters = 6

// oneHistory runs one history, and returns what it came to.
func oneHistory(t *testing.T, r *rapid.T) (l *lived) {
	seed := rapid.Uint64().Draw(r, "seed")
	hosts := rapid.IntRange(1, 3).Draw(r, "hosts")
	malice := rapid.IntRange(0, 2).Draw(r, "malice") == 2
	skew := rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute}).Draw(r, "skew")
	stocked := rapid.IntRange(0, 3).Draw(r, "stocked") == 3
	inBubble(t, seed, func(t *testing.T) {
		h := newHistory(failing{t, r}, hosts, malice, skew)
		if stocked {
			h.hosts[0].stock = newStock(h.t)
		}
		for range chapters {
			r.Repeat(map[string]func(*rapid.T){"step": func(r *rapid.T) {
				h.run(anyStep(h.forger != nil).Draw(r, "step"))
				if h.broken != nil {
					r.Fatal(h.broken)
				}
			}})
		}
		h.end()
		if h.broken != nil {
			r.Fatal(h.broken)
		}
		l = h.lived(stocked)
	})
	return l
}

// setFlag sets a flag of rapid that nobody has given.
func setFlag(t *testing.T, name, value string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

// TestHistories runs some histories, always the same ones; TestSoakHistories draws others, for
// hours.
func TestHistories(t *testing.T) {
	inMemory(t)
	setFlag(t, "rapid.seed", "1")
	setFlag(t, "rapid.steps", "5") // on average, in each chapter
	checks := "12"
	if testing.Short() { // which look for races
		checks = "4"
	}
	setFlag(t, "rapid.checks", checks)
	done := &tally{}
	t.Cleanup(func() {
		t.Log(done)
		if t.Failed() {
			t.Log("to run it again: go test ./pipeline -run '^TestHistories$' and the flags that rapid prints above")
		}
	})
	rapid.Check(t, func(r *rapid.T) { done.add(oneHistory(t, r)) })
}

// inMemory keeps the temporary files of a test in memory, where the machine has a place for that:
// the caches of hosts are small files that come and go.
func inMemory(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "packstone-histories-")
	if err != nil {
		return
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("TMPDIR", dir)
}

// client is a way to the bucket in some weather, as the program makes one.
func (h *chronicle) client(w storetest.Weather) (*storetest.Client, store.Store) {
	c := h.sim.Client(w)
	return c, retry.New(c, retry.Options{})
}

// opened is what the repository holds, as seen in calm weather.
func (h *chronicle) opened(ctx context.Context) (repo *catalog.Repository, log *catalog.Log, all []*catalog.Snapshot, err error) {
	if repo, err = h.open(h.calm()); err != nil {
		return nil, nil, nil, err
	}
	if log, err = repo.ReadLog(ctx); err != nil {
		return nil, nil, nil, err
	}
	if all, err = repo.Snapshots(ctx, log); err != nil {
		return nil, nil, nil, err
	}
	all = slices.DeleteFunc(all, func(s *catalog.Snapshot) bool { return !strings.HasPrefix(s.Writer, "host") && s.Writer != "first" })
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range all {
		h.ids[s.ID] = s.Description
	}
	return repo, log, all, nil
}
