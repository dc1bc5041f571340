package catalog

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/sync/semaphore"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
)

// fuzzRepository is a repository of keys alone, for decoders.
func fuzzRepository(f *testing.F) (*Repository, crypto.Signer) {
	f.Helper()
	key := signer(f, "host")
	config := &Config{Writers: []Member{{Key: key.Verifier().Text()}}, Collectors: []Member{{Key: key.Verifier().Text()}}}
	return &Repository{Config: config, Format: archive.Format{Repository: "r"}, owner: key.Verifier(), detaching: semaphore.NewWeighted(1)}, key
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

// FuzzSealedSnapshots opens what a writer has sealed in a commit: names that are let pass are good
// as folders.
func FuzzSealedSnapshots(f *testing.F) {
	r, _ := fuzzRepository(f)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	r.options.Keys.Identities = &crypto.IdentityFile{Identities: []age.Identity{identity}}
	root, err := tree.Root{}.MarshalCBOR()
	if err != nil {
		f.Fatal(err)
	}
	source := `{"name":"files","type":"files","location":"/srv","paths":["/srv"],"moment":"2026-01-02T03:04:05Z","root":"` + base64.StdEncoding.EncodeToString(root) + `"}`
	for _, seed := range []string{
		"", "{}", "null", `{"set":"set","host":"host","time":"2026-01-02T03:04:05Z","tags":["a"],"sources":[` + source + `]}`,
		`{"sources":[` + strings.Replace(source, `"files"`, `"../x"`, 1) + `,` + source + `]}`, `{"sources":[` + strings.Replace(source, "/srv", "../srv", 2) + `]}`,
		`{"tripwire":[{}],"references":[{}],"orphans":[{}],"max_age":-1,"replaces":"x","origin":{}}`, `{"add":["a"],"remove":["b"]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		sealed, err := crypto.Seal(nil, archive.Compact(plain), identity.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		rec := &Record{Lane: Lane{"host", 0}, Sequence: 1, clear: clear{Kind: Commit, Sealed: sealed}}
		var change tagChange
		_ = r.openSealed(t.Context(), rec, &change)
		s, err := r.sealedSnapshot(t.Context(), rec)
		if err != nil {
			return
		}
		s.Tags = applyTags(s.Tags, change)
		if found, err := Select([]*Snapshot{s}, "latest", Filter{Incomplete: true}); err == nil {
			for i := range found.Sources {
				source := &found.Sources[i]
				if name := source.Name; name != PathsName && !filepath.IsLocal(name) || strings.ContainsAny(name, "\x00") {
					t.Errorf("a snapshot with the source %q may be used", name)
				}
				for _, path := range source.Paths {
					if !filepath.IsAbs(path) || strings.Contains(path+"/", "/../") {
						t.Errorf("a snapshot with the path %q may be used", path)
					}
				}
			}
		}
	})
}

// FuzzRolls reads what a collector that means ill has signed: a roll, the records that it says are in
// force, and a decision.
func FuzzRolls(f *testing.F) {
	r, key := fuzzRepository(f)
	r.Config.Required = []string{featureRollUp}
	record, err := key.Sign("r", Lane{"host", 0}.record(1), []byte(`{"kind":"tombstone","nonce":"n"}`+"\n"))
	if err != nil {
		f.Fatal(err)
	}
	line, err := json.Marshal(rollLine{Name: Lane{"host", 0}.record(1), Record: record})
	if err != nil {
		f.Fatal(err)
	}
	floor := `"lanes":{"host.0":{"sequence":1,"hash":"` + hash(record) + `","date":"2026-01-02T03:04:05Z"}}`
	for _, seed := range []struct{ body, history string }{
		{`{"number":1,` + floor + `,"force":["%H"],"history":["%H"]}`, "packstone history 1\n" + string(line) + "\n"},
		{`{"number":1,` + floor + `,"swept":["%H"],"rounds":3,"leaving":["x"],"gone":["packs/x"]}`, "packstone swept 1\n" + hash(nil) + "\n"},
		{`{"number":1,"index":[{"run":"x","writer":"host","domain":1,"moved":true}],"lanes":{"..":{}}}`, ""},
		{`{"number":1,"kind":"condemn","packs":["` + hash(nil) + `","x"]}`, "{}"}, {`{}`, "\n\n"}, {"", ""},
	} {
		f.Add(seed.body, []byte(seed.history))
	}
	f.Fuzz(func(t *testing.T, body string, history []byte) {
		s := memory.New()
		r.Store = s
		packed := archive.Compact(history)
		s.Set(historyName(hash(packed)), packed)
		body = strings.ReplaceAll(body, "%H", hash(packed))
		for _, name := range []string{rollName(1), "gc/0000000001/condemn"} {
			note, err := key.Sign("r", name, []byte(body+"\n"))
			if err != nil {
				return // no text
			}
			s.Set(name, note)
		}
		if decision, err := r.readRound(t.Context(), "gc/0000000001/condemn"); err == nil && decision != nil && decision.Number != 1 {
			t.Errorf("round %d was accepted as 1", decision.Number)
		}
		l, err := r.readRoll(t.Context())
		if err != nil || l == nil {
			return
		}
		for _, rec := range l.records {
			if !l.covers(rec.Lane, rec.Sequence) {
				t.Errorf("%s counts, and lies above the floor of its lane", rec.Name())
			}
		}
		if _, err := r.wasRolled(t.Context(), nil, l, "log/host.0/0000000001", hash(record)); err != nil && l.Number != 1 {
			t.Error(err)
		}
	})
}

func FuzzDetachedHeaders(f *testing.F) {
	r, _ := fuzzRepository(f)
	f.Add([]byte(`{"` + hash(nil) + `":"YWdl"}`))
	f.Add([]byte(`{"x":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := memory.New()
		s.Set("headers/1/x", data)
		r.Store, r.detached, r.Config.Headers = s, nil, map[string]string{"headers/1/x": hash(data)}
		header, err := r.header(t.Context(), archive.Name{})
		if err == nil && len(header) > len(data) {
			t.Errorf("a header of %d bytes from %d", len(header), len(data))
		}
	})
}

// FuzzPlaces parses what people type to name snapshots, what lies in them, and moments.
func FuzzPlaces(f *testing.F) {
	for _, seed := range []string{"latest", "latest~3", "@2026-11-20T14:00:files/a:b", "0123456789ab:files", "latest:/srv/data", "@2026-01-02", "latest~-1", ":", "@", "2026-11-20T14:00:05.5Z"} {
		f.Add(seed)
	}
	id := archive.Name{0x01, 0x23, 0x45}
	s := []*Snapshot{{ID: id, Set: "set", Host: "host", Sources: []SourceState{{Name: "files"}, {Name: AdHoc, Paths: []string{"/srv"}}}}}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		p := ParsePlace(text)
		if at, err := p.In(s[0]); err == nil && (len(at.Sources) == 0 || strings.HasPrefix(at.Path, "/")) {
			t.Errorf("%q is %+v", text, at)
		}
		if p.Source == "" && p.Path != "" || strings.Contains(p.Source, "/") {
			t.Errorf("%q is read as %+v", text, p)
		}
		if found, err := Select(s, text, Filter{}); err == nil && found != s[0] {
			t.Errorf("%q means %v", text, found)
		}
		if at, err := ParseMoment(text); err == nil {
			if begin, err := ParseTime(text); err != nil || at.Before(begin) {
				t.Errorf("%q ends at %v and begins at %v, %v", text, at, begin, err)
			}
		}
		if at, err := ParseSnapshotTime(text, now); err == nil && at.After(now.Add(futureTime)) {
			t.Errorf("%q is %v", text, at)
		}
		if end, err := ParseEnd(text, now); err == nil && text != "" && end.Before(now) {
			t.Errorf("%q ends at %v", text, end)
		}
		_, _ = ParseGroupBy(text)
	})
}
