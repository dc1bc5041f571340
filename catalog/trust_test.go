package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// body is what the newest config says.
func (w *world) body() map[string]any {
	w.t.Helper()
	data, err := w.store.Get(w.t.Context(), configName(w.reader().Config.Number), 0, -1, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(strings.Split(string(data), "\n")[1]), &body); err != nil {
		w.t.Fatal(err)
	}
	return body
}

// signNext signs the next config as another version of the program would: edit changes what the
// newest says.
func (w *world) signNext(edit func(body map[string]any)) {
	w.t.Helper()
	body, c := w.body(), w.reader().Config
	body["number"], body["previous"] = c.Number+1, c.Hash()
	edit(body)
	w.sign(w.owner, configName(c.Number+1), body)
}

// older makes the config one of the first version: no hosts, and writers without a group share.
func (w *world) older(others ...crypto.Signer) {
	w.t.Helper()
	w.signNext(func(body map[string]any) {
		for _, key := range []string{"rules", "grace", "required_features"} {
			delete(body, key)
		}
		writers := []any{map[string]any{"key": w.writer.Signer.Verifier().Text()}}
		for _, other := range others {
			writers = append(writers, map[string]any{"key": other.Verifier().Text()})
		}
		body["writers"] = writers
	})
}

// as is the key file of another writer of the same domain.
func (w *world) as(other crypto.Signer) *crypto.WriterFile {
	file := *w.writer
	file.Signer = other
	return &file
}

