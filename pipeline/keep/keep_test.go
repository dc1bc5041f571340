package keep_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/keep"
)

func TestARunLocksAllThatARestoreNeedsAndTheNextNothing(t *testing.T) {
	w := newWorld(t)
	stray := []byte("stray")
	if err := w.bucket.Put(t.Context(), "stray/object", stray, sha256.Sum256(stray)); err != nil {
		t.Fatal(err)
	}
	first := w.keep(w.options())
	if left := w.unlocked(w.now.Add(30*day - time.Second)); len(left) > 0 {
		t.Errorf("not locked for 30 days: %v", left)
	}
	if first.Extended.Objects == 0 || first.Extended.Objects != first.Needed.Objects || first.Asked != first.Needed.Objects || first.Mode != store.Governance || first.Missing != 0 {
		t.Errorf("the first run: %+v", first)
	}
	if lock, err := w.bucket.LockOf(t.Context(), "stray/object", ""); err != nil || lock.Until.After(w.now.Add(day)) {
		t.Errorf("what no restore needs is locked until %s, %v", lock.Until, err)
	}
	w.faulty.Reset()
	second := w.keep(w.options())
	if second.Extended.Objects != 0 || second.Asked != 0 || second.Kept != first.Needed || !second.Until.Equal(first.Until) || w.faulty.Count(storetest.Extend) != 0 {
		t.Errorf("the second run: %+v", second)
	}
	w.sound()
}

func TestADryRunForeseesAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.DryRun = true
	foreseen := w.keep(o)
	if w.faulty.Count(storetest.Extend)+w.faulty.Count(storetest.LockOf) != 0 {
		t.Errorf("a dry run made requests: %v", w.faulty.Calls())
	}
	if done := w.keep(w.options()); foreseen.Extended != done.Extended || foreseen.Asked != done.Asked {
		t.Errorf("foreseen: %+v, done: %+v", foreseen, done)
	}
	w.sound()
}

func TestADailyRunTouchesEachObjectEveryFewDays(t *testing.T) {
	w := newWorld(t)
	extensions, runs := 0, 0
	for range 30 {
		w.now = w.now.Add(day)
		report := w.keep(w.options())
		if report.Extended.Objects > 0 {
			runs++
		}
		extensions += report.Extended.Objects
		if left := w.unlocked(w.now.Add(27*day - time.Second)); len(left) > 0 {
			t.Fatalf("not locked until the horizon less a tenth: %v", left)
		}
	}
	if runs < 7 || runs > 11 {
		t.Errorf("%d of 30 daily runs extended something, %d extensions; want one in three or four", runs, extensions)
	}
	w.sound()
}

// destroy does what somebody with all rights but to bypass locks does: he deletes every version.
func (w *world) destroy() (survived int) {
	w.t.Helper()
	for v, err := range w.bucket.Versions(w.t.Context(), "", "") {
		if err != nil {
			w.t.Fatal(err)
		}
		if err := w.bucket.DeleteVersion(w.t.Context(), v.Name, v.ID); errors.Is(err, store.ErrLocked) {
			survived++
		} else if err != nil {
			w.t.Fatal(err)
		}
	}
	return survived
}

// ahead is storage whose clock is ahead of this host's.
type ahead struct {
	store.Locker
	by time.Duration
}

func (a ahead) Ahead() time.Duration { return a.by }

func TestLocksGoByTheClockOfTheStorage(t *testing.T) {
	w := newWorld(t)
	const slow = 5 * day
	o := w.options()
	o.Locker, o.Now = ahead{o.Locker, slow}, func() time.Time { return w.now.Add(-slow) }
	w.keep(o)
	if left := w.unlocked(w.now.Add(30*day - time.Second)); len(left) > 0 {
		t.Errorf("a host whose clock is %s slow has not locked for 30 days: %v", slow, left)
	}
	w.sound()
}

