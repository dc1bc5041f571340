package catalog

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// fuzzRepository is a repository of keys alone, for decoders.
func fuzzRepository(f *testing.F) (*Repository, crypto.Signer) {
	f.Helper()
	key := signer(f, "host")
	config := &Config{Writers: []Member{{Key: key.Verifier().Text()}}, Collectors: []Member{{Key: key.Verifier().Text()}}}
	return &Repository{Config: config, Format: archive.Format{Repository: "r"}, owner: key.Verifier()}, key
}

func FuzzSignedBodies(f *testing.F) {
	r, key := fuzzRepository(f)
	for _, seed := range []string{
		"", "{}", `{"kind":"commit","index":["00"],"refs":{"full":"x","deltas":["y"]},"sealed":"AAAA"}`,
		`{"number":1,"previous":"x","writers":[{"key":"k","last_valid":{}}]}`, `{"kind":"sweep","number":1,"packs":["zz"]}`, `[1]`, `{"time":5}`,
		`{"kind":"forget","subjects":["` + hash(nil) + `","x"],"dates":{"` + hash(nil) + `":"2026-01-02T03:04:05Z","y":"2026-01-02T03:04:05Z"}}`,
		`{"kind":"hold","subjects":["` + hash(nil) + `"],"until":"2026-01-02T03:04:05Z","sealed":"AAAA"}`,
		`{"kind":"undelete","subjects":["` + hash(nil) + `"],"cancels":["` + hash(nil) + `"]}`, `{"kind":"unhold","cancels":[""]}`,
	} {
		f.Add(seed)
	}
	lane := Lane{"host", 0}
	decider := signer(f, "owner")
	r.owner = decider.Verifier()
	f.Fuzz(func(t *testing.T, body string) {
		record, err := key.Sign("r", lane.record(1), []byte(body+"\n"))
		if err != nil {
			return // no text
		}
		if rec, err := r.acceptRecord(lane, 1, record); err == nil {
			log := r.chain(nil, []*Record{rec}, nil)
			log.Superseded()
			r.runNames(log, nil)
			if _, err := r.LoadRefs(t.Context(), RefsList{Full: "bad"}); err == nil {
				t.Error("refs of a bad name were loaded")
			}
		}
		fuzzDecision(t, r, decider, body)
		config, _ := decider.Sign("r", configName(1), []byte(body+"\n"))
		if c, err := parseConfig("r", r.owner, 1, config); err == nil && c.Number != 1 {
			t.Errorf("config %d was accepted as 1", c.Number)
		}
	})
}

// fuzzDecision reads body as a record of the owner, which decides about its subjects alone.
func fuzzDecision(t *testing.T, r *Repository, owner crypto.Signer, body string) {
	lane := Lane{owner.Name(), 0}
	data, _ := owner.Sign("r", lane.record(1), []byte(body+"\n"))
	rec, err := r.acceptRecord(lane, 1, data)
	if err != nil {
		return
	}
	log := r.chain(nil, []*Record{rec}, nil)
	if len(log.Powerless) > 0 {
		t.Errorf("the owner is powerless: %q", body)
	}
	for id, fate := range log.fates {
		if !slices.Contains(rec.Subjects, id.String()) {
			t.Errorf("%q decides about %s", body, id)
		}
		fate.Gone(log.now)
		fate.Holds(log.now)
	}
	log.unnoted()
}

func FuzzRecordNames(f *testing.F) {
	for _, seed := range []string{"log/host.0/0000000001", "log/a.b.12/0000000099", "log/.0/1", "log/x.-1/0000000001", "log/x.00/0000000001", "gc/1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if lane, seq, ok := parseRecordName(name); ok && lane.record(seq) != name {
			t.Errorf("%q was read as %q", name, lane.record(seq))
		}
	})
}

func FuzzCachedFiles(f *testing.F) {
	domain, err := crypto.NewDomain("r")
	if err != nil {
		f.Fatal(err)
	}
	page := []byte("a page")
	id := archive.ID(domain.TreeID().Sum(page))
	good := append(append(bytes.Clone(id[:]), 6, 0, 0, 0), page...)
	f.Add(good)
	f.Add(append(bytes.Clone(good), good[:20]...))
	f.Add([]byte(`{"config":1,"lanes":{"host.0":{"sequence":1,"hash":"x"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		for _, name := range []string{"pages", "r.json"} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r := &Repository{Cache: OpenCache(dir), memories: openMemories(Options{Memory: dir}, "r")}
		if seen, err := r.memories.recall(); err != nil || seen == nil {
			t.Errorf("recalled %v, %v", seen, err)
		}
		for _, pin := range r.memories.known() {
			if !bytes.Contains(data, []byte("owner")) || pin.Repository != "r" {
				t.Errorf("%q pins %v", data, pin)
			}
		}
		pages, err := OpenPages(r.Cache, "pages", domain.TreeID())
		if err != nil {
			t.Fatal(err)
		}
		defer pages.Close()
		if err := pages.Keep(id, page); err != nil {
			t.Fatal(err)
		}
		err = pages.Load(nil)(t.Context(), []archive.Chunk{{ID: id}}, func(_ int, got []byte) error {
			if !bytes.Equal(got, page) {
				t.Errorf("page %q", got)
			}
			return nil
		})
		if err != nil && !bytes.Contains(data, id[:]) {
			t.Errorf("a page that was kept is gone: %v", err)
		}
	})
}
