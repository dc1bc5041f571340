package pipeline_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
)

// besieged is a repository of the hosts db1 and web, each with a key of its own. Who holds web's
// key means ill.
type besieged struct {
	*world
	db1     *crypto.WriterFile
	forger  *forgetest.Forger
	victim  *fakeSource
	storing func() time.Time // the storage's clock
}

// secret is what db1 backs up, and its attacker knows.
const secret = "the accounts of the year, which somebody has seen before they were backed up"

func besiege(t *testing.T, group string) *besieged {
	t.Helper()
	b := &besieged{world: newWorld(t), storing: time.Now}
	b.store.Now = func() time.Time { return b.storing() }
	b.db1 = b.admit(catalog.Member{Hosts: []string{"db1"}, Group: group}, "db1")
	b.forger = forgetest.New(b.store, b.admit(catalog.Member{Hosts: []string{"web"}, Group: group}, "web"))
	b.victim = randomSource(2, 900, 1)
	return b
}

// admit lets another writer in.
func (w *world) admit(m catalog.Member, name string) *crypto.WriterFile {
	w.t.Helper()
	file := *w.writer
	file.Signer = signer(w.t, name)
	m.Key = file.Signer.Verifier().Text()
	w.change(func(c *catalog.Config) { c.Writers = append(c.Writers, m) })
	return &file
}

