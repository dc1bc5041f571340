package daemon_test

import (
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
)

func TestTheRepositoryIsToldOfChangesAndOnceADay(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	since := now.Add(-time.Hour)
	row := func(kind string, outcome health.Outcome, snapshot string) *history.Row {
		r := &history.Row{Run: history.Run{Kind: kind, Snapshot: snapshot}, Since: since}
		r.Outcome, r.Code = outcome, 1
		return r
	}
	failed := row(daemon.Backup, health.Broken, "")
	told := daemon.Reported{}.After(failed, now.Add(-time.Hour))
	aged := daemon.Reported{}.After(failed, now.Add(-24*time.Hour))
	other := told
	other.Since = since.Add(-time.Minute)
	for name, c := range map[string]struct {
		last *history.Row
		told daemon.Reported
		want bool
	}{
		"nothing has run":            {nil, daemon.Reported{}, false},
		"all is well":                {row(daemon.Backup, health.Done, "abc"), daemon.Reported{}, false},
		"the first failure":          {failed, daemon.Reported{}, true},
		"the same row":               {failed, told, false},
		"another row":                {failed, other, true},
		"a day later":                {failed, aged, true},
		"a backup is done again":     {row(daemon.Backup, health.Done, "abc"), told, false},
		"a snapshot is incomplete":   {row(daemon.Backup, health.Missing, "abc"), told, false},
		"incomplete, and none there": {row(daemon.Backup, health.Missing, ""), daemon.Reported{}, true},
		"a check is done":            {row(daemon.Check, health.Done, ""), daemon.Reported{}, false},
		"a check is done again":      {row(daemon.Check, health.Done, ""), told, true},
	} {
		if got := daemon.Report(c.last, c.told, now); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	away := row(daemon.Backup, health.Broken, "")
	away.Code, away.Since = 8, now.Add(-time.Minute)
	if daemon.Rests(failed, now.Add(-time.Hour), now) || !daemon.Rests(failed, now.Add(-time.Minute), now) || !daemon.Rests(away, time.Time{}, now) ||
		daemon.Rests(away, time.Time{}, now.Add(time.Hour)) {
		t.Error("storage that could not be reached is left alone for a while, and not for ever")
	}
	if !told.Over(row(daemon.Backup, health.Done, "abc")) || told.Over(failed) || told.Over(row(daemon.Check, health.Done, "")) {
		t.Error("a snapshot ends what was told of failed backups, and of those alone")
	}
}
