//go:build soak

package keep_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/keep"
)

// manyPacks makes a repository whose one snapshot needs packs of which only the names are right.
func manyPacks(t *testing.T, bucket *memory.Bucket, packs int) *catalog.Repository {
	t.Helper()
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	recipient, _ := crypto.RecipientOf(identity)
	owner, _ := crypto.GenerateSigner("owner")
	host, _ := crypto.GenerateSigner("host")
	writer, err := catalog.Init(t.Context(), bucket, owner, host, []age.Recipient{recipient}, nil, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	repo, err := catalog.Open(t.Context(), bucket, catalog.Options{Keys: catalog.Keys{Writer: writer}, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	refs := &archive.RefSet{}
	for i := range packs {
		name := archive.Name(sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))))
		if err := bucket.Overwrite(t.Context(), archive.Data.Object(name), []byte("x")); err != nil {
			t.Fatal(err)
		}
		for ordinal := range uint32(16) {
			refs.Add(&archive.Pack{Name: name, Kind: archive.Data, Size: 16 << 20}, ordinal)
		}
	}
	session, err := repo.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	at := time.Now()
	if _, err := session.Commit(t.Context(), catalog.Content{Snapshot: &catalog.Snapshot{Set: "set", Host: "host", Time: at, Started: at}, Refs: refs}); err != nil {
		t.Fatal(err)
	}
	return repo
}

// slow answers each request about an object after the latency of a distant bucket.
type slow struct{ store.Locker }

const latency = 20 * time.Millisecond

func (s slow) LockOf(ctx context.Context, name, version string) (store.Lock, error) {
	time.Sleep(latency)
	return s.Locker.LockOf(ctx, name, version)
}

func (s slow) Extend(ctx context.Context, name, version string, to store.Lock) error {
	time.Sleep(latency)
	return s.Locker.Extend(ctx, name, version, to)
}

// peak watches the heap until it is stopped, and returns by how much it grew.
func peak() (stop func() uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, done := m.HeapAlloc, make(chan struct{})
	var most atomic.Uint64
	go func() {
		defer close(done)
		for most.Load() != ^uint64(0) {
			var m runtime.MemStats
			if runtime.ReadMemStats(&m); m.HeapAlloc > most.Load() {
				most.CompareAndSwap(most.Load(), m.HeapAlloc)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() uint64 {
		found := most.Swap(^uint64(0))
		<-done
		return found - min(found, before)
	}
}

// TestAKeeperOfAHundredThousandPacks prints requests, time and memory of a first run that is
// interrupted half-way, of the one that goes on, of one a day later, and of one after the slack.
func TestAKeeperOfAHundredThousandPacks(t *testing.T) {
	now := time.Now()
	bucket := &memory.Bucket{Now: func() time.Time { return now }, Rules: store.Protection{Versions: true, Locks: true, Mode: store.Compliance, Default: 24 * time.Hour}}
	const packs = 100_000
	repo := manyPacks(t, bucket, packs)
	broken := errors.New("killed")
	faulty := &storetest.Faulty{Store: bucket, Before: storetest.On(storetest.From(packs/2, broken), storetest.Extend)}
	run := func(what string, want error) *keep.Report {
		t.Helper()
		begun, stop := time.Now(), peak()
		report, err := keep.Run(t.Context(), repo, keep.Options{Locker: slow{faulty.Locker(bucket)}, Now: func() time.Time { return now }})
		if heap := stop(); !errors.Is(err, want) {
			t.Fatalf("%s: %v", what, err)
		} else {
			t.Logf("%s: %d listings, %d questions, %d extensions in %v; heap grew by %d MiB", what, report.Lists, report.Asked, report.Extended.Objects,
				time.Since(begun).Round(100*time.Millisecond), heap>>20)
		}
		faulty.Reset()
		return report
	}
	first := run("interrupted", broken)
	faulty.Before = nil
	second := run("goes on", nil)
	if both := first.Extended.Objects + second.Extended.Objects; both < second.Needed.Objects || both > second.Needed.Objects+1000 {
		t.Errorf("%d extensions for %d objects", both, second.Needed.Objects)
	}
	now = now.Add(24 * time.Hour)
	if next := run("a day later", nil); next.Asked+next.Extended.Objects != 0 {
		t.Errorf("a day later: %+v", next)
	}
	now = now.Add(3 * 24 * time.Hour)
	if last := run("after the slack", nil); last.Asked != 0 || last.Extended.Objects != last.Needed.Objects {
		t.Errorf("after the slack: %+v", last)
	}
}
