package pipeline_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/collect"
)

// makeMoved makes a repository in which packs were copied anew twice: some copies once more, and of
// the last the old packs are there still.
func makeMoved(t *testing.T, dir string, classic bool) {
	w := newWorldOf(t, classic)
	first := w.identity
	src := randomSource(8, 5_000, 1)
	var ids []archive.Name
	for day := range 3 {
		for i := range 3 {
			src.change(fmt.Sprintf("dir/file%03d.bin", i+day), randomBytes(5_500, uint64(30+10*day+i)))
		}
		ids = append(ids, w.mustBackup(src).ID)
	}
	w.forget(ids[0])
	w.mustRepack()
	w.forget(ids[1])
	if report := w.mustRepack(func(o *collect.Options) { o.Grace = 0 }); report.Moved == 0 {
		t.Fatalf("nothing was copied twice: %+v", report)
	}
	src.change("dir/file007.bin", randomBytes(5_600, 90))
	ids = append(ids, w.mustBackup(src).ID)
	w.forget(ids[2])
	w.store.Now = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	if report := w.mustRepack(func(o *collect.Options) { o.Grace = 7 * 24 * time.Hour }); report.Moved == 0 || report.Plan.Later == 0 {
		t.Fatalf("nothing waits for the grace: %+v", report)
	}
	w.store.Now = nil
	second, recipient := identityOf(t, classic)
	old, err := crypto.RecipientOf(first.Identities[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.reader().SetRecipients(t.Context(), w.owner, []age.Recipient{old, recipient}); err != nil {
		t.Fatal(err)
	}
	w.writeGolden(dir, map[string]age.Identity{"first.txt": first.Identities[0], "second.txt": second})
}

func TestWhatGoldenRepositoriesSayOfWhatWasCopied(t *testing.T) {
	for _, name := range []string{"v1-moved-hybrid", "v1-moved-classic"} {
		w := openGolden(t, filepath.Join(goldenDir, name), "second.txt")
		repo, log := w.reader(), w.log()
		moves, err := repo.ReadMoves(t.Context(), log, false)
		if err != nil {
			t.Fatal(err)
		}
		moved, there := 0, map[archive.Name]bool{}
		for p, err := range archive.ListPacks(t.Context(), w.store) {
			if err != nil {
				t.Fatal(err)
			}
			there[p.Name] = true
		}
		for _, rec := range log.Records {
			if rec.Kind == catalog.Moved {
				moved++
			}
			if rec.Kind != catalog.Commit || !log.Fate(rec.Hash).Gone(time.Now()).IsZero() {
				continue
			}
			refs, err := repo.LoadRefs(t.Context(), rec.Refs)
			if err != nil {
				t.Fatal(err)
			}
			for ref := range moves.Now(refs).All() {
				if !there[ref.Name] {
					t.Errorf("%s: %s needs pack %s, which is gone", name, rec.Name(), ref.Name)
				}
			}
		}
		if moved < 3 || !slices.Contains(repo.Config.Required, "moved") {
			t.Errorf("%s: %d records of moves, the config requires %q", name, moved, repo.Config.Required)
		}
	}
}
