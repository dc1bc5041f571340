package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/check"
)

// backUpOften makes n snapshots of a source of which a little changes each time.
func (w *world) backUpOften(n int) *fakeSource {
	w.t.Helper()
	s := randomSource(600, 300, 3)
	for i := range n {
		s.change(fmt.Sprintf("dir/file%03d.bin", i*7%600), randomBytes(200+i, uint64(i)))
		w.mustBackup(s)
	}
	return s
}

// examineCalls checks the repository and counts the reads of packs of trees.
func (w *world) examineCalls() (report *check.Report, reads int) {
	w.t.Helper()
	calls := &storetest.Faulty{Store: w.store}
	repo, err := catalog.Open(w.t.Context(), calls, catalog.Options{Keys: catalog.Keys{Identities: w.identity}, Bypass: true})
	if err != nil {
		w.t.Fatal(err)
	}
	report, err = check.Run(w.t.Context(), repo, check.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, call := range calls.Calls() {
		if call.Op == storetest.Get && strings.HasPrefix(call.Name, "trees/") {
			reads++
		}
	}
	return report, reads
}

func TestACheckOfManySnapshotsLooksAtWhatIsNewInEach(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	w := newWorld(t)
	const few, many = 10, 40
	w.backUpOften(few)
	_, before := w.examineCalls()
	s := w.backUpOften(many)
	report, after := w.examineCalls()
	if len(report.Findings) > 0 {
		t.Fatalf("findings of a sound repository: %+v", report.Findings)
	}
	// A snapshot of its own has a page of the changes and the pages above it, which lie in one
	// pack.
	if most := before + 3*many; after > most {
		t.Errorf("%d reads of trees for %d snapshots, %d for %d: want at most %d", after, few+many, before, few, most)
	}
	// Each file changes in one snapshot, but for those that the second round begins with as they
	// were.
	if most := uint64(600 + 3*(few+many)); report.Chunks > most {
		t.Errorf("looked at %d chunks of files in all snapshots, want at most %d", report.Chunks, most)
	}
	w.same(0, s)
}

// TestRefsOfALaterSnapshotThatLackWhatItSharesWithTheOneBeforeAreNamed: what the later one needs
// would be deleted together with the earlier.
func TestRefsOfALaterSnapshotThatLackWhatItSharesWithTheOneBeforeAreNamed(t *testing.T) {
	w := newWorld(t)
	w.backUpOften(5)
	if report, _ := w.examineCalls(); len(report.Findings) > 0 {
		t.Fatalf("findings before: %+v", report.Findings)
	}
	for _, kind := range []archive.Kind{archive.Data, archive.Trees} {
		b := w.branch(t)
		later := b.again(kind)
		report, _ := b.examineCalls()
		named := slices.ContainsFunc(report.Findings, func(f check.Finding) bool {
			return strings.HasPrefix(f.Object+strings.Join(f.Files, ""), later.ID.String()[:8]) && strings.Contains(f.Err.Error(), "the refs do not name")
		})
		if !named {
			t.Errorf("%s: findings %+v, want one of snapshot %s", kind, report.Findings, later.ID)
		}
	}
}

// TestRefsOfALaterSnapshotThatLackAPageOfItsOwnAreNamed: the one before does not need that page.
func TestRefsOfALaterSnapshotThatLackAPageOfItsOwnAreNamed(t *testing.T) {
	w := newWorld(t)
	w.backUpOften(3)
	all, repo := w.snapshots(), w.reader()
	log, err := repo.ReadLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before, err := repo.LoadRefs(t.Context(), log.Find(all[1].ID).Refs)
	if err != nil {
		t.Fatal(err)
	}
	later := w.again(archive.Trees, before)
	w.forget(all[2].ID) // so that the later one follows the second
	report, _ := w.examineCalls()
	named := slices.ContainsFunc(report.Findings, func(f check.Finding) bool {
		return strings.HasPrefix(f.Object, later.ID.String()[:8]) && strings.Contains(f.Err.Error(), "the refs do not name page")
	})
	if !named {
		t.Errorf("findings %+v, want one of snapshot %s", report.Findings, later.ID)
	}
}

// again commits the last snapshot once more, with refs that lack one chunk of a kind, which none of
// others has.
func (w *world) again(kind archive.Kind, others ...*archive.RefSet) *catalog.Snapshot {
	w.t.Helper()
	repo, err := w.open(w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	session, err := repo.Begin(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer session.Close()
	all := w.snapshots()
	snapshot := *all[len(all)-1]
	snapshot.Time = snapshot.Time.Add(time.Second)
	full, err := repo.LoadRefs(w.t.Context(), session.Log.Find(snapshot.ID).Refs)
	if err != nil {
		w.t.Fatal(err)
	}
	lacking, left := &archive.RefSet{}, false
	for ref := range full.All() {
		pack := &archive.Pack{Kind: ref.Kind, Name: ref.Name}
		for ordinal := range ref.Ordinals.All() {
			shared := slices.ContainsFunc(others, func(set *archive.RefSet) bool { return set.Ordinals(ref.Kind, ref.Name).Has(ordinal) })
			if ref.Kind == kind && !left && !shared {
				left = true
				continue
			}
			lacking.Add(pack, ordinal)
		}
	}
	if _, err := session.Commit(w.t.Context(), catalog.Content{Snapshot: &snapshot, Refs: lacking}); err != nil {
		w.t.Fatal(err)
	}
	return &snapshot
}

// BenchmarkCheckOfManySnapshots is of what a year of days leaves.
func BenchmarkCheckOfManySnapshots(b *testing.B) {
	w := newWorldOf(b, false)
	w.backUpOften(365)
	for b.Loop() {
		w.examineCalls()
	}
}
