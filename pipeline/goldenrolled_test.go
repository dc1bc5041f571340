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
)

// makeRolled makes a repository whose records were rolled up twice: one snapshot is held, one
// tagged, one gone, packs were copied, and there are records since the last roll.
func makeRolled(t *testing.T, dir string, classic bool) {
	w := newWorldOf(t, classic)
	first := w.identity
	src := randomSource(8, 5_000, 1)
	var ids []archive.Name
	backup := func(seed uint64) {
		for i := range 3 {
			src.change("dir/file00"+string(rune('0'+i))+".bin", randomBytes(5_500, seed+uint64(i)))
		}
		ids = append(ids, w.mustBackup(src).ID)
	}
	for day := range 3 {
		backup(30 + 10*uint64(day))
	}
	w.forget(ids[0])
	if err := w.decides(w.store, func(s *catalog.Session) error { return s.Hold(t.Context(), ids[1:2], "audit", time.Time{}) }); err != nil {
		t.Fatal(err)
	}
	w.tagAll("kept")
	w.mustRepack(rolling)
	backup(60)
	w.mustCollect(rolling)
	backup(70)
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

func TestWhatGoldenRepositoriesSayOfWhatWasRolledUp(t *testing.T) {
	for _, name := range []string{"v1-rolled-hybrid", "v1-rolled-classic"} {
		w := openGolden(t, filepath.Join(goldenDir, name), "second.txt")
		log := w.log()
		if log.Roll() != 2 || len(log.Problems) > 0 || len(w.names("history/")) == 0 || len(w.names("log/")) == 0 {
			t.Errorf("%s: roll %d, %v, history %q, log %q", name, log.Roll(), log.Problems, w.names("history/"), w.names("log/"))
		}
		held, tagged := 0, 0
		for _, s := range w.snapshots() {
			held += len(s.Held)
			if slices.Contains(s.Tags, "kept") {
				tagged++
			}
		}
		if n := len(w.snapshots()); n != 4 || held != 1 || tagged != 2 {
			t.Errorf("%s: %d snapshots, %d held, %d tagged", name, n, held, tagged)
		}
		if !slices.Contains(w.reader().Config.Required, "roll-up") {
			t.Errorf("%s: the config requires %q", name, w.reader().Config.Required)
		}
	}
}
