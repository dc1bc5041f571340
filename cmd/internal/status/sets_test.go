package status

import (
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/pipeline/browse"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func settings(t *testing.T) *config.Config {
	t.Helper()
	c, err := config.Parse("f.yaml", []byte(`version: 1
sources: {f: {type: files, path: /x}}
sets: {platform: {sources: [f], schedule: "@daily", max_age: 26h}, loose: {sources: [f]}}`), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// snapshotOf is a complete one, an hour old.
func snapshotOf(set, host string, maxAge time.Duration) browse.SetStatus {
	s := &catalog.Snapshot{}
	s.Set, s.Host, s.Time, s.Started, s.Finished, s.MaxAge = set, host, now.Add(-time.Hour), now.Add(-time.Hour), now, int64(maxAge/time.Second)
	return browse.SetStatus{Last: s, Complete: s, Snapshots: 3}
}

// find returns a set of a host.
func find(t *testing.T, sets []health.Set, key string) health.Set {
	t.Helper()
	var found []health.Set
	for _, s := range sets {
		if s.Key() == key {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s is there %d times in %+v", key, len(found), sets)
	}
	return found[0]
}

func TestSetsAreThoseThatSomebodyCountsOn(t *testing.T) {
	sets := Sets(settings(t), "here", &browse.Status{Sets: []browse.SetStatus{
		snapshotOf("platform", "there", 0),      // of a name that the settings watch
		snapshotOf("other", "there", time.Hour), // whose own snapshots say how old they may be
		snapshotOf("loose", "there", 0),         // that nobody counts on
		snapshotOf("", "here", time.Hour),       // of this host, and not in its settings
	}})
	if len(sets) != 3 {
		t.Errorf("got %+v", sets)
	}
	if own := find(t, sets, "here/platform"); own.MaxAge != 26*time.Hour || !own.Newest.IsZero() {
		t.Errorf("of this host: %+v", own)
	}
	there := find(t, sets, "there/platform")
	if there.MaxAge != 26*time.Hour || there.Newest != now.Add(-time.Hour) || there.Last.Outcome != health.Done || there.Snapshots != 3 {
		t.Errorf("of another host: %+v", there)
	}
	if other := find(t, sets, "there/other"); other.MaxAge != time.Hour {
		t.Errorf("with a bound of its own: %+v", other)
	}
}

func TestTheSettingsOfThisHostSayHowOldItsSnapshotsMayBe(t *testing.T) {
	sets := Sets(settings(t), "here", &browse.Status{Sets: []browse.SetStatus{snapshotOf("platform", "here", time.Hour)}})
	if own := find(t, sets, "here/platform"); own.MaxAge != 26*time.Hour || own.Newest.IsZero() || own.Last.Outcome != health.None {
		t.Errorf("got %+v", own)
	}
}

func TestWhatHostsSayOfTheirRunsCounts(t *testing.T) {
	found := &browse.Status{Sets: []browse.SetStatus{snapshotOf("platform", "there", 0)}, Outcomes: []catalog.RunOutcome{
		{Job: daemon.Backup, Set: "platform", Host: "there", Result: "failed", Code: exitcode.Unreachable, Cause: "no route", Failures: 2, Since: now},
		{Job: daemon.Backup, Set: "new", Host: "there", Result: "failed", Cause: "why", MaxAge: 60},
		{Job: daemon.Backup, Set: "gone", Host: "here", Result: "failed"},
		{Job: daemon.Backup, Set: "platform", Host: "here", Result: "done", Done: true},
	}}
	sets := Sets(settings(t), "here", found)
	failed := find(t, sets, "there/platform")
	if failed.Last.Outcome != health.Broken || failed.Last.Cause != "no route" || failed.Failures != 2 || failed.FirstFault != now {
		t.Errorf("a set with snapshots: %+v", failed)
	}
	if never := find(t, sets, "there/new"); never.MaxAge != time.Minute || never.Last.Cause != "why" {
		t.Errorf("a set without snapshots: %+v", never)
	}
	if len(sets) != 3 {
		t.Errorf("what the settings of this host no longer want is told: %+v", sets)
	}
}

func TestDamageThatAnyHostHasFoundIsThatOfAllSets(t *testing.T) {
	check := catalog.RunOutcome{Job: daemon.Check, Host: "there", Code: exitcode.Integrity, Cause: "a pack is damaged", Since: now}
	sets := Sets(settings(t), "here", &browse.Status{Outcomes: []catalog.RunOutcome{check}})
	if own := find(t, sets, "here/platform"); own.Damage != "a pack is damaged (a check on there)" || own.DamageSince != now {
		t.Errorf("got %+v", own)
	}
	check.Code = exitcode.Unreachable
	if own := find(t, Sets(settings(t), "here", &browse.Status{Outcomes: []catalog.RunOutcome{check}}), "here/platform"); own.Damage != "" {
		t.Errorf("a check that found no damage: %+v", own)
	}
}
