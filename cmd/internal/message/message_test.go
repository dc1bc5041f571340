package message

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/browse"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/platform"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

func wantLines(t *testing.T, got string, want ...string) {
	t.Helper()
	if got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func node(kind entry.Type, size int64) *tree.Node {
	return &tree.Node{Entry: entry.Entry{Type: kind, Size: size}}
}

func TestADifferenceIsCountedByItsKind(t *testing.T) {
	m := Diff{Source: strings.Repeat("a", 64)}
	m.Count(browse.Added, &tree.Change{New: node(entry.File, 1024)})
	m.Count(browse.Added, &tree.Change{New: node(entry.Directory, 0)})
	m.Count(browse.Removed, &tree.Change{Old: node(entry.Symlink, 0)})
	m.Count(browse.Modified, &tree.Change{Old: node(entry.File, 1), New: node(entry.File, 2048)})
	m.Count(browse.Retyped, &tree.Change{Old: node(entry.File, 1), New: node(entry.Directory, 0)})
	m.Count(browse.Touched, &tree.Change{Old: node(entry.File, 1), New: node(entry.File, 1)})
	m.ChangedTables = 1
	wantLines(t, m.Text(),
		"from snapshot aaaaaaaaaaaa to what is there now", "files: 1 new, 0 removed, 1 changed", "dirs: 1 new, 0 removed",
		"others: 0 new, 1 removed; 1 of another type, 1 with other metadata", "tables: 1 differ", "added: 1.00 KiB, changed: 2.00 KiB, removed: 0 B")
}

func TestStatsSayWhatTheirModeCounts(t *testing.T) {
	s := &catalog.Snapshot{Sources: []catalog.SourceState{{Coverage: catalog.Coverage{Files: 2, Bytes: 4096}}}}
	w := browse.Weight{Chunks: 3, Raw: 2048, Data: 1024, Stored: 1024, Trees: 512}
	wantLines(t, StatsOf("restore-size", []*catalog.Snapshot{s}, w).Text(), "snapshots:      1", "files:          2", "restore size:   4.00 KiB")
	raw := StatsOf("raw-data", []*catalog.Snapshot{s}, w)
	if raw.TotalSize != 1024 || raw.CompressionRatio != 2 || raw.Saving != 50 || raw.Deduplication != 0 {
		t.Errorf("raw-data is %+v", raw)
	}
	wantLines(t, StatsOf("all", []*catalog.Snapshot{s}, w).Text(),
		"snapshots:      1", "files:          2", "restore size:   4.00 KiB", "chunks:         3, 2.00 KiB before compression",
		"stored:         1.00 KiB, of which trees 512 B", "deduplication:  4.00 : 1", "compression:    2.00 : 1")
}

func TestAPruneSaysWhatItHasLeft(t *testing.T) {
	m := PruneOf(&collect.Report{Deleted: 1, Bytes: 1024, Sighted: 2, Locked: 1, LockedBytes: 512, Moved: 1, MovedBytes: 2048, NewBytes: 1024, Plan: &collect.Plan{Stored: 4096}})
	wantLines(t, m.Text(), "deleted 1 pack, 1.00 KiB of 4.00 KiB", "repacked 1 pack, 2.00 KiB, into 1.00 KiB",
		"found 2 packs without a record: the next prune deletes those of interrupted backups", "1 pack, 512 B, cannot be deleted yet: the storage has locked them; each prune tries again")
	plan := PrunePlanOf(&collect.Plan{Packs: make([]collect.Dead, 2), Bytes: 1024, Stored: 4096}, Repack{}, "plan.json")
	wantLines(t, plan.Text(), "would delete 2 packs, 1.00 KiB of 4.00 KiB", "wrote the plan to plan.json")
}

func TestAReasonNamesItsSnapshotIfThatIsKnown(t *testing.T) {
	at := time.Date(2026, 11, 20, 14, 0, 0, 0, time.Local)
	commit := &catalog.Record{Hash: archive.Name{0xab}, Date: at}
	commit.Kind = catalog.Commit
	m := ExplainOf(&archive.Pack{Name: archive.Name{1}, Kind: archive.Data, Size: 1024}, []collect.Reason{
		{Record: commit, Snapshot: &catalog.Snapshot{Set: "platform", Host: "db1"}, Forgotten: at.Add(time.Hour)},
	})
	text := m.Text(time.Hour)
	if want := "snapshot ab0000000000 of platform, db1, forgotten 2026-11-20 15:00:00: until 2026-11-20 16:00:00"; !strings.Contains(text, want) {
		t.Errorf("%q does not say %q", text, want)
	}
	if text := ExplainOf(&archive.Pack{Kind: archive.Data}, nil).Text(0); !strings.HasSuffix(text, "nothing needs it: prune deletes it") {
		t.Errorf("without a reason it says %q", text)
	}
}

func TestADatabaseListsWhatIsNotExactBeforeItsSummary(t *testing.T) {
	inexact := database.Finding{Object: database.ObjectID{Kind: "view", Name: "v"}, Status: database.Dropped, Reason: "it has no counterpart"}
	r := &database.Report{Source: "PostgreSQL 15", Findings: []database.Finding{inexact}, Statements: []string{"CREATE VIEW v"}}
	wantLines(t, DatabaseOf("import", r, time.Second, true).Text(r), inexact.String(), "these statements came with the database and would run:", "CREATE VIEW v;",
		"import of PostgreSQL 15: no rows were read; 0 objects exact, 1 not; nothing was changed: this was a dry run")
	if m := DatabaseOf("import", r, time.Second, false); len(m.Statements) > 0 {
		t.Errorf("what ran says that %q would run", m.Statements)
	}
}

func TestTheLastDrillHasAnAgeAndTheFirstOfItsFailures(t *testing.T) {
	began := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	row := LastDrillOf(&drill.Latest{DrillReport: &catalog.DrillReport{Host: "db1", Began: began, Failures: []string{"row", "file"}}}, began.Add(90*time.Second))
	if row.Age != 90 || row.Failure != "row" || row.Passed {
		t.Errorf("the row is %+v", row)
	}
	if early := LastDrillOf(&drill.Latest{DrillReport: &catalog.DrillReport{Began: began}}, began.Add(-time.Hour)); early.Age != 0 {
		t.Errorf("a drill that is to come is %d s old", early.Age)
	}
	table := LastDrillTable([]LastDrill{row})
	if got := table.Rows[0][:3]; strings.Join(got, " ") != "- db1 failed" {
		t.Errorf("its line begins with %q", got)
	}
}

func TestAPlatformSaysHowToGoBack(t *testing.T) {
	r := &platform.Report{Set: "platform", Snapshot: strings.Repeat("b", 64), State: platform.Done, Sources: []*platform.Part{
		{Name: "files", Type: "files", State: platform.Restored, Work: platform.Work{Restored: 2, Bytes: 1024}},
		{Name: "metadata", Type: "database", State: platform.Restored, Work: platform.Work{Restored: 7}, Database: &platform.Swapped{Before: "old", Drop: "DROP DATABASE old"}},
	}}
	text := Platform{File: "/state/r.json", Report: r}.Text()
	for _, want := range []string{
		": 2 written (1.00 KiB), 0 there already, 0 removed, 0 failed\n", ": 7 rows; the one before is kept as old: drop it when nobody needs it (DROP DATABASE old)\n",
		"platform is back, snapshot bbbbbbbbbbbb, in 0s; put back what was there with: packstone restore --undo /state/r.json",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}

func TestWhatIsDanglingSaysWhatItsValueMeans(t *testing.T) {
	for _, test := range []struct {
		row  DanglingRow
		want string
	}{
		{DanglingRow{Value: "a", Cause: "it leads out"}, `"a" is no path in files: it leads out`},
		{DanglingRow{Value: "a", Path: "b/a"}, `"a", the path b/a, is not in files of the snapshot`},
		{DanglingRow{Value: "a"}, `"a" is not in files of the snapshot`},
	} {
		if got := test.row.Text("files"); got != test.want {
			t.Errorf("%+v says %q, want %q", test.row, got, test.want)
		}
	}
}

func TestAPlanOfADrillSaysWhereEachSourceGoes(t *testing.T) {
	s := &catalog.Snapshot{Sources: []catalog.SourceState{{Name: "files", Type: "files"}, {Name: "a", Type: "database"}, {Name: "b", Type: "database"}, {Name: "c", Type: "database"}}}
	lines := DrillPlan(drill.Options{
		Snapshot: s, Directory: "/scratch", Places: map[string]drill.Place{"b": {Engine: "sqlite"}, "c": {Server: "/etc/url"}},
		Assertions: []drill.Assertion{{Source: "a", SQL: "SELECT 1"}, {Command: []string{"test", "-e", "x"}}},
	})
	wantLines(t, strings.Join(lines[1:], "\n"), "files: to a directory", "a: to a server of its own engine if that is installed, else sqlite", "b: to sqlite",
		"c: to a new database on the server of the URL in /etc/url", "would assert: a: SELECT 1", "would assert: test -e x")
}

func TestARepairSaysWhatIsGoodAgain(t *testing.T) {
	before := &check.Report{Findings: []check.Finding{{Object: "a", Err: errors.New("torn")}, {Object: "b", Err: errors.New("gone")}}}
	after := &check.Report{Findings: before.Findings[1:]}
	m := RepairOf(before, after, false)
	if len(m.Left) != 1 || len(m.Repaired) != 1 || m.Repaired[0] != "a" {
		t.Errorf("the repair is %+v, want a repaired and b left", m)
	}
	wantLines(t, m.Text(), "repaired 1 of 2 damaged objects")
	wantLines(t, RepairOf(before, before, true).Text(), "2 objects damaged or missing; nothing was changed")
	wantLines(t, RepairOf(&check.Report{}, after, false).Text(), "nothing is damaged")
}
