package pipeline_test

import (
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

// makeForgotten makes a repository in which snapshots were forgotten, brought back and held, and
// what was dead was collected, by the owner and by a collector.
func makeForgotten(t *testing.T, dir string, classic bool) {
	w := newWorldOf(t, classic)
	first := w.identity
	src := randomSource(3, 1500, 1)
	var ids []archive.Name
	for day := range 4 {
		src.change("dir/file001.bin", randomBytes(1600, 30+uint64(day)))
		ids = append(ids, w.mustBackup(src).ID)
	}
	nightly := signer(t, "nightly")
	w.change(func(c *catalog.Config) {
		c.Collectors = append(c.Collectors, catalog.Member{Key: nightly.Verifier().Text()})
		c.LetForget()
	})
	decide := func(by crypto.Signer, do func(s *catalog.Session) error) {
		t.Helper()
		repo, err := w.owning(w.store)
		if err != nil {
			t.Fatal(err)
		}
		s, err := repo.BeginDeciding(t.Context(), by)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := do(s); err != nil {
			t.Fatal(err)
		}
	}
	decide(nightly, func(s *catalog.Session) error { return s.Forget(t.Context(), ids[:3]) })
	decide(w.owner, func(s *catalog.Session) error { return s.Undelete(t.Context(), ids[1:2]) })
	decide(w.owner, func(s *catalog.Session) error { return s.Hold(t.Context(), ids[1:3], "audit", time.Time{}) })
	decide(nightly, func(s *catalog.Session) error { return s.Unhold(t.Context(), ids[1:2]) })
	decide(w.owner, func(s *catalog.Session) error {
		return s.Hold(t.Context(), ids[3:], "till then", time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC))
	})
	w.mustCollect(func(o *collect.Options) { o.By = nightly })
	w.collects(t, "condemn", 7)
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

func TestWhatGoldenRepositoriesSayOfWhatWasForgotten(t *testing.T) {
	for _, name := range []string{"v1-forgotten-hybrid", "v1-forgotten-classic"} {
		w := openGolden(t, filepath.Join(goldenDir, name), "second.txt")
		var got []string
		for _, s := range w.snapshots() {
			held := ""
			for _, h := range s.Held {
				held += h.By + ": " + h.Reason
				if !h.Until.IsZero() {
					held += h.Until.Format(" 2006")
				}
			}
			got = append(got, held)
		}
		if want := []string{"", "owner: audit", "owner: till then 2999"}; !slices.Equal(got, want) {
			t.Errorf("%s: held %q, want %q", name, got, want)
		}
		repo := w.reader()
		forgotten, problems, err := repo.ReadForgotten(t.Context(), w.log())
		if err != nil || len(problems) > 0 || len(forgotten) != 1 || forgotten[0].Gone.IsZero() {
			t.Errorf("%s: forgotten %v, %v, %v", name, forgotten, problems, err)
		}
		rounds, err := repo.ReadRounds(t.Context())
		if err != nil || len(rounds.Swept()) == 0 || !slices.Equal(rounds.Unfinished(), []uint64{7}) || rounds.Next() != 8 {
			t.Errorf("%s: swept %d, unfinished %v, next %d, %v", name, len(rounds.Swept()), rounds.Unfinished(), rounds.Next(), err)
		}
		if !slices.Contains(repo.Config.Required, "forget") {
			t.Errorf("%s: the config requires %q", name, repo.Config.Required)
		}
	}
}