func (w *world) change(edit func(c *catalog.Config)) {
	w.t.Helper()
	if err := w.reader().Change(w.t.Context(), w.owner, func(c *catalog.Config) error { edit(c); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// backsUp makes db1's backup.
func (b *besieged) backsUp() *catalog.Snapshot {
	b.t.Helper()
	as := *b.world
	as.writer = b.db1
	o := as.options(b.victim)
	o.Host = "db1"
	s, err := as.backup(b.store, o)
	if err != nil {
		b.t.Fatalf("backup of db1: %v", err)
	}
	return s
}

// lie makes a snapshot with web's key.
func (b *besieged) lie(s forgetest.Snapshot) *catalog.Snapshot {
	b.t.Helper()
	if s.Files == nil {
		s.Files = map[string]string{"dir/file": "what the attacker wants to come back"}
	}
	if s.Set == "" {
		s.Set, s.Source = "set", "source0"
	}
	id, err := b.forger.Commit(b.t.Context(), s)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.named(id)
}

// record adds a record with web's key.
func (b *besieged) record(lane, kind string, clear map[string]any) (id string) {
	b.t.Helper()
	id, err := b.forger.Record(b.t.Context(), lane, kind, clear)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// named is the snapshot of this id, nil if it is none.
func (b *besieged) named(id string) *catalog.Snapshot {
	b.t.Helper()
	i := slices.IndexFunc(b.snapshots(), func(s *catalog.Snapshot) bool { return s.ID.String() == id })
	if i < 0 {
		return nil
	}
	return b.snapshots()[i]
}

// means tells which snapshot a name means, "" if none.
func (b *besieged) means(name, host string) string {
	b.t.Helper()
	s, err := catalog.Select(b.snapshots(), name, catalog.Filter{Host: host})
	if err != nil {
		return ""
	}
	return s.ID.String()
}

// wantLatest fails the test unless this is db1's latest snapshot, and what it restores is what db1
// has.
func (b *besieged) wantLatest(want *catalog.Snapshot) {
	b.t.Helper()
	for _, name := range []string{"latest", "@" + time.Now().AddDate(100, 0, 0).Format(time.RFC3339)} {
		if got := b.means(name, "db1"); got != want.ID.String() {
			b.t.Errorf("%s of db1 is %.12s, want %s", name, got, want.ID)
		}
	}
	b.comesBack(want)
}

// comesBack fails the test unless a snapshot of db1 restores as db1 is.
func (b *besieged) comesBack(s *catalog.Snapshot) {
	b.t.Helper()
	to := newTarget()
	problem := func(path string, err error) { b.t.Errorf("restore %s: %v", path, err) }
	if _, err := b.restoreTo(to, s, 0, restore.Options{Verify: true, Problem: problem}); err != nil {
		b.t.Fatal(err)
	}
	if diff := b.victim.differs(to); diff != "" {
		b.t.Errorf("db1 gets something else: %s", diff)
	}
}

// examine checks the repository.
func (b *besieged) examine(readData bool) *check.Report {
	b.t.Helper()
	report, err := check.Run(b.t.Context(), b.reader(), check.Options{ReadData: readData})
	if err != nil {
		b.t.Fatalf("check: %v", err)
	}
	return report
}

// isNamed fails the test unless check finds exactly one thing, which says all of these words.
func (b *besieged) isNamed(words ...string) {
	b.t.Helper()
	var found []string
	for _, f := range b.examine(true).Findings {
		found = append(found, fmt.Sprintf("%s: %v", f.Object, f.Err))
	}
	if len(found) != 1 || !saysAll(found[0], words...) {
		b.t.Errorf("check found %q, want one that says %q", found, words)
	}
}

// isNoted fails the test unless check finds nothing and notes one thing that says all of these
// words.
func (b *besieged) isNoted(words ...string) {
	b.t.Helper()
	b.check()
	if notes := b.examine(true).Notes; len(notes) != 1 || !saysAll(notes[0], words...) {
		b.t.Errorf("check notes %q, want one that says %q", notes, words)
	}
}

func saysAll(text string, words ...string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

func TestAnHonestForgeIsAccepted(t *testing.T) {
	b := besiege(t, "")
	honest := b.backsUp()
	s := b.lie(forgetest.Snapshot{Host: "web", Files: map[string]string{"a": "one", "b/c": "two"}})
	if s.Standing != catalog.Bound || s.Undated || !s.Complete() || !s.Claimed.Equal(s.Time) {
		t.Errorf("got standing %v, undated %v, complete %v, time %v of %v", s.Standing, s.Undated, s.Complete(), s.Time, s.Claimed)
	}
	if got := b.means("latest", "web"); got != s.ID.String() {
		t.Errorf("latest of web is %.12s, want %s", got, s.ID)
	}
	to := newTarget()
	if _, err := b.restoreTo(to, s, 0, restore.Options{Verify: true}); err != nil || string(to.files["b/c"].content) != "two" {
		t.Errorf("it does not come back: %v, %v", to.files, err)
	}
	again := b.lie(forgetest.Snapshot{Host: "web"})
	if got := b.means("latest~1", "web"); got != s.ID.String() || b.means("latest", "web") != again.ID.String() {
		t.Errorf("latest~1 of web is %.12s, want %s", got, s.ID)
	}
	b.check()
	if report := b.examine(false); len(report.Notes) > 0 || len(report.Unchecked) > 0 {
		t.Errorf("check notes %q and did not check %q", report.Notes, report.Unchecked)
	}
	b.wantLatest(honest)
}

func TestASnapshotOfAnothersHostIsNamedAndPassedOver(t *testing.T) {
	b := besiege(t, "")
	honest := b.backsUp()
	for _, lie := range []forgetest.Snapshot{
		{Host: "db1"},
		{Host: "db1", Lane: 7, Clear: map[string]any{"group": nil, "complete": nil}}, // as the first version wrote
	} {
		branch := *b
		branch.world = b.branch(t)
		branch.forger = forgetest.New(branch.store, b.forger.Key)
		s := branch.lie(lie)
		if s.Standing != catalog.Outside {
			t.Errorf("standing %v, want %v", s.Standing, catalog.Outside)
		}
		branch.wantLatest(honest)
		if got := branch.means(s.ID.String()[:12], ""); got != s.ID.String() {
			t.Errorf("its id means %q", got)
		}
		branch.isNamed(s.ID.String()[:12], "writer web", "back up host db1")
	}
}

func TestASnapshotOfTheFutureIsNotTheLatestForEver(t *testing.T) {
	b := besiege(t, "")
	at := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	future := b.lie(forgetest.Snapshot{Host: "web", Clear: map[string]any{"time": at}, Sealed: map[string]any{"time": at}})
	if future.Time.Sub(future.Date) > 5*time.Minute || !future.Claimed.Equal(at) {
		t.Errorf("it counts as of %v, claims %v, and is there since %v", future.Time, future.Claimed, future.Date)
	}
	if got := b.means("@2098-12-31", "web"); got != future.ID.String() {
		t.Errorf("@2098-12-31 means %q, want %s: that is when it came", got, future.ID)
	}
	now := b.lie(forgetest.Snapshot{Host: "web"})
	if got := b.means("latest", "web"); got != now.ID.String() {
		t.Errorf("latest of web is %.12s, want %s", got, now.ID)
	}
	b.check()
}

func TestAHostsPastIsNotRewrittenByWhoHoldsItsKeyToday(t *testing.T) {
	day := 24 * time.Hour
	now := time.Now().UTC()
	for _, c := range []struct {
		what          string
		clear, sealed map[string]any
		found         []string
	}{
		{"dated back", map[string]any{"time": now.Add(-3 * day)}, map[string]any{"time": now.Add(-3 * day)}, nil},
		{"1970", map[string]any{"time": time.Unix(0, 0).UTC()}, map[string]any{"time": time.Unix(0, 0).UTC()}, nil},
		{"under seal alone", nil, map[string]any{"time": now.Add(-3 * day)}, []string{"under seal"}},
		{"a backup that took three days", nil, map[string]any{"time": now.Add(-3 * day), "started": now.Add(-3 * day)}, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := besiege(t, "")
			b.storing = func() time.Time { return time.Now().Add(-4 * day) }
			before := b.lie(forgetest.Snapshot{Host: "web", Clear: map[string]any{"time": now.Add(-4 * day)}, Sealed: map[string]any{
				"time": now.Add(-4 * day), "started": now.Add(-4 * day)}})
			b.storing = time.Now
			lie := b.lie(forgetest.Snapshot{Host: "web", Clear: c.clear, Sealed: c.sealed})
			if !lie.Undated || before.Undated {
				t.Errorf("undated: the lie %v, what was before %v, want the lie alone", lie.Undated, before.Undated)
			}
			if got := b.means("@"+now.Add(-2*day).Format(time.RFC3339), "web"); got != before.ID.String() {
				t.Errorf("two days ago is %.12s, want %s", got, before.ID)
			}
			if c.found == nil {
				b.isNoted("undated snapshots of host web by writer web: 1")
			} else {
				b.isNamed(c.found...)
			}
		})
	}
}

func TestWhatTheClearPartSaysOtherwiseThanTheSealedOneIsNamed(t *testing.T) {
	for _, c := range []struct {
		what  string
		lie   func(b *besieged) forgetest.Snapshot
		words []string
	}{
		{"a group of another host", func(b *besieged) forgetest.Snapshot {
			return forgetest.Snapshot{Host: "web", Clear: map[string]any{"group": b.forger.Mark("group", "set", "db1")}}
		}, []string{"group"}},
		{"a group of nobody", func(*besieged) forgetest.Snapshot {
			return forgetest.Snapshot{Host: "web", Clear: map[string]any{"group": "0123"}}
		}, []string{"group"}},
		{"incomplete said of a complete one", func(*besieged) forgetest.Snapshot {
			return forgetest.Snapshot{Host: "web", Clear: map[string]any{"complete": false}}
		}, []string{"complete is said to be false"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := besiege(t, "")
			honest := b.backsUp()
			s := b.lie(c.lie(b))
			b.isNamed(append(c.words, s.ID.String()[:12])...)
			b.wantLatest(honest)
		})
	}
}

func TestAnIncompleteSnapshotThatIsSaidToBeCompleteIsNotMeant(t *testing.T) {
	b := besiege(t, "")
	whole := b.lie(forgetest.Snapshot{Host: "web"})
	lie := b.lie(forgetest.Snapshot{Host: "web", Missed: 3})
	if lie.Complete() {
		t.Error("what the clear part says was believed")
	}
	if got := b.means("latest", "web"); got != whole.ID.String() {
		t.Errorf("latest of web is %.12s, want %s", got, whole.ID)
	}
	b.isNamed("complete is said to be true, but is false", lie.ID.String()[:12])
}

func TestNamesThatLeadElsewhereAreRefused(t *testing.T) {
	for _, name := range []string{"../../x", "..", "", "a/b", "/etc", "a\x00b", ".ssh"} {
		b := besiege(t, "")
		honest := b.backsUp()
		s := b.lie(forgetest.Snapshot{Host: "web", Set: "set", Source: name})
		for _, meant := range []string{"latest", s.ID.String()[:12]} {
			_, err := catalog.Select(b.snapshots(), meant, catalog.Filter{Host: "web"})
			if !errors.Is(err, catalog.ErrNames) {
				t.Errorf("a source %q: %s gives %v, want %v", name, meant, err, catalog.ErrNames)
			}
		}
		b.isNamed(s.ID.String()[:12], "web", fmt.Sprintf("%q", name))
		b.wantLatest(honest)
	}
}

func TestAPathInATreeThatLeadsElsewhereIsNotRestored(t *testing.T) {
	for _, path := range []string{"../../x", "a/../../b", "/etc/passwd"} {
		b := besiege(t, "")
		honest := b.backsUp()
		link := &tree.Node{Entry: entry.Entry{Path: path, Type: entry.Symlink, Target: "here"}}
		s := b.lie(forgetest.Snapshot{Host: "web", Files: map[string]string{}, Nodes: []*tree.Node{link}})
		to := newTarget()
		if _, err := b.restoreTo(to, s, 0, restore.Options{}); err == nil || len(to.files) > 0 {
			t.Errorf("%q: restored %v, %v", path, to.files, err)
		}
		b.isNamed(s.ID.String()[:8], "tree")
		b.wantLatest(honest)
	}
}

func TestARecordInTheLaneOfAnotherIsNone(t *testing.T) {
	for _, kind := range []string{"commit", "checkpoint", "tombstone", "tag"} {
		b := besiege(t, "")
		honest := b.backsUp()
		b.record("db1.5", kind, map[string]any{"subjects": []string{honest.ID.String()}})
		if n := len(b.snapshots()); n != 1 {
			t.Errorf("%s: there are %d snapshots, want 1", kind, n)
		}
		b.wantLatest(honest)
		report := b.examine(true)
		for _, object := range []string{"log", "sessions/db1.5.0000000001"} {
			if !slices.ContainsFunc(report.Findings, func(f check.Finding) bool { return f.Object == object }) {
				t.Errorf("%s: check does not name %s: %v", kind, object, report.Findings)
			}
		}
	}
}

func TestNobodyTagsForgetsOrSupersedesWhatIsAnothers(t *testing.T) {
	b := besiege(t, "")
	b.victim.files["dir/file001.bin"].finish = source.ErrFailed
	as := *b.world
	as.writer = b.db1
	o := as.options(b.victim)
	o.Host = "db1"
	if _, err := as.backup(b.store, o); err == nil {
		t.Fatal("a source that fails made a snapshot")
	}
	b.victim.files["dir/file001.bin"].finish = nil
	checkpoint := b.only(catalog.Checkpoint)
	honest := b.backsUp()
	id := honest.ID.String()
	tag, err := b.forger.Seal(map[string]any{"add": []string{"evil"}, "remove": []string{"good"}})
	if err != nil {
		t.Fatal(err)
	}
	lane := b.forger.Lane(0)
	b.record(lane, "tag", map[string]any{"subjects": []string{id}, "sealed": tag})
	b.record(lane, "forget", map[string]any{"subjects": []string{id, checkpoint.Hash.String()}})
	b.record(lane, "commit", map[string]any{"supersedes": []string{id, checkpoint.Hash.String()}, "sealed": tag})
	b.record(lane, "checkpoint", map[string]any{"supersedes": []string{checkpoint.Hash.String()}})
	if tags := b.named(id).Tags; len(tags) > 0 {
		t.Errorf("db1's snapshot has the tags %q", tags)
	}
	log := b.log()
	gone := log.Superseded()
	for _, rec := range []*catalog.Record{log.Find(checkpoint.Hash), log.Find(honest.ID)} {
		if !log.Live(rec, gone) {
			t.Errorf("db1's %s holds nothing any more", rec.Kind)
		}
	}
	b.wantLatest(honest)
}

func TestAFalseClaimOfWhatWasThereIsNotedAndStopsNobody(t *testing.T) {
	b := besiege(t, "")
	b.backsUp()
	b.record(b.forger.Lane(0), "tombstone", map[string]any{"heads": map[string]any{
		"db1.0": map[string]any{"sequence": 99, "hash": strings.Repeat("ab", 32)},
	}})
	b.isNoted("record 99 of lane db1.0 is missing", "web has seen it")
	b.victim.add("more", []byte("more"))
	b.wantLatest(b.backsUp())
}

func TestAWriterNotesNoDates(t *testing.T) {
	b := besiege(t, "")
	honest := b.backsUp()
	b.record(b.forger.Lane(0), "tombstone", map[string]any{"dates": map[string]any{honest.ID.String(): time.Unix(0, 0).UTC()}})
	if got := b.named(honest.ID.String()); !got.Time.Equal(honest.Time) || got.Date.Before(honest.Started) {
		t.Errorf("db1's snapshot is of %v, dated %v", got.Time, got.Date)
	}
	b.check()
	b.wantLatest(honest)
}

func TestAWriterDecidesNoCollection(t *testing.T) {
	b := besiege(t, "")
	honest := b.backsUp()
	var packs []string
	for p := range archive.ListPacks(t.Context(), b.store) {
		packs = append(packs, p.Name.String())
	}
	for _, kind := range []string{"condemn", "sweep"} {
		if _, err := b.forger.Sign(t.Context(), "gc/0000000001/"+kind, map[string]any{"kind": kind, "number": 1, "packs": packs}); err != nil {
			t.Fatal(err)
		}
	}
	n := b.objects("packs/")
	b.wantLatest(honest)
	b.backsUp()
	if got := b.objects("packs/"); got != n {
		t.Errorf("db1 has stored its data again: %d packs, before %d", got, n)
	}
}

func TestASnapshotOfNoDomainHidesNothing(t *testing.T) {
	b := besiege(t, "")
	honest := b.backsUp()
	if s := b.lie(forgetest.Snapshot{Host: "web", Clear: map[string]any{"domain": 99}}); s != nil {
		t.Errorf("a snapshot of domain 99 is listed: %v", s)
	}
	b.isNamed("domain 99")
	b.wantLatest(honest)
}

// poison is what web says to be stored: in pack there lies something else, under the ids of chunks
// that db1 has.
func (b *besieged) poison(chunk string) archive.RunPack {
	b.t.Helper()
	pack, err := b.forger.Pack(b.t.Context(), strings.Repeat("x", len(chunk)))
	if err != nil {
		b.t.Fatal(err)
	}
	pack.Directory.IDs[0] = b.forger.ID(chunk)
	return pack
}

// publish makes an index run count, by a checkpoint.
func (b *besieged) publish(packs ...archive.RunPack) {
	b.t.Helper()
	run, err := b.forger.PutRun(b.t.Context(), packs)
	if err != nil {
		b.t.Fatal(err)
	}
	b.record(b.forger.Lane(0), "checkpoint", map[string]any{"index": []string{run}})
}

func TestAPoisonedIndexOfAnotherIsNotReliedOn(t *testing.T) {
	for _, c := range []struct {
		what   string
		poison func(b *besieged) archive.RunPack
	}{
		{"a wrong id for a place", func(b *besieged) archive.RunPack { return b.poison(secret) }},
		{"a pack that is not there", func(b *besieged) archive.RunPack {
			p := b.poison(secret)
			gone := *p.Pack
			gone.Name = archive.Name{9, 9, 9}
			p.Pack = &gone
			return p
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := besiege(t, "")
			b.publish(c.poison(b))
			b.victim.add("accounts", []byte(secret))
			s := b.backsUp()
			b.wantLatest(s)
			if notes := b.examine(false).Unchecked; len(notes) > 0 {
				t.Errorf("db1's data are said to rest on others: %q", notes)
			}
		})
	}
}

func TestWhoSharesTrustsAndCheckSaysSo(t *testing.T) {
	b := besiege(t, "all")
	b.publish(b.poison(secret))
	b.victim.add("accounts", []byte(secret))
	s := b.backsUp()
	unchecked := b.examine(false).Unchecked
	if len(unchecked) != 1 || !saysAll(unchecked[0], "1 pack that snapshots of host db1 need", "only writer web vouches", "--read-data") {
		t.Errorf("check without --read-data says %q", unchecked)
	}
	report := b.examine(true)
	if len(report.Unchecked) > 0 || !slices.ContainsFunc(report.Findings, func(f check.Finding) bool { return slices.Contains(f.Files, s.ID.String()[:8]+":source0/accounts") }) {
		t.Errorf("check --read-data says %v, %q", report.Findings, report.Unchecked)
	}
	var failed []string
	if _, err := b.restoreTo(newTarget(), s, 0, restore.Options{Problem: func(path string, err error) { failed = append(failed, path) }}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"accounts"}; !slices.Equal(failed, want) {
		t.Errorf("a restore fails for %q, want %q", failed, want)
	}
}

func TestWhatAnHonestWriterOfTheGroupHasStoredIsNotStoredAgain(t *testing.T) {
	b := besiege(t, "all")
	pack, err := b.forger.Pack(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	b.publish(pack)
	b.victim = newSource()
	b.victim.add("accounts", []byte(secret))
	n := b.objects("packs/")
	s := b.backsUp()
	if got := b.objects("packs/"); got != n {
		t.Errorf("there are %d packs of data, want %d", got, n)
	}
	b.wantLatest(s)
	b.check()
}

func TestAnIndexRunThatLiesAboutThePackOfAnotherIsNamed(t *testing.T) {
	b := besiege(t, "")
	honest := b.backsUp()
	lies := b.misdescribed(honest)
	b.publish(lies...)
	for _, readData := range []bool{false, true} {
		for _, f := range b.examine(readData).Findings {
			if !strings.HasPrefix(f.Object, "index/") || strings.Contains(f.Object, b.log().Find(honest.ID).Index[0]) || !strings.Contains(f.Err.Error(), "writer web") {
				t.Errorf("check finds %s: %v", f.Object, f.Err)
			}
		}
	}
	if n := len(b.examine(false).Findings); n != len(lies) {
		t.Errorf("check has %d findings, want %d", n, len(lies))
	}
	b.victim.add("accounts", []byte(secret))
	b.wantLatest(b.backsUp())
}

// misdescribed are the packs of a snapshot, with the secret as the first thing in each.
func (b *besieged) misdescribed(s *catalog.Snapshot) []archive.RunPack {
	b.t.Helper()
	packs, err := b.reader().LoadRun(b.t.Context(), b.runOf(b.log().Find(s.ID)))
	if err != nil {
		b.t.Fatal(err)
	}
	lies := make([]archive.RunPack, len(packs))
	for i, p := range packs {
		d := *p.Directory
		d.IDs = slices.Clone(d.IDs)
		d.IDs[0] = b.forger.ID(secret)
		lies[i] = archive.RunPack{Pack: p.Pack, Directory: &d}
	}
	return lies
}

func TestWhatWasSharedUnderAnOlderRuleIsReadAgainOnce(t *testing.T) {
	b := besiege(t, "all")
	b.publish(b.poison(secret))
	b.victim.add("accounts", []byte(secret))
	b.backsUp() // stores nothing of the accounts
	reads := func() (n int) { return *b.victim.files["accounts"].reads }
	before := reads()
	b.backsUp()
	if reads() != before {
		t.Error("an unchanged file was read again while it was shared")
	}
	b.change(func(c *catalog.Config) {
		for i := range c.Writers {
			c.Writers[i].Group = ""
		}
	})
	others := *b.victim.files["dir/file000.bin"].reads
	s := b.backsUp()
	if got := reads() - before; got != 1 {
		t.Errorf("the file was read %d times after the sharing has ended, want once", got)
	}
	if got := *b.victim.files["dir/file000.bin"].reads - others; got != 0 {
		t.Errorf("what db1 has stored itself was read %d times", got)
	}
	b.wantLatest(s)
	b.backsUp()
	if got := reads() - before; got != 1 {
		t.Errorf("the file was read %d times, want once", got)
	}
	if left := b.examine(false).Unchecked; len(left) != 1 { // the snapshots from before rest on web as they did
		t.Errorf("check says %q", left)
	}
}

func TestAPlaceInOnesOwnPackThatAnotherHasToldIsReadAgainToo(t *testing.T) {
	b := besiege(t, "all")
	first := b.backsUp()
	b.publish(b.misdescribed(first)...)
	b.victim.add("accounts", []byte(secret))
	b.backsUp() // takes the accounts for what lies in its own pack
	b.change(func(c *catalog.Config) {
		for i := range c.Writers {
			c.Writers[i].Group = ""
		}
	})
	b.wantLatest(b.backsUp())
}

func TestWhatNobodyVouchesForIsReadAgain(t *testing.T) {
	b := besiege(t, "all")
	b.publish(b.poison(secret))
	b.victim.add("accounts", []byte(secret))
	b.backsUp()
	b.store.Set(archive.Runs.Object(b.runOf(b.only(catalog.Checkpoint))), []byte("spoilt"))
	if err := os.RemoveAll(filepath.Join(b.cache, "index")); err != nil {
		t.Fatal(err)
	}
	b.change(func(c *catalog.Config) {
		for i := range c.Writers {
			c.Writers[i].Group = ""
		}
	})
	b.wantLatest(b.backsUp())
}

func TestABackupOutsideItsWritersBindingWritesNothing(t *testing.T) {
	b := besiege(t, "")
	as := *b.world
	as.writer = b.db1
	n := b.objects("")
	for _, dry := range []bool{false, true} {
		o := as.options(b.victim)
		o.Host, o.DryRun = "web", dry
		s, err := as.backup(b.store, o)
		if s != nil || !errors.Is(err, catalog.ErrOutside) {
			t.Errorf("dry run %v: got %v, %v, want %v", dry, s, err, catalog.ErrOutside)
		}
	}
	if got := b.objects(""); got != n {
		t.Errorf("there are %d objects, before %d", got, n)
	}
	if *b.victim.files["dir/file000.bin"].reads > 0 {
		t.Error("the source was read")
	}
}

// runOf is the index run that a record names.
func (w *world) runOf(rec *catalog.Record) archive.Name {
	w.t.Helper()
	run, err := archive.ParseName(rec.Index[0])
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// only is the one record of a kind.
func (w *world) only(kind catalog.Kind) *catalog.Record {
	w.t.Helper()
	var found []*catalog.Record
	for _, rec := range w.log().Records {
		if rec.Kind == kind {
			found = append(found, rec)
		}
	}
	if len(found) != 1 {
		w.t.Fatalf("there are %d records of kind %s, want 1", len(found), kind)
	}
	return found[0]
}

func (w *world) log() *catalog.Log {
	w.t.Helper()
	log, err := w.reader().ReadLog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return log
}

// TestAFileThatIsLongerThanItsChunksIsDamaged: it must not come back with zeros in place of what is
// not there.
func TestAFileThatIsLongerThanItsChunksIsDamaged(t *testing.T) {
	b := besiege(t, "")
	claims := func(size int64) *tree.Node {
		return &tree.Node{Entry: entry.Entry{Path: "file", Type: entry.File, Size: size, Mode: 0o600}}
	}
	for _, c := range []struct {
		size    int64
		damaged bool
	}{{0, false}, {9, true}, {1 << 40, true}} {
		s := b.lie(forgetest.Snapshot{Host: "web", Files: map[string]string{}, Nodes: []*tree.Node{claims(c.size)}})
		var problems []error
		to := newTarget()
		_, err := b.restoreTo(to, s, 0, restore.Options{Problem: func(_ string, err error) { problems = append(problems, err) }})
		if err != nil {
			t.Fatal(err)
		}
		damaged := len(problems) == 1 && errors.Is(problems[0], archive.ErrDamaged)
		if damaged != c.damaged || !c.damaged && len(problems) > 0 {
			t.Errorf("%d bytes without chunks: got the problems %v, want damage: %v", c.size, problems, c.damaged)
		}
		if named := len(b.examine(true).Findings) > 0; named != c.damaged {
			t.Errorf("%d bytes without chunks: check finds something: %v, want %v", c.size, named, c.damaged)
		}
	}
}