func TestWhatAKeeperExtendsOutlastsTheDefaultAndAThief(t *testing.T) {
	w := newWorld(t)
	for range 40 {
		w.now = w.now.Add(day)
		w.keep(w.options())
	}
	if survived := w.destroy(); survived == 0 {
		t.Error("nothing survived")
	}
	w.sound()

	without := newWorld(t)
	without.now = without.now.Add(40 * day)
	if survived := without.destroy(); survived != 0 {
		t.Errorf("without a keeper %d objects survived: the test proves nothing", survived)
	}
}

func TestTheVersionThatWasThereFirstIsKept(t *testing.T) {
	w := newWorld(t)
	var pack string
	for info, err := range w.bucket.List(t.Context(), "packs/", "") {
		if pack = info.Name; err != nil {
			t.Fatal(err)
		}
	}
	for range 3000 { // more than are held at once
		if err := w.bucket.Overwrite(t.Context(), pack, []byte("garbage")); err != nil {
			t.Fatal(err)
		}
	}
	report := w.keep(w.options())
	if report.Overwritten != 1 || !slices.Contains(report.OverwrittenFirst, pack) || report.Extra.Objects < 1000 {
		t.Errorf("a pack was written over: %+v", report)
	}
	w.now = w.now.Add(2 * day)
	w.destroy()
	w.sound()
}

func TestAnInterruptedRunGoesOn(t *testing.T) {
	w := newWorld(t)
	for i := range 400 { // so that there are several batches
		w.snapshot(fmt.Sprint("more", i))
	}
	broken := errors.New("killed")
	w.faulty.Before = storetest.On(storetest.From(600, broken), storetest.Extend)
	o := w.options()
	o.Parallel = 1
	first, err := keep.Run(t.Context(), w.open(w.faulty), o)
	if !errors.Is(err, broken) || first.Extended.Objects < 512 {
		t.Fatalf("interrupted: %v, %+v", err, first)
	}
	w.faulty.Before = nil
	if second := w.keep(w.options()); second.Extended.Objects+first.Extended.Objects != second.Needed.Objects || second.Kept.Objects != first.Extended.Objects {
		t.Errorf("the next run: %+v, after %+v", second, first)
	}
	if left := w.unlocked(w.now.Add(30*day - time.Second)); len(left) > 0 {
		t.Errorf("not locked: %v", left)
	}
	w.sound()
}

func TestARunSurvivesEachFailureOfEachCall(t *testing.T) {
	broken := fmt.Errorf("broken: %w", store.ErrUnreachable)
	for _, op := range []storetest.Op{storetest.Versions, storetest.LockOf, storetest.Extend} {
		for _, lost := range []bool{true, false} {
			w := newWorld(t)
			for n := 1; n <= 40; n++ {
				fault := storetest.On(storetest.Nth(n, broken), op)
				w.faulty.Before, w.faulty.After = nil, nil
				if lost {
					w.faulty.Before = fault
				} else {
					w.faulty.After = fault
				}
				if _, err := keep.Run(t.Context(), w.open(w.faulty), w.options()); err != nil && !errors.Is(err, store.ErrUnreachable) {
					t.Fatalf("%s %d, lost %v: %v", op, n, lost, err)
				}
				w.now = w.now.Add(day)
			}
			w.faulty.Before, w.faulty.After = nil, nil
			w.keep(w.options())
			if left := w.unlocked(w.now.Add(27*day - time.Second)); len(left) > 0 {
				t.Errorf("%s, lost %v: not locked: %v", op, lost, left)
			}
			w.sound()
		}
	}
}

func TestGrowthAboveTheTripwireIsToldAndNotExtended(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Growth = 0.5
	w.keep(o)
	for i := range 3 {
		w.snapshot(fmt.Sprint("flood", i))
	}
	report := w.keep(o)
	if report.Withheld.Objects == 0 || report.Withheld.Bytes == 0 || report.Since.IsZero() {
		t.Fatalf("packs grew by more than a half: %+v", report)
	}
	for _, name := range w.unlocked(w.now.Add(20 * day)) {
		if !strings.HasPrefix(name, "packs/") && !strings.HasPrefix(name, "trees/") {
			t.Errorf("%s is withheld, which is no pack", name)
		}
	}
	if again := w.keep(o); again.Withheld != report.Withheld {
		t.Errorf("the next run withholds %+v, the one before %+v", again.Withheld, report.Withheld)
	}
	o.AnyGrow = true
	if last := w.keep(o); last.Withheld.Objects != 0 || len(w.unlocked(w.now.Add(27*day-time.Second))) > 0 {
		t.Errorf("accepted growth: %+v", last)
	}
	w.sound()
}

