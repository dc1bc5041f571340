package catalog

import (
	"os"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/crypto"
)

// forged is a repository that whoever can write to the storage could make: of the id and owner that
// he likes, sealed to the recipients whom everybody can see in the config.
func forged(t *testing.T, w *world, id string, owner crypto.Signer) *memory.Store {
	t.Helper()
	recipients, err := w.reader().Config.AgeRecipients()
	if err != nil {
		t.Fatal(err)
	}
	domain, err := crypto.NewDomain(id)
	if err != nil {
		t.Fatal(err)
	}
	format := archive.NewFormat(owner.Verifier().Text(), w.reader().Config.Classic)
	format.Repository = id
	object, err := archive.EncodeFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	s := memory.New()
	r := &Repository{Store: s, Format: format, owner: owner.Verifier()}
	config, err := firstConfig(r, recipients, signer(t, "host"), domain)
	if err != nil {
		t.Fatal(err)
	}
	config.Format = hash(object)
	if err := r.create(t.Context(), owner, config, domain, recipients, object); err != nil {
		t.Fatal(err)
	}
	return s
}

const otherID = "0123456789abcdef0123456789abcdef"

func TestARepositoryIsTrustedOnlyWhereItsOwnerIsPinned(t *testing.T) {
	w := newWorld(t)
	stranger := signer(t, "owner")
	id, ours, theirs := w.writer.Repository, w.owner.Verifier(), stranger.Verifier()
	with := func(pins ...crypto.OwnerPin) Keys {
		return Keys{Identities: &crypto.IdentityFile{Identities: []age.Identity{w.identity}, Owners: pins}}
	}
	named := func(p Pins) Keys { keys := with(); keys.Pins = p; return keys }
	pin := func(id string, owner crypto.Verifier) crypto.OwnerPin {
		return crypto.OwnerPin{Repository: id, Owner: owner}
	}
	fingerprints := func(owners ...crypto.Verifier) (all []crypto.Fingerprint) {
		for _, o := range owners {
			all = append(all, o.Fingerprint())
		}
		return all
	}
	writer := Keys{Writer: w.writer, Identities: with().Identities}
	repositories := map[string]*memory.Store{
		"ours": w.store, "their id": forged(t, w, otherID, stranger), "our id, their owner": forged(t, w, id, stranger),
		"their id, our owner": forged(t, w, otherID, w.owner),
	}
	for _, test := range []struct {
		pinned     string
		keys       Keys
		repository string
		want       error
	}{
		{"nothing", with(), "ours", ErrUnknownOwner},
		{"nothing", with(), "their id", ErrUnknownOwner},
		{"nothing", Keys{}, "ours", ErrUnknownOwner},
		{"ours", with(pin(id, ours)), "ours", nil},
		{"ours", with(pin(id, ours)), "their id", ErrUnknownOwner},
		{"ours", with(pin(id, ours)), "our id, their owner", ErrUntrusted},
		{"ours", with(pin(id, ours)), "their id, our owner", nil},
		{"our owner elsewhere", with(pin(otherID, ours)), "ours", nil},
		{"their owner elsewhere", with(pin(id, ours), pin("elsewhere", theirs)), "their id", nil},
		{"their owner elsewhere", with(pin(id, ours), pin("elsewhere", theirs)), "our id, their owner", ErrUntrusted},
		{"both of one id", with(pin(id, ours), pin(id, theirs)), "ours", ErrUntrusted},
		{"the writer's key", writer, "ours", nil},
		{"the writer's key", writer, "their id", ErrUntrusted},
		{"the writer's key", writer, "our id, their owner", ErrUntrusted},
		{"a key file's pin", named(Pins{Owners: []crypto.OwnerPin{pin(id, ours)}}), "ours", nil},
		{"a key file's pin", named(Pins{Owners: []crypto.OwnerPin{pin(id, ours)}}), "their id", ErrUnknownOwner},
		{"a fingerprint", named(Pins{Trusted: fingerprints(ours)}), "ours", nil},
		{"a fingerprint", named(Pins{Trusted: fingerprints(ours)}), "their id", ErrUnknownOwner},
		{"a fingerprint", named(Pins{Trusted: fingerprints(ours)}), "our id, their owner", ErrUnknownOwner},
		{"named", named(Pins{Only: fingerprints(ours)}), "ours", nil},
		{"named", named(Pins{Only: fingerprints(ours)}), "their id", ErrUntrusted},
		{"the other one named", named(Pins{Only: fingerprints(theirs)}), "their id", nil},
		{"the other one named", named(Pins{Only: fingerprints(theirs)}), "ours", ErrUntrusted},
		{"both named", named(Pins{Only: fingerprints(ours, theirs)}), "ours", ErrUntrusted},
		{"ours, theirs named", Keys{Identities: with(pin(id, ours)).Identities, Pins: Pins{Only: fingerprints(theirs)}}, "our id, their owner", ErrUntrusted},
	} {
		_, err := Open(t.Context(), repositories[test.repository], Options{Keys: test.keys})
		if test.want == nil && err != nil {
			t.Errorf("pinned: %s, repository: %s: %v", test.pinned, test.repository, err)
		} else if test.want != nil {
			t.Logf("pinned: %s, repository: %s", test.pinned, test.repository)
			wantError(t, err, test.want)
		}
		for _, owner := range []crypto.Verifier{ours, theirs} {
			if err != nil && (strings.Contains(err.Error(), owner.Text()) || strings.Contains(err.Error(), owner.Fingerprint().String())) {
				t.Errorf("a refusal hands out a key to accept: %v", err)
			}
		}
	}
	w.sound()
}

