package catalog

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func (w *world) drills(set string, began time.Time) *DrillReport {
	w.t.Helper()
	d := &DrillReport{
		Set: set, Host: "db1", By: "host", Snapshot: strings.Repeat("ab", 32), Began: began.UTC(), Passed: true, RPO: 60, RTO: 2.5,
		Steps:    []DrillStep{{Name: "restore files", Seconds: 1, Bytes: 7, RTO: true}},
		Sources:  []DrillSource{{Name: "files", Type: "files", Place: "directory", Entries: 3}},
		Controls: []DrillControl{{Kind: "file", Source: "files", Item: "a", Noticed: true}},
	}
	if err := w.host(w.store).ReportDrill(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// reportsOfDrills are the reports that a reader finds.
func (w *world) reportsOfDrills() []*DrillReport {
	w.t.Helper()
	reports, problems, err := w.reader().ReadDrills(w.t.Context(), w.log())
	if err != nil || len(problems) > 0 {
		w.t.Fatal(problems, err)
	}
	return reports
}

func TestAReportOfADrillIsReadAsItWasWritten(t *testing.T) {
	w := newWorld(t)
	first := w.drills("platform", time.Now().Add(-time.Hour))
	w.drills("platform", time.Now().Add(-2*time.Hour))
	reports := w.reportsOfDrills()
	if len(reports) != 2 {
		t.Fatalf("got %d reports, want 2", len(reports))
	}
	got := *reports[0]
	if got.Date.IsZero() {
		t.Error("no date")
	}
	got.Date, got.Software = time.Time{}, ""
	if !reflect.DeepEqual(&got, first) {
		t.Errorf("got %+v\nwant %+v", &got, first)
	}
	w.sound()
}

func TestAReportOfADrillCountsOnlyForAHostThatItsWriterSpeaksFor(t *testing.T) {
	w := newWorld(t)
	w.drills("platform", time.Now())
	w.change(func(c *Config) { c.Writers[0].Hosts = []string{"other"} })
	wantError(t, w.host(w.store).ReportDrill(t.Context(), &DrillReport{By: "host"}), ErrOutside)
	w.change(func(c *Config) { c.Writers[0].Revoked = map[string]uint64{"host.0": 9} })
	if got := w.reportsOfDrills(); len(got) > 0 {
		t.Errorf("of a revoked writer: %+v", got)
	}
	w.sound()
}

func TestARollUpKeepsTheNewestReportsOfDrills(t *testing.T) {
	w := newWorld(t)
	began := time.Now().Add(-100 * time.Hour)
	for i := range keptDrills + 3 {
		w.drills("platform", began.Add(time.Duration(i)*time.Hour))
	}
	w.drills("other", began)
	w.commitsOne("content")
	if done := w.rollUp(); done.Force != keptDrills+2 { // the other one, and the snapshot
		t.Errorf("%d records in force, want %d", done.Force, keptDrills+2)
	}
	got := w.reportsOfDrills()
	if len(got) != keptDrills+1 || !slices.ContainsFunc(got, func(d *DrillReport) bool { return d.Set == "other" }) {
		t.Errorf("%d reports are left, want %d", len(got), keptDrills+1)
	}
	if newest := began.Add((keptDrills + 2) * time.Hour); !got[0].Began.Equal(newest) {
		t.Errorf("the newest is of %s, want %s", got[0].Began, newest)
	}
	w.sound()
}

func FuzzDrillReports(f *testing.F) {
	long := strings.Repeat("ä", maxDrillText)
	for _, seed := range []string{
		`{}`, `[]`, `{"set":"p","began":"2026-01-02T03:04:05Z","rpo":-1,"steps":[{"name":"x","seconds":1e300}]}`,
		fmt.Sprintf(`{"sources":[{"name":%q,"differences":[%q]}],"failures":[%q]}`, long, long, long),
		`{"assertions":[{"command":["a"]}],"controls":[{"kind":"row"}]}`, `{"steps":[` + strings.Repeat(`{},`, maxDrillList) + `{}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d DrillReport
		if checkJSON(text) != nil || json.Unmarshal(text, &d) != nil {
			return
		}
		d.bound()
		if len(d.Steps) > maxDrillList || len(d.Failures) > maxDrillList || len(d.Set) > maxDrillText || !utf8.ValidString(d.Set) {
			t.Errorf("not bounded: %d steps, %d failures, %d bytes", len(d.Steps), len(d.Failures), len(d.Set))
		}
		encoded, err := json.Marshal(&d)
		if err != nil {
			return // a time that JSON has no place for
		}
		var again DrillReport
		if err := json.Unmarshal(encoded, &again); err != nil {
			t.Errorf("%s: %v", encoded, err)
		}
	})
}
