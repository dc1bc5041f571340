package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func (w *world) reports(o RunOutcome) {
	w.t.Helper()
	if o.Host == "" {
		o.Host = "host"
	}
	if err := w.host(w.store).Report(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

// causes are the causes of the outcomes that count.
func (w *world) causes() (causes []string) {
	w.t.Helper()
	outcomes, problems, err := w.reader().ReadOutcomes(w.t.Context(), w.log())
	if err != nil || len(problems) > 0 {
		w.t.Fatal(problems, err)
	}
	for _, o := range outcomes {
		causes = append(causes, o.Set+" "+o.Cause)
	}
	slices.Sort(causes)
	return causes
}

func failedBackup(set, cause string) RunOutcome {
	return RunOutcome{Job: "backup", Set: set, Result: "failed", Began: time.Now(), Seconds: 2, Code: 8, Cause: cause}
}

func TestAnOutcomeIsReadByWhoHoldsAnIdentity(t *testing.T) {
	w := newWorld(t)
	told := RunOutcome{Job: "backup", Set: "set", Host: "host", Result: "failed", Began: time.Now().UTC(), Seconds: 1.5, Code: 1, Cause: "no disk", Since: time.Now().UTC(), Failures: 3, MaxAge: 60}
	w.reports(told)
	outcomes, problems, err := w.reader().ReadOutcomes(t.Context(), w.log())
	if err != nil || len(problems) > 0 || len(outcomes) != 1 {
		t.Fatal(outcomes, problems, err)
	}
	got := outcomes[0]
	if got.Date.IsZero() {
		t.Error("no date")
	}
	got.Date, told.Writer = time.Time{}, "host"
	if got != told {
		t.Errorf("got %+v, want %+v", got, told)
	}
	if failed := w.reader().FailedWriters(w.log()); failed["host"].IsZero() {
		t.Errorf("without an identity: %v", failed)
	}
	w.sound()
}

func TestACauseThatDoesNotEndIsCut(t *testing.T) {
	w := newWorld(t)
	w.reports(failedBackup("set", strings.Repeat("ä", 1<<20)))
	if got := w.causes(); len(got) != 1 || len(got[0]) > maxCause+len("set ") || !utf8.ValidString(got[0]) {
		t.Errorf("%d bytes", len(got[0]))
	}
	w.sound()
}

func TestASnapshotOvertakesTheOutcomesOfItsSetAlone(t *testing.T) {
	w := newWorld(t)
	w.reports(failedBackup("set", "first"))
	w.reports(failedBackup("set", "second"))
	w.reports(failedBackup("other", "third"))
	if got, want := w.causes(), []string{"other third", "set second"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w.commitsOne("content")
	if got, want := w.causes(), []string{"other third"}; !slices.Equal(got, want) {
		t.Errorf("after a snapshot: got %q, want %q", got, want)
	}
	w.reports(failedBackup("set", "fourth"))
	if got, want := w.causes(), []string{"other third", "set fourth"}; !slices.Equal(got, want) {
		t.Errorf("after that: got %q, want %q", got, want)
	}
	w.sound()
}

func TestARollUpKeepsTheNewestOutcomeOfEachJob(t *testing.T) {
	w := newWorld(t)
	for _, o := range []RunOutcome{
		failedBackup("set", "first"), failedBackup("set", "second"), failedBackup("other", "third"),
		{Job: "check", Result: "failed", Code: 5, Cause: "damage"}, {Job: "check", Result: "done", Done: true},
	} {
		w.reports(o)
	}
	w.commitsOne("content")
	before := w.causes()
	if done := w.rollUp(); done.Records != 6 || done.Force != 3 { // the snapshot, other and check
		t.Errorf("rolled up %d records, %d in force", done.Records, done.Force)
	}
	if got := w.causes(); !slices.Equal(got, before) {
		t.Errorf("got %q, want %q", got, before)
	}
	w.reports(RunOutcome{Job: "check", Result: "failed", Code: 5, Cause: "damage again"})
	if got, want := w.causes(), []string{" damage again", "other third"}; !slices.Equal(got, want) {
		t.Errorf("after a roll-up: got %q, want %q", got, want)
	}
	w.sound()
}

func TestOutcomesOfOthersHostsAndRevokedWritersAreNotTold(t *testing.T) {
	w := newWorld(t)
	w.reports(failedBackup("set", "mine"))
	o := failedBackup("set", "of another")
	o.Host = "elsewhere"
	w.change(func(c *Config) { c.Writers[0].Hosts = []string{"host"} })
	wantError(t, w.host(w.store).Report(t.Context(), o), ErrOutside)
	w.change(func(c *Config) { c.Writers[0].Revoked = map[string]uint64{"host.0": 9} })
	if got := w.causes(); len(got) > 0 {
		t.Errorf("of a revoked writer: %q", got)
	}
	w.sound()
}

func TestAReportThatCannotBeWrittenLeavesNoOpenSession(t *testing.T) {
	w := newWorld(t)
	r := w.host(w.store)
	s, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.fence(s) // a collector has declared it dead
	_, err = s.report(t.Context(), clear{Kind: Outcome}, failedBackup("set", "cause"))
	wantError(t, err, ErrRestart)
	s.Close()
	w.reports(failedBackup("set", "cause"))
	if got := w.causes(); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	w.sound()
}
