package health_test

import (
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func TestTheVerdictNamesTheGravestThing(t *testing.T) {
	good := health.Set{Name: "s", Newest: now.Add(-time.Hour), Snapshots: 3, MaxAge: 26 * time.Hour, Last: health.Run{Start: now.Add(-time.Hour), Outcome: health.Done}}
	with := func(change func(s *health.Set)) health.Set { s := good; change(&s); return s }
	failed := func(s *health.Set) {
		s.Last = health.Run{Start: now.Add(-time.Minute), Outcome: health.Broken, Cause: "no route"}
		s.Failures, s.FirstFault = 1, now.Add(-time.Minute)
	}
	tests := []struct {
		name  string
		set   health.Set
		state health.State
		cause string
	}{
		{"all is well", good, health.Protected, ""},
		{"nothing is known", health.Set{Name: "s"}, health.Never, "never"},
		{"watched, and never backed up", health.Set{Name: "s", MaxAge: time.Hour, Watched: now.Add(-2 * time.Hour)}, health.Late, "no complete snapshot for more than 1h"},
		{"watched since a moment ago", health.Set{Name: "s", MaxAge: 3 * time.Hour, Watched: now.Add(-2 * time.Hour)}, health.Never, "never"},
		{"watched without a bound", health.Set{Name: "s", Watched: now.AddDate(-1, 0, 0)}, health.Never, "never"},
		{"incomplete for too long", health.Set{Name: "s", MaxAge: time.Hour, Snapshots: 2, Watched: now.Add(-2 * time.Hour),
			Last: health.Run{Start: now.Add(-time.Minute), Outcome: health.Missing, Cause: "2 files"}}, health.Late, "2 files"},
		{"too old", with(func(s *health.Set) { s.Newest = now.Add(-27 * time.Hour) }), health.Late, "older than 26h"},
		{"no bound", with(func(s *health.Set) { s.Newest, s.MaxAge = now.AddDate(-1, 0, 0), 0 }), health.Protected, ""},
		{"the last run failed", with(failed), health.Failed, "no route"},
		{"failed and too old", with(func(s *health.Set) { failed(s); s.Newest = now.Add(-27 * time.Hour) }), health.Late, "no route"},
		{"the first run failed", with(func(s *health.Set) { failed(s); s.Newest, s.Snapshots = time.Time{}, 0 }), health.Failed, "no route"},
		{"failed, then interrupted", with(func(s *health.Set) { failed(s); s.Last.Outcome = health.Interrupted }), health.Failed, "interrupted"},
		{"interrupted", with(func(s *health.Set) { s.Last.Outcome = health.Interrupted }), health.Protected, ""},
		{"something is missing", with(func(s *health.Set) { s.Last.Outcome, s.Last.Cause = health.Missing, "2 files" }), health.Incomplete, "2 files"},
		{"snapshots, of which nothing is known but their number", health.Set{Name: "s", Snapshots: 2, Counted: true}, health.Never, "never"},
		{"tripped", with(func(s *health.Set) { s.Tripped, s.TripCause = true, "files -40%" }), health.Tripped, "-40%"},
		{"the last drill failed", with(func(s *health.Set) { s.DrillFault = "2 differences" }), health.Undrilled, "2 differences"},
		{"a drill and a backup failed", with(func(s *health.Set) { failed(s); s.DrillFault = "2 differences" }), health.Failed, "no route"},
		{"drilled, and backed up elsewhere", health.Set{Name: "s", DrillOnly: true, Drilled: now}, health.Protected, ""},
		{"not drilled well, and backed up elsewhere", health.Set{Name: "s", DrillOnly: true, DrillFault: "2 differences"}, health.Undrilled, "2 differences"},
		{"damaged", with(func(s *health.Set) { failed(s); s.Damage = "pack 12" }), health.Damaged, "pack 12"},
	}
	for _, test := range tests {
		got := health.Judge(test.set, now)
		if got.State != test.state || !strings.Contains(got.Cause, test.cause) || got.State.Good() != (got.Cause == "") {
			t.Errorf("%s: %s because %q, want %s because of %q", test.name, got.State, got.Cause, test.state, test.cause)
		}
	}
}

func TestOnlyChangesOfStateAreChanges(t *testing.T) {
	set := func(name string, state health.State) health.Set { return health.Set{Name: name, State: state} }
	before := []health.Set{set("same", health.Failed), set("better", health.Late), set("worse", health.Protected)}
	after := []health.Set{set("same", health.Failed), set("better", health.Protected), set("worse", health.Failed),
		set("new", health.Never), set("new and good", health.Protected), set("new and bad", health.Late)}
	var got []string
	for _, c := range health.Changes(before, after) {
		got = append(got, c.After.Name)
		if c.Recovered() != (c.After.Name == "better") {
			t.Errorf("%s: recovered is %v", c.After.Name, c.Recovered())
		}
	}
	if want := "better, worse, new and bad"; strings.Join(got, ", ") != want {
		t.Errorf("changed: %q, want %q", strings.Join(got, ", "), want)
	}
}
