package keep_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/keep"
)

const day = 24 * time.Hour

// world is a repository with snapshots in a bucket whose new objects are locked for a day, and a
// keeper with a cache of its own.
type world struct {
	t      *testing.T
	bucket *memory.Bucket
	forger *forgetest.Forger
	now    time.Time
	reader *crypto.IdentityFile
	cache  string
	faulty *storetest.Faulty // the keeper's view of the bucket
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Now(), cache: t.TempDir()}
	w.bucket = &memory.Bucket{Rules: store.Protection{Versions: true, Locks: true, Mode: store.Governance, Default: day}}
	w.bucket.Now = func() time.Time { return w.now }
	w.faulty = &storetest.Faulty{Store: w.bucket}
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	recipient, _ := crypto.RecipientOf(identity)
	owner, _ := crypto.GenerateSigner("owner")
	host, _ := crypto.GenerateSigner("host")
	key, err := catalog.Init(t.Context(), w.bucket, owner, host, []age.Recipient{recipient}, nil, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.forger, w.reader = forgetest.New(w.bucket, key), &crypto.IdentityFile{Identities: []age.Identity{identity}}
	w.snapshot("first")
	return w
}

func (w *world) snapshot(content string) {
	w.t.Helper()
	files := map[string]string{}
	for i := range 3 {
		files[fmt.Sprint("file", i)] = strings.Repeat(fmt.Sprint(content, i), 500)
	}
	if _, err := w.forger.Commit(w.t.Context(), forgetest.Snapshot{Host: "host", Set: "set", Source: "files", Files: files}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open(s store.Store) *catalog.Repository {
	w.t.Helper()
	repo, err := catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Writer: w.forger.Key, Identities: w.reader}, CacheDir: w.cache})
	if err != nil {
		w.t.Fatal(err)
	}
	return repo
}

// options are those of a keeper whose requests may be broken.
func (w *world) options() keep.Options {
	return keep.Options{Locker: w.faulty.Locker(w.bucket), Now: func() time.Time { return w.now }}
}

func (w *world) keep(o keep.Options) *keep.Report {
	w.t.Helper()
	report, err := keep.Run(w.t.Context(), w.open(w.faulty), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// unlocked lists the needed objects that are not locked until a time; sessions and what nothing
// names are not needed.
func (w *world) unlocked(until time.Time) (names []string) {
	w.t.Helper()
	for v, err := range w.bucket.Versions(w.t.Context(), "", "") {
		if err != nil {
			w.t.Fatal(err)
		}
		if v.Deleted || strings.HasPrefix(v.Name, "sessions/") || strings.HasPrefix(v.Name, "stray/") {
			continue
		}
		lock, err := w.bucket.LockOf(w.t.Context(), v.Name, v.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		if lock.Until.Before(until) {
			names = append(names, v.Name)
		}
	}
	return names
}

// sound fails the test unless everything restores.
func (w *world) sound() {
	w.t.Helper()
	w.cache = w.t.TempDir() // what is remembered must not help
	report, err := check.Run(w.t.Context(), w.open(w.bucket), check.Options{ReadData: true})
	if err != nil || len(report.Findings) > 0 {
		w.t.Errorf("check: %v, %+v", err, report)
	}
}
