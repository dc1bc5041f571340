package catalog

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
)

// world is a repository in memory with all its keys.
type world struct {
	t         testing.TB
	store     *memory.Store
	owner     crypto.Signer
	collector crypto.Signer
	writer    *crypto.WriterFile
	identity  age.Identity
	cache     string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), owner: signer(t, "owner"), collector: signer(t, "collector"), cache: t.TempDir()}
	var err error
	if w.identity, err = crypto.GenerateIdentity(true); err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(w.identity)
	if err != nil {
		t.Fatal(err)
	}
	w.writer, err = Init(t.Context(), w.store, w.owner, signer(t, "host"), []age.Recipient{recipient}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.change(func(c *Config) { c.Collectors = append(c.Collectors, Member{Key: w.collector.Verifier().Text()}) })
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

// change makes another config.
func (w *world) change(edit func(c *Config)) {
	w.t.Helper()
	err := w.reader().Change(w.t.Context(), w.owner, func(c *Config) error { edit(c); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) reader() *Repository {
	w.t.Helper()
	return w.opened(w.store, Options{Keys: Keys{Identities: w.identities()}})
}

// identities is the file of who restores, in which the owner is pinned.
func (w *world) identities() *crypto.IdentityFile {
	return &crypto.IdentityFile{
		Identities: []age.Identity{w.identity},
		Owners:     []crypto.OwnerPin{{Repository: w.writer.Repository, Owner: w.owner.Verifier()}},
	}
}

func (w *world) opened(s store.Store, o Options) *Repository {
	w.t.Helper()
	r, err := Open(w.t.Context(), s, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// host opens the repository as the writer.
func (w *world) host(s store.Store) *Repository {
	w.t.Helper()
	return w.opened(s, Options{Keys: Keys{Writer: w.writer}, CacheDir: w.cache})
}

func (w *world) begin() *Session {
	w.t.Helper()
	s, err := w.host(w.store).Begin(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s
}

// pack uploads a pack of one chunk in a session, and returns it with refs to it.
func (w *world) pack(s *Session, content string) (archive.RunPack, *archive.RefSet) {
	w.t.Helper()
	var made archive.RunPack
	p := archive.NewWriter(w.t.Context(), s.repo.Store, archive.WriterOptions{
		Recipients: s.Recipients(), PackSize: 64 << 10,
		Stored: func(p *archive.Pack, d *archive.Directory) { made = archive.RunPack{Pack: p, Directory: d} },
	})
	defer p.Close()
	slot := archive.NewSlot(s.Domain().DataID().Sum([]byte(content)), len(content))
	if err := p.Add(w.t.Context(), slot, []byte(content), ""); err != nil {
		w.t.Fatal(err)
	}
	if err := p.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	refs := &archive.RefSet{}
	refs.Add(made.Pack, 0)
	return made, refs
}

func content(pack archive.RunPack, refs *archive.RefSet) Content {
	return Content{Snapshot: snapshot(), Packs: []archive.RunPack{pack}, Refs: refs}
}

func snapshot() *Snapshot {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &Snapshot{Set: "set", Host: "host", Time: at, Sources: []SourceState{{Name: "s", Root: tree.Root{}}}}
}

// decide signs a decision of the collector.
func (w *world) decide(by crypto.Signer, kind string, number uint64, packs ...archive.Name) {
	w.t.Helper()
	decision := round{Kind: kind, Number: number}
	for _, p := range packs {
		decision.Packs = append(decision.Packs, p.String())
	}
	w.sign(by, fmt.Sprintf("gc/%s/%s", sequence(number), kind), decision)
}

func (w *world) sign(by crypto.Signer, name string, body any) {
	w.t.Helper()
	line, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := by.Sign(w.writer.Repository, name, append(line, '\n'))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Put(w.t.Context(), name, data, sha256.Sum256(data)); err != nil {
		w.t.Fatal(err)
	}
}

// fence declares a session dead, as a collector does.
func (w *world) fence(s *Session) {
	w.t.Helper()
	w.sign(w.collector, s.lane.record(s.sequence), clear{Kind: Tombstone, Previous: s.previous, Nonce: s.nonce})
}

func (w *world) log() *Log {
	w.t.Helper()
	log, err := w.reader().ReadLog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return log
}

// sound fails the test if the repository's own objects are not as they should be.
func (w *world) sound() {
	w.t.Helper()
	for _, problem := range w.log().Problems {
		w.t.Errorf("log: %v", problem)
	}
	problems, err := w.reader().CheckObjects(w.t.Context())
	if err != nil || len(problems) > 0 {
		w.t.Errorf("objects: %v, %v", problems, err)
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}