// TestRefsThatCantBeReadLetNothingExpire is about a writer who makes it impossible to tell what is
// needed.
func TestRefsThatCantBeReadLetNothingExpire(t *testing.T) {
	w := newWorld(t)
	_, err := w.forger.Record(t.Context(), w.forger.Lane(0), "commit", map[string]any{"refs": map[string]any{"full": strings.Repeat("ab", 32)}})
	if err != nil {
		t.Fatal(err)
	}
	report := w.keep(w.options())
	if report.Doubt == nil {
		t.Error("the doubt is not told")
	}
	if left := w.unlocked(w.now.Add(27*day - time.Second)); len(left) > 0 {
		t.Errorf("not locked: %v", left)
	}
}

func TestABucketWithoutLocksIsRefused(t *testing.T) {
	w := newWorld(t)
	w.bucket.Rules = store.Protection{Versions: true}
	if _, err := keep.Run(t.Context(), w.open(w.faulty), w.options()); !errors.Is(err, keep.ErrUnlocked) {
		t.Errorf("no locks: %v, want ErrUnlocked", err)
	}
	w.bucket.Rules = store.Protection{Versions: true, Locks: true}
	if _, err := keep.Run(t.Context(), w.open(w.faulty), w.options()); !errors.Is(err, catalog.ErrMisuse) {
		t.Errorf("no default: %v, want ErrMisuse", err)
	}
	o := w.options()
	o.Mode = store.Compliance
	if report := w.keep(o); report.Mode != store.Compliance {
		t.Errorf("mode %s, want the named one", report.Mode)
	}
	w.sound()
}

func TestAskingFindsWhatWasShortened(t *testing.T) {
	w := newWorld(t)
	w.keep(w.options())
	w.bucket.Bypass = true
	for v := range w.bucket.Versions(t.Context(), "log/", "") {
		if err := w.bucket.Shorten(t.Context(), v.Name, v.ID, store.Lock{Mode: store.Governance, Until: w.now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	o := w.options()
	o.Ask = true
	if report := w.keep(o); report.Extended.Objects == 0 || report.Asked != report.Needed.Objects {
		t.Errorf("asked: %+v", report)
	}
	if left := w.unlocked(w.now.Add(27*day - time.Second)); len(left) > 0 {
		t.Errorf("not locked: %v", left)
	}
	w.sound()
}

// TestWhatTheLastRunKnewIsExtendedThoughRecordsAreHidden is about somebody who hides a record, so
// that a keeper cannot tell what is needed.
func TestWhatTheLastRunKnewIsExtendedThoughRecordsAreHidden(t *testing.T) {
	w := newWorld(t)
	w.faulty.Before = func(op storetest.Op, name string) error {
		if op == storetest.List && name == "log/" {
			return store.ErrInvalid
		}
		return nil
	}
	if _, err := keep.Run(t.Context(), w.open(w.faulty), w.options()); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a first run that knows nothing: %v, want an error", err)
	}
	broken := w.faulty.Before
	w.faulty.Before = nil
	known := w.keep(w.options())
	w.now = w.now.Add(10 * day)
	w.faulty.Before = broken
	report := w.keep(w.options())
	if !report.OnlyKnown || report.Doubt == nil || report.Extended != known.Needed {
		t.Errorf("records are hidden: %+v, want %+v extended", report, known.Needed)
	}
	if left := w.unlocked(w.now.Add(27*day - time.Second)); len(left) > 0 {
		t.Errorf("not locked: %v", left)
	}
	w.faulty.Before = nil
	w.sound()
}
