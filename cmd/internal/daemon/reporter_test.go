package daemon_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

const twoRepositories = `repositories: {near: {url: /near}, far: {url: /far}}
sets: {platform: {sources: [f], to: [near], schedule: "@daily", max_age: 26h}}
jobs: {check: {schedule: "@weekly"}}`

// ran writes a run into a history.
func ran(t *testing.T, f *history.File, kind, set string, at time.Time, outcome health.Outcome, code int) {
	t.Helper()
	r := &history.Run{Job: strings.TrimSpace(kind + " " + set), Kind: kind, Name: set, Run: health.Run{Start: at, Duration: time.Second}}
	if err := f.Begin(r); err != nil {
		t.Fatal(err)
	}
	r.Outcome, r.Code, r.Cause = outcome, code, "why"
	if err := f.End(r, schedule.Past{}); err != nil {
		t.Fatal(err)
	}
}

func historyOf(t *testing.T, at time.Time) *history.File {
	t.Helper()
	f, err := history.Own(filepath.Join(t.TempDir(), "history.db"), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// told is what a reporter has written and said.
type told struct {
	written []string
	said    []string
	fail    error
}

func (w *told) reporter(path string, f *history.File) *daemon.Reporter {
	return daemon.NewReporter(daemon.ReporterOptions{
		Path: path, History: f,
		Write: func(_ context.Context, repository string, o catalog.RunOutcome) error {
			if w.fail != nil {
				return w.fail
			}
			w.written = append(w.written, repository+": "+o.Job+" "+o.Set+" "+o.Result)
			return nil
		},
		Address: func(repository string) string { return "/" + repository },
		Warn:    func(text string) { w.said = append(w.said, text) },
		Say:     func(format string, _ ...any) { w.said = append(w.said, format) },
	})
}

func TestAReporterTellsEachRepositoryOfItsOwnSetsOnce(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	c, all := settings(t, twoRepositories), jobs(t, twoRepositories)
	f, path := historyOf(t, now), filepath.Join(t.TempDir(), "reported.json")
	ran(t, f, daemon.Backup, "platform", now, health.Broken, 1)
	ran(t, f, daemon.Check, "", now, health.Broken, 5)
	var w told
	for range 2 { // in two processes
		w.reporter(path, f).Report(t.Context(), c, []string{"far", "near"}, all, now.Add(time.Minute))
	}
	if got, want := strings.Join(w.written, "; "), "near: backup platform failed; far: check  failed; near: check  failed"; got != want {
		t.Errorf("wrote %s; want %s", got, want)
	}
	if len(w.said) > 0 {
		t.Errorf("said %q", w.said)
	}
}

func TestAReporterLeavesAStorageThatIsAwayAloneForAWhile(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	c, all := settings(t, twoRepositories), jobs(t, twoRepositories)
	f := historyOf(t, now)
	ran(t, f, daemon.Backup, "platform", now, health.Broken, 1)
	w := told{fail: errors.New("no route")}
	r := w.reporter(filepath.Join(t.TempDir(), "reported.json"), f)
	r.Report(t.Context(), c, []string{"near"}, all, now)
	r.Report(t.Context(), c, []string{"near"}, all, now.Add(time.Minute))
	if len(w.said) != 1 || !strings.Contains(w.said[0], "will try again") {
		t.Errorf("said %q", w.said)
	}
	w.fail = nil
	r.Report(t.Context(), c, []string{"near"}, all, now.Add(time.Hour))
	if len(w.written) != 1 {
		t.Errorf("wrote %q", w.written)
	}
}

func TestAReporterSaysNothingWhereNoKeyCanTell(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	f := historyOf(t, now)
	ran(t, f, daemon.Backup, "platform", now, health.Broken, 1)
	w := told{fail: catalog.ErrNoWriter}
	w.reporter(filepath.Join(t.TempDir(), "reported.json"), f).Report(t.Context(), settings(t, twoRepositories), []string{"near"}, jobs(t, twoRepositories), now)
	if len(w.said)+len(w.written) > 0 {
		t.Errorf("said %q, wrote %q", w.said, w.written)
	}
}

func TestFactsCountGrowthWhereItIsClearWhatHasGrown(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	f := historyOf(t, now)
	r := &history.Run{Job: "backup platform", Kind: daemon.Backup, Name: "platform", Run: health.Run{Start: now.Add(-time.Hour)}}
	if err := f.Begin(r); err != nil {
		t.Fatal(err)
	}
	r.Outcome, r.BytesStored = health.Done, 7000
	if err := f.End(r, schedule.Past{}); err != nil {
		t.Fatal(err)
	}
	ran(t, f, daemon.Backup, "platform", now, health.Broken, 8)
	sets := []health.Set{{Name: "platform", Verified: now}}
	steady := []metrics.Size{{At: now.AddDate(0, 0, -2), Packs: 3, Bytes: 50}, {At: now, Packs: 3, Bytes: 50}}
	for name, c := range map[string]struct {
		of   []daemon.Measured
		want metrics.Repository // the first
	}{
		"one, of which only runs tell":    {[]daemon.Measured{{Name: "/a"}}, metrics.Repository{Name: "/a", Growth: 1000, Verified: now}},
		"one that was measured":           {[]daemon.Measured{{Name: "/a", Sizes: steady}}, metrics.Repository{Name: "/a", Packs: 3, Bytes: 50, Verified: now}},
		"one of two, of which runs tell":  {[]daemon.Measured{{Name: "/a"}, {Name: "/b"}}, metrics.Repository{Name: "/a", Verified: now}},
		"one that was measured only once": {[]daemon.Measured{{Name: "/a", Sizes: steady[1:]}}, metrics.Repository{Name: "/a", Packs: 3, Bytes: 50, Growth: 1000, Verified: now}},
	} {
		facts, err := daemon.Facts(f, "host", sets, c.of, now)
		if err != nil {
			t.Fatal(err)
		}
		if len(facts.Repositories) != len(c.of) || facts.Repositories[0] != c.want {
			t.Errorf("%s: got %+v, want %+v", name, facts.Repositories, c.want)
		}
		if want := (metrics.Failures{Set: "platform", Host: "host", Kind: "unreachable", Count: 1}); len(facts.Failures) != 1 || facts.Failures[0] != want {
			t.Errorf("%s: got %+v, want %+v", name, facts.Failures, want)
		}
	}
}
