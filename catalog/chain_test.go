package catalog

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/crypto"
)

// grace makes another config, which says how often it was changed.
func (w *world) grace(text string) { w.change(func(c *Config) { c.Grace = text }) }

// signedConfig is a config that the owner has signed by other means than this program.
func (w *world) signedConfig(by crypto.Signer, edit func(c *Config)) []byte {
	w.t.Helper()
	next := *w.reader().Config
	next.Number, next.Previous = next.Number+1, next.hash
	edit(&next)
	data, err := signConfig(w.writer.Repository, by, &next)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

func TestTheNewestConfigThatTheOwnerHasSignedCounts(t *testing.T) {
	w := newWorld(t) // it has configs 0 and 1
	w.grace("2h")
	w.grace("3h")
	third := get(t, w.store, configName(3))
	forged := w.signedConfig(signer(t, "owner"), func(*Config) {})
	skipping := w.signedConfig(w.owner, func(c *Config) { c.Number, c.Grace = 7, "7h" })
	stray := w.signedConfig(w.owner, func(c *Config) { c.Number, c.Previous, c.Grace = 5, "x", "5h" })
	named := func(s *memory.Store, names ...string) {
		for _, name := range names {
			s.Set(name, []byte("garbage"))
		}
	}
	for _, test := range []struct {
		what    string
		tamper  func(s *memory.Store)
		grace   string // "": it is not opened
		foreign int
	}{
		{"nothing", func(*memory.Store) {}, "3h", 0},
		{"garbage above", func(s *memory.Store) { named(s, configName(4)) }, "3h", 1},
		{"too large above", func(s *memory.Store) { s.Set(configName(4), make([]byte, maxConfig+1)) }, "3h", 1},
		{"garbage far above", func(s *memory.Store) { named(s, configName(9), "config/18446744073709551615") }, "3h", 2},
		{"names that are no numbers", func(s *memory.Store) { named(s, "config/4", "config/x", "config/0000000004x", "config/-000000004") }, "3h", 0},
		{"signed by a stranger", func(s *memory.Store) { s.Set(configName(4), forged) }, "3h", 1},
		{"an older one's bytes", func(s *memory.Store) { s.Set(configName(4), third) }, "3h", 1},
		{"the newest is damaged", func(s *memory.Store) { s.Set(configName(3), flip(third, len(third)/2)) }, "2h", 1},
		{"the newest is gone", func(s *memory.Store) { _ = s.Delete(t.Context(), configName(3)) }, "2h", 0},
		{"a later one skips garbage", func(s *memory.Store) { named(s, configName(4), configName(5)); s.Set(configName(7), skipping) }, "7h", 0},
		{"a later one skips nothing", func(s *memory.Store) { s.Set(configName(7), skipping) }, "7h", 0},
		{"garbage below and above", func(s *memory.Store) { named(s, configName(5), configName(8)); s.Set(configName(7), skipping) }, "7h", 1},
		{"one that follows nothing, below", func(s *memory.Store) { s.Set(configName(5), stray); s.Set(configName(7), skipping) }, "7h", 0},
		{"one that follows nothing", func(s *memory.Store) { s.Set(configName(5), stray) }, "", 0},
		{"one in the middle is damaged", func(s *memory.Store) { named(s, configName(2)) }, "", 0},
		{"one in the middle is gone", func(s *memory.Store) { _ = s.Delete(t.Context(), configName(2)) }, "", 0},
		{"the first is gone", func(s *memory.Store) { _ = s.Delete(t.Context(), configName(0)) }, "", 0},
		{"none is left", func(s *memory.Store) {
			for n := range uint64(4) {
				named(s, configName(n))
			}
		}, "", 0},
		{"packstone.json is another", func(s *memory.Store) {
			s.Set("packstone.json", append(get(t, s, "packstone.json"), '\n'))
		}, "", 0},
	} {
		s := w.store.Clone()
		test.tamper(s)
		warned := 0
		r, err := Open(t.Context(), s, Options{Keys: Keys{Identities: w.identities()}, Warn: func(string) { warned++ }})
		if test.grace == "" {
			t.Log(test.what)
			wantError(t, err, ErrUntrusted)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		if r.Config.Grace != test.grace || len(r.Config.Foreign()) != test.foreign || (warned > 0) != (test.foreign > 0) {
			t.Errorf("%s: config %d of %s, foreign %q, %d warnings, want %s and %d", test.what, r.Config.Number, r.Config.Grace, r.Config.Foreign(),
				warned, test.grace, test.foreign)
		}
	}
	w.sound()
}

func TestABrokenChainIsReadWhereThatIsAccepted(t *testing.T) {
	w := newWorld(t)
	w.grace("2h")
	w.grace("3h")
	s := w.begin()
	if _, err := s.Commit(t.Context(), content(w.pack(s, "one"))); err != nil {
		t.Fatal(err)
	}
	damaged := w.store.Clone()
	damaged.Set(configName(2), []byte("garbage"))
	r := w.opened(damaged, Options{Keys: Keys{Identities: w.identities()}, AcceptRollback: true})
	if r.Config.Grace != "3h" {
		t.Errorf("config %d counts, want the newest", r.Config.Number)
	}
	log, err := r.ReadLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if doubts, err := r.Doubts(t.Context(), log, nil); err != nil || len(doubts) > 0 {
		t.Errorf("doubts %v, %v, want none: what is missing is older", doubts, err)
	}
	w.sound()
}

func TestGarbageAmongConfigsIsToldByBackupsAndStopsTheOwnerUntilAccepted(t *testing.T) {
	w := newWorld(t)
	above := []string{configName(2), configName(3), configName(9)}
	for _, name := range above {
		w.store.Set(name, []byte("garbage"))
	}
	s := w.begin()
	if !slices.Equal(s.Foreign, above) {
		t.Errorf("the backup names %q, want %q", s.Foreign, above)
	}
	if _, err := s.Commit(t.Context(), content(w.pack(s, "one"))); err != nil {
		t.Fatal(err)
	}
	s.Close()
	err := w.reader().Change(t.Context(), w.owner, func(*Config) error { return nil })
	wantError(t, err, ErrForeign)
	if err == nil || !strings.Contains(err.Error(), above[0]) {
		t.Errorf("%v does not name %s", err, above[0])
	}
	accepting := Options{Keys: Keys{Identities: w.identities()}, AcceptRollback: true}
	if err := w.opened(w.store, accepting).Change(t.Context(), w.owner, func(*Config) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r := w.reader()
	if r.Config.Number != 4 || len(r.Config.Foreign()) > 0 {
		t.Errorf("config %d counts, with %q above, want 4, the next number that was free", r.Config.Number, r.Config.Foreign())
	}
	w.grace("5h")
	w.store.Set(configName(9), []byte("other garbage"))
	if foreign := w.reader().Config.Foreign(); !slices.Equal(foreign, above[2:]) {
		t.Errorf("foreign: %q, want %q, which is not what the owner has seen", foreign, above[2:])
	}
	if err := w.opened(w.store, accepting).Change(t.Context(), w.owner, func(*Config) error { return nil }); err != nil {
		t.Fatal(err)
	}
	w.sound()
}

func TestTheOwnerSignsNoConfigThatOthersWouldNotFind(t *testing.T) {
	w := newWorld(t)
	w.grace("2h")
	o := Options{Keys: Keys{Identities: w.identities()}, CacheDir: w.cache}
	r := w.opened(w.store, o)
	newest := get(t, w.store, configName(2))
	w.store.Set(configName(2), flip(newest, len(newest)/2))
	if again := w.opened(w.store, o); again.Config.Number != 2 {
		t.Errorf("config %d counts, want the one that the cache has", again.Config.Number)
	}
	wantError(t, r.Change(t.Context(), w.owner, func(*Config) error { return nil }), ErrUntrusted)
	w.store.Set(configName(2), newest)

	// Nor one that takes the place of a later one that this host has seen.
	_ = w.store.Delete(t.Context(), configName(2))
	o.Bypass = true
	wantError(t, w.opened(w.store, o).Change(t.Context(), w.owner, func(*Config) error { return nil }), ErrRolledBack)
	o.AcceptRollback = true
	if err := w.opened(w.store, o).Change(t.Context(), w.owner, func(*Config) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := w.reader().Config.Number; got != 3 {
		t.Errorf("the next config is %d, want 3, which nobody has seen", got)
	}
	w.sound()
}

func TestAConfigOfALaterVersionIsNotTakenForGarbage(t *testing.T) {
	w := newWorld(t)
	data := w.signedConfig(w.owner, func(c *Config) { c.Required = []string{"teleportation"} })
	w.store.Set(configName(2), data)
	_, err := Open(t.Context(), w.store, Options{Keys: Keys{Identities: w.identities()}})
	if !errors.Is(err, ErrTooNew) {
		t.Errorf("got %v, want %v", err, ErrTooNew)
	}
}