// commit makes a snapshot of a host with a writer's key.
func (w *world) commit(by *crypto.WriterFile, host string) archive.Name {
	w.t.Helper()
	r := w.opened(w.store, Options{Keys: Keys{Writer: by}})
	s, err := r.Begin(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	c := content(w.pack(s, fmt.Sprint(by.Signer.Name(), host, w.t.Name())))
	c.Snapshot.Host = host
	if _, err := s.Commit(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	return c.Snapshot.ID
}

func (w *world) snapshots() map[archive.Name]*Snapshot {
	w.t.Helper()
	all, err := w.reader().Snapshots(w.t.Context(), w.log())
	if err != nil {
		w.t.Fatal(err)
	}
	byID := map[archive.Name]*Snapshot{}
	for _, s := range all {
		byID[s.ID] = s
	}
	return byID
}

func TestKeysThatThisVersionDoesNotKnowSurviveAChange(t *testing.T) {
	w := newWorld(t)
	w.signNext(func(body map[string]any) {
		body["later"] = map[string]any{"deep": []any{1.5, "<&>", nil}}
		writer := body["writers"].([]any)[0].(map[string]any)
		writer["tier"] = "gold"
		writer["earlier"] = []any{map[string]any{"last_valid": map[string]any{}, "by": "hand"}}
		body["collectors"].([]any)[0].(map[string]any)["region"] = 7.0
		body["domains"].([]any)[0].(map[string]any)["sunset"] = true
	})
	before := w.body()
	w.change(func(c *Config) { c.Floor = "1h0m0s" })
	after := w.body()
	if after["retention_floor"] != "1h0m0s" {
		t.Errorf("the change is not in the config: %v", after)
	}
	for _, key := range []string{"later", "writers", "collectors", "domains"} {
		if got, want := fmt.Sprint(after[key]), fmt.Sprint(before[key]); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	w.sound()
}

func TestAWriterThatMaySpeakForNoHostStaysSo(t *testing.T) {
	w := newWorld(t)
	w.signNext(func(body map[string]any) { body["writers"].([]any)[0].(map[string]any)["hosts"] = []any{} })
	w.change(func(c *Config) { c.Floor = "1h0m0s" })
	if hosts, there := w.body()["writers"].([]any)[0].(map[string]any)["hosts"]; !there {
		t.Errorf("an empty list of hosts became %v, which stands for any", hosts)
	}
	if got := w.reader().Config.Writers[0].standing("host.0", 1, "a"); got != Outside {
		t.Errorf("standing: got %v, want %v", got, Outside)
	}
}

func TestAFeatureThatThisVersionLacksIsRefused(t *testing.T) {
	for _, c := range []struct {
		required []any
		want     error
	}{{nil, nil}, {[]any{"members"}, nil}, {[]any{"members", "what comes later"}, ErrTooNew}, {[]any{"colours"}, ErrTooNew}} {
		w := newWorld(t)
		w.signNext(func(body map[string]any) { body["required_features"] = c.required })
		_, err := Open(t.Context(), w.store, Options{Keys: Keys{Writer: w.writer}})
		if c.want == nil && err != nil {
			t.Errorf("%v: got %v", c.required, err)
		}
		if c.want != nil {
			wantError(t, err, c.want)
		}
	}
}

func TestAFeatureIsRequiredWhereAnOlderProgramWouldTrustWritersForMore(t *testing.T) {
	key := func(name string) string { return signer(t, name).Verifier().Text() }
	for _, c := range []struct {
		what    string
		writers []Member
		want    []string
	}{
		{"one, of any host", []Member{{Key: key("a"), Hosts: []string{AnyHost}}}, nil},
		{"one, unbound", []Member{{Key: key("a")}}, nil},
		{"one, bound", []Member{{Key: key("a"), Hosts: []string{"a"}}}, []string{featureMembers}},
		{"one, for no host", []Member{{Key: key("a"), Hosts: []string{}}}, []string{featureMembers}},
		{"two", []Member{{Key: key("a")}, {Key: key("b")}}, []string{featureMembers}},
	} {
		w := newWorld(t)
		w.change(func(c2 *Config) { c2.Writers = c.writers })
		w.change(func(c2 *Config) { c2.Floor = "1h0m0s" })
		if got := w.reader().Config.Required; !slices.Equal(got, c.want) {
			t.Errorf("%s: requires %q, want %q", c.what, got, c.want)
		}
	}
}

func TestPatternsOfHosts(t *testing.T) {
	for _, c := range []struct {
		patterns []string
		host     string
		want     Standing
	}{
		{nil, "db1", Unbound},
		{[]string{}, "db1", Outside},
		{[]string{"db1"}, "db1", Bound},
		{[]string{"db1"}, "DB1", Outside},
		{[]string{"db1"}, "db1.example.org", Outside},
		{[]string{"db1"}, "db10", Outside},
		{[]string{"db1"}, "", Outside},
		{[]string{"a", "db?"}, "db1", Bound},
		{[]string{"web-*"}, "web-1", Bound},
		{[]string{"web-*"}, "xweb-1", Outside},
		{[]string{"web-*"}, "web-1/../db1", Outside},
		{[]string{"[ab]1"}, "b1", Bound},
		{[]string{"*"}, "a/b", Bound},
		{[]string{"*"}, "", Bound},
	} {
		if got := standing(c.patterns, c.host); got != c.want {
			t.Errorf("%q for %q: got %v, want %v", c.patterns, c.host, got, c.want)
		}
	}
	for _, bad := range [][]string{{}, {""}, {"a", "[b"}, {`a\`}, {"a/b"}, {"a b"}, {"a,b"}, {"a\nb"}, {"\x1b[2J"}} {
		if err := CheckHosts(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	if err := CheckHosts([]string{"db1", "web-*", "*", "[ab]1.example.org", "übel"}); err != nil {
		t.Error(err)
	}
}

func TestTheStandingOfASnapshotIsThatOfItsRecord(t *testing.T) {
	m := Member{
		Hosts: []string{"db1"},
		Earlier: []Binding{
			{Hosts: nil, LastValid: map[string]uint64{"w.0": 3}},
			{Hosts: []string{"web-*"}, LastValid: map[string]uint64{"w.0": 5, "w.1": 2}},
		},
	}
	for _, c := range []struct {
		lane     string
		sequence uint64
		host     string
		want     Standing
	}{
		{"w.0", 3, "mail", Unbound},
		{"w.0", 3, "db1", Bound}, // the owner has admitted it for this host since
		{"w.0", 4, "web-1", Bound},
		{"w.0", 4, "db1", Outside},
		{"w.0", 5, "web-1", Bound},
		{"w.0", 6, "web-1", Outside},
		{"w.0", 6, "db1", Bound},
		{"w.1", 1, "web-1", Bound},
		{"w.1", 1, "mail", Outside},
		{"w.2", 1, "web-1", Outside}, // a lane that began after
		{"w.2", 1, "db1", Bound},
	} {
		if got := m.standing(c.lane, c.sequence, c.host); got != c.want {
			t.Errorf("%s/%d of %s: got %v, want %v", c.lane, c.sequence, c.host, got, c.want)
		}
	}
}

func TestNarrowingTakesNothingFromWhatWasThere(t *testing.T) {
	w := newWorld(t)
	before := w.commit(w.writer, "mail")
	log := w.log()
	w.change(func(c *Config) { c.Writers[0].Rebind([]string{"host"}, log) })
	after, inside := w.commit(w.writer, "host"), w.snapshots()
	if got := inside[before].Standing; got != Bound {
		t.Errorf("from before: got %v, want %v", got, Bound)
	}
	if got := inside[after].Standing; got != Bound {
		t.Errorf("from after: got %v, want %v", got, Bound)
	}
	if last := w.reader().Config.Writers[0].Earlier[0].LastValid; !maps.Equal(last, map[string]uint64{"host.0": 1}) {
		t.Errorf("the earlier binding holds up to %v, want host.0 1", last)
	}
	w.sound()
}

func TestAWriterCommitsNothingForAHostThatIsNotItsOwn(t *testing.T) {
	w := newWorld(t)
	w.change(func(c *Config) { c.Writers[0].Hosts = []string{"host"} })
	s := w.begin()
	c := content(w.pack(s, "x"))
	c.Snapshot.Host = "db1"
	_, err := s.Commit(t.Context(), c)
	wantError(t, err, ErrOutside)
	if log := w.log(); len(log.Records) != 0 {
		t.Errorf("%d records were written", len(log.Records))
	}
	for host, want := range map[string]error{"host": nil, "db1": ErrOutside} {
		if err := w.host(w.store).MaySpeakFor(host); want != nil {
			wantError(t, err, want)
		} else if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// dated is a world whose store has a clock.
func dated(t *testing.T) (w *world, at func(time.Time)) {
	w = newWorld(t)
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	w.store.Now = func() time.Time { return now }
	return w, func(when time.Time) { now = when }
}

// record signs a record of a lane that begins with it, or follows another.
func (w *world) record(by crypto.Signer, lane Lane, seq uint64, c clear) archive.Name {
	w.t.Helper()
	if head := w.log().Head(lane); head != nil {
		c.Previous = head.Hash.String()
	}
	w.sign(by, lane.record(seq), c)
	return w.log().Head(lane).Hash
}

func TestDatesOfRecords(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 6, d, 12, 0, 0, 0, time.UTC) }
	mine := Lane{"host", 0}
	for _, c := range []struct {
		what          string
		signed        []time.Time // by the writer
		stored        []time.Time
		noted         map[int]time.Time // by the owner
		falsely       map[int]time.Time // by the writer
		role          string
		date, undated []string
	}{
		{"as it should be", []time.Time{day(1), day(2)}, []time.Time{day(1), day(2)}, nil, nil, "", []string{"01", "02"}, nil},
		{"within a day", []time.Time{day(1)}, []time.Time{day(2)}, nil, nil, "", []string{"02"}, nil},
		{"copied after more than a day", []time.Time{day(1)}, []time.Time{day(2).Add(time.Second)}, nil, nil, "", []string{"02"}, []string{"0"}},
		{"signed ahead", []time.Time{day(20)}, []time.Time{day(2)}, nil, nil, "", []string{"02"}, nil},
		{"falls within the lane", []time.Time{day(3), day(4)}, []time.Time{day(3), day(2)}, nil, nil, "", []string{"03", "02"}, []string{"1"}},
		{"set back by an hour's tenth", []time.Time{day(3), day(3)}, []time.Time{day(3), day(3).Add(-4 * time.Minute)}, nil, nil, "", []string{"03", "03"}, nil},
		{"noted by the owner", []time.Time{day(1)}, []time.Time{day(9)}, map[int]time.Time{0: day(1)}, nil, "", []string{"01"}, nil},
		{"noted by its writer", []time.Time{day(1)}, []time.Time{day(9)}, nil, map[int]time.Time{0: day(1)}, "", []string{"09"}, []string{"0"}},
		{"may backdate", []time.Time{day(1)}, []time.Time{day(9)}, nil, nil, RoleBackdate, []string{"09"}, nil},
		{"another role", []time.Time{day(1)}, []time.Time{day(9)}, nil, nil, "verifier", []string{"09"}, []string{"0"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			w, at := dated(t)
			if c.role != "" {
				w.change(func(config *Config) { config.Writers[0].Roles = []string{c.role} })
			}
			var ids []archive.Name
			for i, signed := range c.signed {
				at(c.stored[i])
				ids = append(ids, w.record(w.writer.Signer, mine, uint64(i+1), clear{Kind: Tombstone, Time: signed}))
			}
			at(day(28))
			dates := func(of map[int]time.Time) map[string]time.Time {
				named := map[string]time.Time{}
				for i, date := range of {
					named[ids[i].String()] = date
				}
				return named
			}
			w.record(w.owner, Lane{"owner", 0}, 1, clear{Kind: "date", Time: day(28), Dates: dates(c.noted)})
			w.record(w.writer.Signer, Lane{"host", 1}, 1, clear{Kind: Tombstone, Time: day(28), Dates: dates(c.falsely)})
			var got, undated []string
			for i, id := range ids {
				rec := w.log().Find(id)
				got = append(got, rec.Date.Format("02"))
				if rec.Undated {
					undated = append(undated, fmt.Sprint(i))
				}
			}
			if !slices.Equal(got, c.date) || !slices.Equal(undated, c.undated) {
				t.Errorf("dates %q, undated %q, want %q, %q", got, undated, c.date, c.undated)
			}
			w.sound()
		})
	}
}

func TestTheEarliestNotedDateCounts(t *testing.T) {
	w, at := dated(t)
	at(time.Date(2026, 6, 9, 0, 0, 0, 0, time.UTC))
	id := w.record(w.writer.Signer, Lane{"host", 0}, 1, clear{Kind: Tombstone, Time: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)})
	for i, by := range []crypto.Signer{w.owner, w.collector} {
		w.record(by, Lane{by.Name(), 0}, 1, clear{Kind: "date", Dates: map[string]time.Time{id.String(): time.Date(2026, 6, 3-i, 0, 0, 0, 0, time.UTC)}})
	}
	if got := w.log().Find(id).Date.Format("02"); got != "02" {
		t.Errorf("date %s, want 02", got)
	}
}

func TestTheTimeOfASnapshot(t *testing.T) {
	stored := time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		what    string
		claimed time.Time // sealed
		clear   time.Time
		began   time.Time // of checkpoints before; zero: none
		want    time.Time
		undated bool
	}{
		{"now", stored, stored, time.Time{}, stored, false},
		{"a clock that is a little ahead", stored.Add(5 * time.Minute), stored, time.Time{}, stored.Add(5 * time.Minute), false},
		{"a clock that is ahead", stored.Add(6 * time.Minute), stored, time.Time{}, stored, false},
		{"2099", stored.AddDate(73, 0, 0), stored.AddDate(73, 0, 0), time.Time{}, stored, false},
		{"1970", time.Unix(0, 0), time.Unix(0, 0), time.Time{}, time.Unix(0, 0), true},
		{"1970, in the sealed part alone", time.Unix(0, 0), stored, time.Time{}, time.Unix(0, 0), true},
		{"yesterday", stored.AddDate(0, 0, -1), stored, time.Time{}, stored.AddDate(0, 0, -1), false},
		{"a backup that took three days", stored.AddDate(0, 0, -3), stored, stored.AddDate(0, 0, -3).Add(time.Hour), stored.AddDate(0, 0, -3), false},
		{"one that says it took thirty", stored.AddDate(0, 0, -30), stored, stored.AddDate(0, 0, -3), stored.AddDate(0, 0, -30), true},
	} {
		t.Run(c.what, func(t *testing.T) {
			w, at := dated(t)
			lane, seq := Lane{"host", 0}, uint64(1)
			if !c.began.IsZero() {
				for _, when := range []time.Time{c.began, stored.Add(-time.Minute)} {
					at(when)
					w.record(w.writer.Signer, lane, seq, clear{Kind: Checkpoint, Time: when})
					seq++
				}
			}
			at(stored)
			s := snapshot()
			s.Time, s.Started = c.claimed, c.claimed
			id := w.record(w.writer.Signer, lane, seq, clear{Kind: Commit, Time: c.clear, Domain: 1, Sealed: w.seal(s)})
			got := w.snapshots()[id]
			if !got.Time.Equal(c.want) || !got.Claimed.Equal(c.claimed) || got.Undated != c.undated {
				t.Errorf("time %v (undated %v), claimed %v, want %v (%v), %v", got.Time, got.Undated, got.Claimed, c.want, c.undated, c.claimed)
			}
		})
	}
}

// seal is the sealed part of a commit.
func (w *world) seal(s *Snapshot) []byte {
	w.t.Helper()
	plain, err := encodeSnapshot(s)
	if err != nil {
		w.t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(w.identity)
	if err != nil {
		w.t.Fatal(err)
	}
	sealed, err := crypto.Seal(nil, archive.Compact(plain), []age.Recipient{recipient}...)
	if err != nil {
		w.t.Fatal(err)
	}
	return sealed
}

func TestARecordNamesTheHeadsOfOtherLanesOnce(t *testing.T) {
	w := newWorld(t)
	other := signer(t, "other")
	w.change(func(c *Config) { c.Writers = append(c.Writers, Member{Key: other.Verifier().Text()}) })
	first := w.commit(w.as(other), "other")
	var heads []map[string]Head
	s := w.begin()
	for i := range 2 {
		p, refs := w.pack(s, fmt.Sprint(i))
		if err := s.Checkpoint(t.Context(), one(p), refs, nil); err != nil {
			t.Fatal(err)
		}
	}
	second := w.commit(w.as(other), "other")
	if _, err := s.Commit(t.Context(), content(w.pack(s, "end"))); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = w.begin()
	if _, err := s.Commit(t.Context(), content(w.pack(s, "again"))); err != nil {
		t.Fatal(err)
	}
	for _, rec := range w.log().Records {
		if rec.Lane.Writer == "host" {
			heads = append(heads, rec.Heads)
		}
	}
	// The second of the other's records came after the session of the first commit had read the
	// log.
	want := []map[string]Head{{"other.0": {1, first.String()}}, nil, nil, {"other.0": {2, second.String()}}}
	if !slices.EqualFunc(heads, want, maps.Equal) {
		t.Errorf("heads\n%v\nwant\n%v", heads, want)
	}
	w.sound()
}

func TestAHeadThatIsNotThereIsTold(t *testing.T) {
	w := newWorld(t)
	there := w.commit(w.writer, "host")
	missing := strings.Repeat("ab", 32)
	other := signer(t, "other")
	w.change(func(c *Config) { c.Writers = append(c.Writers, Member{Key: other.Verifier().Text()}) })
	claim := func(by crypto.Signer, number, seq uint64, heads map[string]Head) {
		w.record(by, Lane{by.Name(), number}, seq, clear{Kind: Tombstone, Heads: heads})
	}
	claim(other, 0, 1, map[string]Head{"host.0": {9, missing}, "host.7": {1, missing}, "../../x": {1, missing}})
	claim(other, 0, 2, map[string]Head{"host.0": {1, there.String()}}) // its last word about this lane is right
	claim(w.writer.Signer, 1, 1, map[string]Head{"host.7": {1, missing}})
	claim(w.collector, 0, 1, map[string]Head{"host.3": {2, missing}})
	got, err := w.reader().Accusations(t.Context(), w.log())
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, a := range got {
		told = append(told, fmt.Sprintf("%s/%d %v %v", a.Lane, a.Sequence, a.By, a.Grave))
	}
	if want := []string{"host.3/2 [collector] true", "../../x/1 [other] false", "host.7/1 [host other] false"}; !slices.Equal(told, want) {
		t.Errorf("got %q, want %q", told, want)
	}
	w.sound()
}

func TestARecordThatCameWhileTheLogWasListedIsNoAccusation(t *testing.T) {
	w := newWorld(t)
	early := w.log()
	late := w.commit(w.writer, "host")
	other := signer(t, "other")
	w.change(func(c *Config) { c.Writers = append(c.Writers, Member{Key: other.Verifier().Text()}) })
	w.record(other, Lane{"other", 0}, 1, clear{Kind: Tombstone, Heads: map[string]Head{"host.0": {1, late.String()}}})
	early.add(w.log().Head(Lane{"other", 0})) // as a listing that has passed log/host.0 before
	got, err := w.reader().Accusations(t.Context(), early)
	if err != nil || len(got) > 0 {
		t.Errorf("got %v, %v, want none", got, err)
	}
}

func TestACommitSupersedesTheCheckpointsOfItsOwnRunAlone(t *testing.T) {
	w := newWorld(t)
	started := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	checkpoint := func(sources ...string) *Session {
		s := w.begin()
		s.Run("set", sources, started)
		p, refs := w.pack(s, strings.Join(sources, " "))
		if err := s.Checkpoint(t.Context(), one(p), refs, nil); err != nil {
			t.Fatal(err)
		}
		return s
	}
	interrupted := checkpoint("a")
	if err := interrupted.End(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	interrupted.Close()
	running := checkpoint("b")
	if _, err := running.Commit(t.Context(), content(w.pack(running, "b2"))); err != nil {
		t.Fatal(err)
	}
	log := w.log()
	gone := log.Superseded()
	var live []string
	for _, rec := range log.Records {
		if rec.Kind == Checkpoint && log.Live(rec, gone) {
			live = append(live, rec.Run)
		}
	}
	if want := []string{interrupted.run}; !slices.Equal(live, want) || interrupted.run == running.run {
		t.Errorf("live checkpoints are of the runs %q, want %q", live, want)
	}
	w.sound()
}

func TestWhoSharesWithWhom(t *testing.T) {
	for _, c := range []struct {
		what   string
		older  bool
		groups [2]string
		want   bool
	}{
		{"no groups", false, [2]string{"", ""}, false},
		{"no groups, under the older rule", true, [2]string{"", ""}, true},
		{"one group", false, [2]string{"g", "g"}, true},
		{"two groups", false, [2]string{"g", "h"}, false},
		{"one has a group", true, [2]string{"g", ""}, false},
	} {
		w := newWorld(t)
		other := signer(t, "other")
		w.older(other)
		w.signNext(func(body map[string]any) {
			for i, group := range c.groups {
				body["writers"].([]any)[i].(map[string]any)["group"] = group
			}
			if !c.older {
				body["rules"] = 1
			}
		})
		w.commit(w.as(other), "other")
		x := w.begin().repo.NewIndex()
		defer x.Close()
		n, err := w.begin().LoadIndex(t.Context(), x)
		if err != nil || n == 1 != c.want {
			t.Errorf("%s: loaded %d runs, %v, want them: %v", c.what, n, err, c.want)
		}
		w.sound()
	}
}

func TestATombstoneOfACollectorGivesNoIndex(t *testing.T) {
	w := newWorld(t)
	other := signer(t, "other")
	w.change(func(c *Config) { c.Writers = append(c.Writers, Member{Key: other.Verifier().Text()}) })
	poisoned := w.commit(w.as(other), "other")
	poison := w.log().Find(poisoned).Index
	s := w.begin()
	w.sign(w.collector, s.lane.record(s.sequence), clear{Kind: Tombstone, Nonce: s.nonce, Domain: 1, Index: poison})
	s.Close()
	x := s.repo.NewIndex()
	defer x.Close()
	if n, err := w.begin().LoadIndex(t.Context(), x); n != 0 || err != nil {
		t.Errorf("a collector's tombstone made the writer use %d index runs, %v", n, err)
	}
}

func TestTheFirstChangeOfAnOldConfigEndsWhatWasSharedAndSaysSo(t *testing.T) {
	for _, c := range []struct {
		others []string
		want   string
	}{
		{nil, ""},
		{[]string{"db1", "web"}, "the writers host, db1, web shared"},
	} {
		w := newWorld(t)
		var others []crypto.Signer
		for _, name := range c.others {
			others = append(others, signer(t, name))
		}
		w.older(others...)
		var warned []string
		r := w.opened(w.store, Options{Keys: Keys{Writer: w.writer}, Warn: func(text string) { warned = append(warned, text) }})
		for range 2 {
			if err := r.Change(t.Context(), w.owner, func(c *Config) error { c.Floor += "0s"; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(warned, "; "); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) || len(warned) > 1 {
			t.Errorf("%v: warned %q, want %q once", c.others, got, c.want)
		}
		config := w.reader().Config
		if config.Rules != 1 || config.Writers[0].Hosts != nil {
			t.Errorf("%v: rules %d, hosts %v, want 1, and unbound as before", c.others, config.Rules, config.Writers[0].Hosts)
		}
		w.sound()
	}
}

func TestSnapshotsOfAnOldConfigAreUnboundUntilTheOwnerSaysMore(t *testing.T) {
	w := newWorld(t)
	other := signer(t, "db1")
	w.older(other)
	mine, theirs := w.commit(w.writer, "db1"), w.commit(w.as(other), "db1")
	wantStanding := func(id archive.Name, want Standing) {
		t.Helper()
		if got := w.snapshots()[id].Standing; got != want {
			t.Errorf("standing %v, want %v", got, want)
		}
	}
	wantStanding(mine, Unbound)
	wantStanding(theirs, Unbound)
	log := w.log()
	w.change(func(c *Config) { c.Writers[1].Rebind([]string{"db1"}, log) })
	wantStanding(mine, Unbound)
	wantStanding(theirs, Bound)
	w.change(func(c *Config) { c.Writers[0].Rebind([]string{"host"}, log) })
	wantStanding(mine, Unbound)
	wantStanding(w.commit(w.as(other), "db1"), Bound)
	w.sound()
}

func TestADomainsObjectIsTheOneThatTheOwnerHasSigned(t *testing.T) {
	w := newWorld(t)
	object := w.reader().Config.Domains[0].Object
	other := newWorld(t)
	data, err := other.store.Get(t.Context(), other.reader().Config.Domains[0].Object, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.store.Set(object, data)
	_, err = Open(t.Context(), w.store, Options{Keys: Keys{Identities: w.identities()}})
	wantError(t, err, archive.ErrDamaged)
	problems, err := w.host(w.store).CheckObjects(t.Context())
	if err != nil || problems[object] == nil {
		t.Errorf("check: got %v, %v, want a problem of %s", problems, err, object)
	}
}

// addRecipient admits somebody who reads what is there, too.
func (w *world) addRecipient() {
	w.t.Helper()
	added, err := crypto.GenerateIdentity(true)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []age.Recipient
	for _, identity := range []age.Identity{w.identity, added} {
		recipient, err := crypto.RecipientOf(identity)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, recipient)
	}
	if err := w.reader().SetRecipients(w.t.Context(), w.owner, all); err != nil {
		w.t.Fatal(err)
	}
}

func TestACheckAsksForWhatTheConfigNames(t *testing.T) {
	w := newWorld(t)
	w.commitOne("content")
	w.addRecipient()
	config := w.reader().Config
	if len(config.Domains) == 0 || len(config.Headers) == 0 {
		t.Fatal("the config names no domains or no headers")
	}
	host := w.host(w.store)
	for _, object := range config.named() {
		was, err := w.store.Get(t.Context(), object, 0, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		problems, err := host.CheckObjects(t.Context())
		if err != nil || !errors.Is(problems[object], store.ErrNotExist) {
			t.Errorf("without %s: got %v, %v, want a problem of it", object, problems, err)
		}
		w.store.Set(object, was)
	}
	w.sound()
}

func TestAGapInTheConfigsIsNamed(t *testing.T) {
	w := newWorld(t)
	w.addRecipient()
	w.addRecipient()
	if err := w.store.Delete(t.Context(), configName(1)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), w.store, Options{Keys: Keys{Identities: w.identities()}})
	if wantError(t, err, ErrUntrusted); !strings.Contains(fmt.Sprint(err), configName(1)) {
		t.Errorf("%v does not name %s", err, configName(1))
	}
}

func TestGroupsAndRunsHaveNamesThatStay(t *testing.T) {
	key := crypto.NewIDKey([32]byte{1, 2, 3})
	paths := &Snapshot{Host: "db1", Sources: []SourceState{{Paths: []string{"/srv", "/etc"}}}}
	for _, c := range []struct{ what, got, want string }{
		{"a set", groupOf(key, &Snapshot{Set: "platform", Host: "db1"}), "efc75b4fba067297379b8f189e71aeed"},
		{"paths", groupOf(key, paths), "fb92f542976cbe6fa48b5ace47321e4b"},
		{"a run", runOf(key, "platform", []string{"files", "lake"}, time.Date(2026, 6, 1, 2, 3, 4, 5000, time.FixedZone("", 7200))), "3f4cfa17ceafdb33c44f138da5b00ac4"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, c.got, c.want)
		}
	}
	other := &Snapshot{Host: "db1", Sources: []SourceState{{Paths: []string{"/etc", "/srv"}}}}
	if groupOf(key, paths) != groupOf(key, other) {
		t.Error("the order of paths makes another group")
	}
}

func TestTheLastTreesAreDoubtfulWhereTheirTrustHasEnded(t *testing.T) {
	w := newWorld(t)
	other := signer(t, "other")
	w.older(other)
	keep := func() {
		t.Helper()
		s := w.begin()
		x := s.repo.NewIndex()
		defer x.Close()
		if _, err := s.LoadIndex(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		c := content(w.pack(s, "x"))
		refs, err := s.Commit(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.KeepLast("set", c.Snapshot, refs, nil); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	want := func(doubtful bool) {
		t.Helper()
		if got := w.begin().LoadLast("set").Doubtful(); got != doubtful {
			t.Errorf("doubtful: %v, want %v", got, doubtful)
		}
	}
	keep()
	want(false)
	w.change(func(c *Config) {}) // under today's rule nobody shares
	want(true)
	keep()
	want(false)
	w.change(func(c *Config) { c.Writers[0].Group, c.Writers[1].Group = "g", "g" })
	want(false)
	keep()
	w.change(func(c *Config) { c.Writers[1].Group = "" })
	want(true)
	keep()
	// A cache of the first version does not say whom a backup relied on.
	name := lastName("set") + ".json"
	r := w.host(w.store)
	data, err := r.Cache.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	var last map[string]any
	if err := json.Unmarshal(data, &last); err != nil {
		t.Fatal(err)
	}
	delete(last, "writers")
	if data, err = json.Marshal(last); err != nil {
		t.Fatal(err)
	}
	if err := r.Cache.Write(name, data); err != nil {
		t.Fatal(err)
	}
	want(true)
	w.sound()
}

// unreachable is a store that cannot be asked for records.
type unreachable struct{ store.Store }

func (u unreachable) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if strings.HasPrefix(name, "log/") {
		return nil, store.ErrUnreachable
	}
	return u.Store.Get(ctx, name, offset, length, dst)
}

func TestAccusationsNeedTheStore(t *testing.T) {
	w := newWorld(t)
	w.record(w.writer.Signer, Lane{"host", 0}, 1, clear{Kind: Tombstone, Heads: map[string]Head{"host.1": {1, strings.Repeat("ab", 32)}}})
	log := w.log()
	_, err := w.host(unreachable{w.store}).Accusations(t.Context(), log)
	wantError(t, err, store.ErrUnreachable)
}
