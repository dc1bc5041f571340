package history_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

var start = time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)

func own(t *testing.T, path string) *history.File {
	t.Helper()
	f, err := history.Own(path, start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// backup writes down a run of the set s that answers a slot.
func backup(t *testing.T, f *history.File, at time.Time, outcome health.Outcome, cause string) {
	t.Helper()
	r := history.Run{Job: "backup s", Kind: history.Backup, Name: "s", Why: schedule.Slot, Slot: at, Run: health.Run{Start: at}}
	if err := f.Begin(&r); err != nil {
		t.Fatal(err)
	}
	r.Duration, r.Outcome, r.Cause, r.Files = time.Minute, outcome, cause, 7
	if outcome != health.Broken {
		r.Snapshot = "abc"
	}
	if err := f.End(&r, schedule.Past{Answered: at}); err != nil {
		t.Fatal(err)
	}
}

func facts(t *testing.T, f *history.File) health.Set {
	t.Helper()
	s := health.Set{Name: "s", MaxAge: 24 * time.Hour}
	if err := f.AddFacts(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatIsRememberedOutlivesItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "history.db")
	f := own(t, path)
	backup(t, f, start, health.Done, "")
	r := history.Run{Job: "backup s", Kind: history.Backup, Name: "s", Slot: start.Add(time.Hour), Run: health.Run{Start: start.Add(time.Hour)}}
	if err := f.Begin(&r); err != nil {
		t.Fatal(err)
	}
	f.Close() // as a process that is killed does

	f = own(t, path)
	past, err := f.Past()
	if err != nil || !past["backup s"].Answered.Equal(start) {
		t.Errorf("remembered %+v, %v; want that the slot %s was answered", past, err, start)
	}
	runs, err := f.Runs(10)
	if err != nil || len(runs) != 2 || runs[0].Outcome != health.Interrupted || runs[1].Outcome != health.Done || runs[1].Duration != time.Minute || runs[1].Files != 7 {
		t.Errorf("runs %+v, %v", runs, err)
	}
	if s := facts(t, f); !s.Newest.Equal(start) || s.Last.Outcome != health.Interrupted || s.Failures != 0 {
		t.Errorf("facts %+v", s)
	}
}

func TestOneProcessOwnsAHistoryAndOthersReadIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	if f, err := history.Read(path); f != nil || err != nil {
		t.Fatalf("reading nothing: %v, %v", f, err)
	}
	backup(t, own(t, path), start, health.Done, "")
	if _, err := history.Own(path, start); !errors.Is(err, history.ErrOwned) {
		t.Errorf("owned twice: %v", err)
	}
	f, err := history.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s := facts(t, f); !s.LastSuccess.Equal(start.Add(time.Minute)) {
		t.Errorf("facts %+v", s)
	}
}

func TestADamagedHistoryIsPutAsideAndTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	f := own(t, path)
	for i := range 200 {
		backup(t, f, start.Add(time.Duration(i)*time.Minute), health.Broken, fmt.Sprint("cause ", i))
	}
	f.Close()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(content) / 2; i < len(content)/2+8192; i++ {
		content[i] ^= 0x55
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := history.Read(path); !errors.Is(err, history.ErrDamaged) {
		t.Errorf("reading it: %v, want ErrDamaged", err)
	}
	f = own(t, path)
	if _, err := os.Stat(f.PutAside()); err != nil {
		t.Errorf("put aside as %q: %v", f.PutAside(), err)
	}
	backup(t, f, start, health.Done, "")
	f.Close()
	if f = own(t, path); f.PutAside() != "" {
		t.Errorf("the new one is damaged too: %s", f.PutAside())
	}
}

func TestFaultsSinceTheLastSuccessAreCounted(t *testing.T) {
	f := own(t, filepath.Join(t.TempDir(), "history.db"))
	for i, outcome := range []health.Outcome{health.Broken, health.Done, health.Broken, health.Interrupted, health.Broken} {
		backup(t, f, start.Add(time.Duration(i)*time.Hour), outcome, "no route")
	}
	s := facts(t, f)
	if s.Failures != 2 || !s.FirstFault.Equal(start.Add(2*time.Hour+time.Minute)) || s.Last.Cause != "no route" {
		t.Errorf("facts %+v", s)
	}
	if got := health.Judge(s, start.Add(5*time.Hour)); got.State != health.Failed {
		t.Errorf("judged %s", got.State)
	}
	if failures, err := f.Failures(); err != nil || len(failures) != 1 || failures[0].Count != 3 {
		t.Errorf("failures %+v, %v; want 3 of one kind", failures, err)
	}
	faults, err := f.Faults(2)
	if err != nil || len(faults) != 2 || !faults[0].Start.Equal(start.Add(4*time.Hour)) {
		t.Errorf("faults %+v, %v", faults, err)
	}
}

func TestASnapshotThatATripwireMarkedIsNoProtection(t *testing.T) {
	f := own(t, filepath.Join(t.TempDir(), "history.db"))
	backup(t, f, start, health.Done, "")
	r := history.Run{Job: "backup s", Kind: history.Backup, Name: "s", Slot: start.Add(time.Hour), Run: health.Run{Start: start.Add(time.Hour)}}
	if err := f.Begin(&r); err != nil {
		t.Fatal(err)
	}
	r.Outcome, r.Snapshot, r.Trip = health.Done, "def", "files -40%"
	if err := f.End(&r, schedule.Past{Answered: r.Slot}); err != nil {
		t.Fatal(err)
	}
	if s := health.Judge(facts(t, f), start.Add(2*time.Hour)); s.State != health.Tripped || !s.Newest.Equal(start) || s.Cause != "files -40%" {
		t.Errorf("facts %+v", s)
	}
}

func TestOldRunsGoButNoneThatSaysHowASetIs(t *testing.T) {
	f := own(t, filepath.Join(t.TempDir(), "history.db"))
	backup(t, f, start, health.Done, "")
	for i := range 10 {
		backup(t, f, start.AddDate(0, 0, i+1), health.Broken, "no route")
	}
	backup(t, f, start.AddDate(1, 0, 0), health.Broken, "no route")
	runs, err := f.Runs(100)
	if err != nil || len(runs) != 3 {
		t.Errorf("%d runs are left, %v; want the last, the last good and the first bad one", len(runs), err)
	}
	if s := facts(t, f); !s.Newest.Equal(start) || !s.FirstFault.Equal(start.AddDate(0, 0, 1).Add(time.Minute)) {
		t.Errorf("facts %+v", s)
	}
}

func TestSetsAreWatchedFromTheFirstTimeOn(t *testing.T) {
	f := own(t, filepath.Join(t.TempDir(), "history.db"))
	for i, sets := range [][]string{{"s"}, {"s", "other"}, {"other"}, {"s", "other"}} {
		if err := f.Watch(sets, start.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
		want := start
		switch i {
		case 2:
			want = time.Time{}
		case 3:
			want = start.Add(3 * time.Hour)
		}
		if got := facts(t, f).Watched; !got.Equal(want) {
			t.Errorf("step %d: got %s, want %s", i, got, want)
		}
	}
}
