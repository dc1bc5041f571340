package collect_test

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/collect"
)

// BenchmarkPlan plans a prune of 100,000 packs, which 60 snapshots need that change a hundredth
// each.
func BenchmarkPlan(b *testing.B) {
	repo := largeRepository(b, 100_000, 60)
	b.ReportAllocs()
	for b.Loop() {
		plan, err := collect.MakePlan(b.Context(), repo, catalog.Term{Now: time.Now()})
		if err != nil || plan.Stored == 0 {
			b.Fatal(plan, err)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-of-process")
}

func largeRepository(b *testing.B, packs, snapshots int) *catalog.Repository {
	b.Helper()
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		b.Fatal(err)
	}
	recipient, _ := crypto.RecipientOf(identity)
	owner, _ := crypto.GenerateSigner("owner")
	host, _ := crypto.GenerateSigner("host")
	s := memory.New()
	writer, err := catalog.Init(b.Context(), s, owner, host, []age.Recipient{recipient}, nil, catalog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	repo, err := catalog.Open(b.Context(), s, catalog.Options{Keys: catalog.Keys{Writer: writer}, CacheDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	all := make([]*archive.Pack, packs)
	for i := range all {
		name := archive.Name(sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))))
		all[i] = &archive.Pack{Name: name, Kind: archive.Data, Size: 16 << 20}
		s.Set(archive.Data.Object(name), []byte("x"))
	}
	var last *catalog.Base
	for n := range snapshots {
		refs := &archive.RefSet{}
		for i, p := range all {
			if i%100 != n { // each lacks another hundredth
				for ordinal := range uint32(16) {
					refs.Add(p, ordinal)
				}
			}
		}
		session, err := repo.Begin(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		at := time.Now()
		list, err := session.Commit(b.Context(), catalog.Content{
			Snapshot: &catalog.Snapshot{Set: "set", Host: "host", Time: at, Started: at}, Refs: refs, Parent: last,
		})
		if err != nil {
			b.Fatal(err)
		}
		session.Close()
		last = &catalog.Base{List: list, Set: refs}
	}
	return repo
}