func TestWhatWasSeenAtAnAddressIsAPinThere(t *testing.T) {
	w := newWorld(t)
	stranger := signer(t, "owner")
	bare := Keys{Identities: &crypto.IdentityFile{Identities: []age.Identity{w.identity}}}
	here, elsewhere := t.TempDir(), t.TempDir()
	accepted := bare
	accepted.Pins.Only = []crypto.Fingerprint{w.owner.Verifier().Fingerprint()}
	w.opened(w.store, Options{Keys: accepted, Memory: here})
	w.opened(w.store, Options{Keys: bare, Memory: here})
	if _, err := Open(t.Context(), w.store, Options{Keys: bare, Memory: elsewhere}); err == nil {
		t.Error("what was seen at one address is trusted at another")
	}
	_, err := Open(t.Context(), forged(t, w, otherID, stranger), Options{Keys: bare, Memory: here})
	wantError(t, err, ErrUnknownOwner)
	if err == nil || !strings.Contains(err.Error(), w.writer.Repository) {
		t.Errorf("%v does not name the repository that was there", err)
	}
	_, err = Open(t.Context(), forged(t, w, w.writer.Repository, stranger), Options{Keys: bare, Memory: here})
	wantError(t, err, ErrUntrusted)

	// Another one of an owner who is trusted is told of, once.
	var warnings []string
	o := Options{Keys: bare, Memory: here, Warn: func(text string) { warnings = append(warnings, text) }}
	moved := forged(t, w, otherID, w.owner)
	w.opened(moved, o)
	w.opened(moved, o)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "leads to another repository") {
		t.Errorf("warnings %q, want one of another repository", warnings)
	}
	w.opened(w.store, Options{Keys: bare, Memory: here})
	w.sound()
}

func TestAnOwnerThatCannotBeRememberedIsSaid(t *testing.T) {
	w := newWorld(t)
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pinned := range []bool{true, false} {
		said := 0
		o := Options{Keys: Keys{Pins: Pins{Only: []crypto.Fingerprint{w.owner.Verifier().Fingerprint()}}}, Memory: file + "/below",
			Warn: func(text string) { said += strings.Count(text, "name it again") }}
		if pinned {
			o.Keys.Identities = w.identities()
		}
		w.opened(w.store, o)
		if (said == 1) == pinned {
			t.Errorf("pinned: %v: %d warnings", pinned, said)
		}
	}
	w.sound()
}

func TestWhatEarlierVersionsRememberedCounts(t *testing.T) {
	w := newWorld(t)
	older := `{"config":7,"lanes":{"host.0":{"sequence":3,"hash":"` + strings.Repeat("a", 64) + `"},"host.1":{"sequence":1,"hash":"b","retired":true}}}`
	if err := os.WriteFile(w.cache+"/heads.json", []byte(older), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Keys: Keys{Writer: w.writer}, CacheDir: w.cache, Memory: t.TempDir()}
	for _, o.Bypass = range []bool{true, false, true} {
		r := w.opened(w.store, o)
		log, err := r.ReadLog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if lost := log.RolledBack(); len(lost) != 2 || lost[0] != "config" || lost[1] != "host.0" {
			t.Errorf("lost %v, want config and host.0", lost)
		}
	}
	s, err := w.opened(w.store, o).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.lane.Number != 2 {
		t.Errorf("lane %v, want one that was never used", s.lane)
	}
	if err := s.End(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	w.sound()
}
