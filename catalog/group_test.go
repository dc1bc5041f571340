package catalog

import "testing"

func TestAHostKnowsHowManySnapshotsOfItsSetsCount(t *testing.T) {
	w := newWorld(t)
	w.commitsOne("one")
	w.commitsOne("two")
	count := func(r *Repository, set, host string) (int, bool) {
		t.Helper()
		log, err := r.ReadLog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.CountOf(log, set, host)
	}
	for _, test := range []struct {
		set, host string
		want      int
	}{{"set", "host", 2}, {"other", "host", 0}, {"set", "another", 0}} {
		if n, known := count(w.host(w.store), test.set, test.host); n != test.want || !known {
			t.Errorf("%s on %s: %d, %v, want %d", test.set, test.host, n, known, test.want)
		}
	}
	if err := w.host(w.store).LetForget(t.Context(), w.owner); err != nil {
		t.Fatal(err)
	}
	w.forget(w.owner, w.log().Records[0].Hash)
	if n, known := count(w.host(w.store), "set", "host"); n != 1 || !known {
		t.Errorf("after one is forgotten: %d, %v, want 1", n, known)
	}
	blind := w.opened(w.store, Options{Keys: Keys{Pins: Pins{Owners: w.identities().Owners}}, CacheDir: t.TempDir()})
	if n, known := count(blind, "set", "host"); known {
		t.Errorf("without a key: %d, want that it is not known", n)
	}
	w.sound()
}
