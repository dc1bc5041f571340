package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/schedule"
)

var berlin = zone("Europe/Berlin")

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

func parse(t testing.TB, expression string, o schedule.Options) *schedule.Timing {
	t.Helper()
	timing, err := schedule.Parse(expression, o)
	if err != nil {
		t.Fatal(err)
	}
	return timing
}

// year is a machine with a clock, on which jobs run for a year. What is remembered outlives its
// process.
type year struct {
	t     *testing.T
	now   time.Time
	jobs  []schedule.Job
	past  map[string]schedule.Past
	slots map[string][]time.Time // that were answered
	began map[string][]time.Time
}

func newYear(t *testing.T, start time.Time, retry time.Duration) *year {
	y := &year{t: t, now: start, past: map[string]schedule.Past{}, slots: map[string][]time.Time{}, began: map[string][]time.Time{}}
	for _, j := range []struct{ name, expression string }{
		{"daily", "30 2 * * *"}, {"hourly", "@hourly"}, {"quarter", "*/15 8-17 * * 1-5"}, {"weekly", "@weekly"}, {"six", "@every 6h"},
	} {
		o := schedule.Options{Zone: berlin, Jitter: 10 * time.Minute, Key: "host/" + j.name, RetryFor: retry}
		y.jobs = append(y.jobs, schedule.Job{Name: j.name, Timing: parse(t, j.expression, o)})
		y.past[j.name] = schedule.Past{Answered: start}
	}
	return y
}

// step lets the next job run for a while, and end as it is told.
func (y *year) step(took time.Duration, end func(r *schedule.Result)) {
	due, ok := schedule.Next(y.jobs, y.past, y.now)
	if !ok {
		y.t.Fatal("nothing is due any more")
	}
	if due.At.After(y.now) {
		y.now = due.At
	}
	r := schedule.Result{Began: y.now, Ended: y.now.Add(took)}
	end(&r)
	y.now = r.Ended
	if !r.Broken && !r.Failed {
		y.slots[due.Job.Name] = append(y.slots[due.Job.Name], due.Slot)
		y.began[due.Job.Name] = append(y.began[due.Job.Name], r.Began)
	}
	y.past[due.Job.Name] = due.Job.Ran(y.past[due.Job.Name], due.Slot, r)
}

func TestInAYearEverySlotIsAnsweredOnceAcrossDaylightSaving(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, berlin)
	y := newYear(t, start, 0)
	for y.now.Before(start.AddDate(1, 0, 0)) {
		y.step(time.Second, func(*schedule.Result) {})
	}
	for name, want := range map[string]int{"daily": 365, "hourly": 8760, "weekly": 52, "six": 4 * 365, "quarter": 261 * 40} {
		if got := len(y.slots[name]); got < want-1 || got > want+1 { // the ends of the year
			t.Errorf("%s: %d runs in a year, want %d", name, got, want)
		}
	}
	days := map[string]int{}
	for _, slot := range y.slots["daily"] {
		days[slot.In(berlin).Format(time.DateOnly)]++
	}
	for day := start; day.Before(start.AddDate(1, 0, 0)); day = day.AddDate(0, 0, 1) {
		if got := days[day.Format(time.DateOnly)]; got != 1 {
			t.Errorf("%s: %d daily runs", day.Format(time.DateOnly), got)
		}
	}
	for i, slot := range y.slots["hourly"][1:] {
		if gap := slot.Sub(y.slots["hourly"][i]); gap != time.Hour {
			t.Errorf("%s: an hourly slot comes %s after the one before", slot, gap)
		}
	}
}

func TestSleepKillsFailuresAndClocksLoseAndDoubleNothing(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 1))
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, berlin)
			y := newYear(t, start, time.Duration(chance.IntN(4))*time.Hour)
			for y.now.Before(start.AddDate(1, 0, 0)) {
				y.disturb(chance)
			}
			for range 200 { // what was interrupted or waits is caught up with
				y.step(0, func(*schedule.Result) {})
			}
			y.judge(start)
		})
	}
}

func (y *year) disturb(chance *rand.Rand) {
	took := time.Duration(chance.IntN(3000)) * time.Second
	switch chance.IntN(20) {
	case 0: // the lid is closed
		y.now = y.now.Add(time.Duration(chance.IntN(72*60)) * time.Minute)
	case 1: // the clock is put right
		y.now = y.now.Add(-time.Duration(chance.IntN(3600)) * time.Second)
	case 2, 3: // kill -9: nothing is remembered of the run
		y.step(took, func(r *schedule.Result) { r.Broken = true })
	case 4, 5:
		y.step(took, func(r *schedule.Result) { r.Failed = true })
	default:
		y.step(took, func(*schedule.Result) {})
	}
}

// judge holds that slots were answered in order, none of them twice, and none before its time, and
// that nothing waits.
func (y *year) judge(start time.Time) {
	for _, j := range y.jobs {
		last := start
		for i, slot := range y.slots[j.Name] {
			if !slot.After(last) {
				y.t.Fatalf("%s: the slot %s was answered after %s", j.Name, slot, last)
			}
			if began := y.began[j.Name][i]; began.Before(slot) {
				y.t.Fatalf("%s: the slot %s was answered at %s already", j.Name, slot, began)
			}
			last = slot
		}
		if due := j.Next(y.past[j.Name], y.now); due.Why == schedule.CatchUp {
			y.t.Errorf("%s: still late at the end: %s", j.Name, due.Slot)
		}
	}
}
