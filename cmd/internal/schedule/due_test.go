package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/schedule"
)

func at(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", text, berlin)
	if err != nil {
		panic(err)
	}
	return t
}

func job(t *testing.T, expression string, o schedule.Options) schedule.Job {
	if o.Zone == nil {
		o.Zone = berlin
	}
	return schedule.Job{Name: expression, Timing: parse(t, expression, o)}
}

func TestSlotsFollowTheClockOnTheWall(t *testing.T) {
	tests := []struct{ expression, after, want string }{
		{"30 2 * * *", "2026-03-28 02:30:00", "2026-03-29T03:00:00+02:00"}, // 02:30 is left out
		{"30 2 * * *", "2026-03-29 03:00:00", "2026-03-30T02:30:00+02:00"},
		{"30 2 * * *", "2026-10-24 12:00:00", "2026-10-25T02:30:00+02:00"}, // 02:30 comes twice
		{"0 3 * * *", "2026-10-24 12:00:00", "2026-10-25T03:00:00+01:00"},
		{"@daily", "2026-03-28 12:00:00", "2026-03-29T00:00:00+01:00"},
		{"0 0 13 * 5", "2026-11-01 00:00:00", "2026-11-06T00:00:00+01:00"}, // the 13th or a Friday, as in crontab
		{"15 30 2 * * *", "2026-01-01 00:00:00", "2026-01-01T02:30:15+01:00"},
	}
	for _, test := range tests {
		due := job(t, test.expression, schedule.Options{}).Next(schedule.Past{Answered: at(test.after)}, at(test.after))
		if got := due.At.In(berlin).Format(time.RFC3339); got != test.want {
			t.Errorf("%s after %s: %s, want %s", test.expression, test.after, got, test.want)
		}
	}
}

func TestTheHourThatComesTwiceIsDueOnce(t *testing.T) {
	first := at("2026-10-25 02:30:00") // in summer time
	due := job(t, "30 2 * * *", schedule.Options{}).Next(schedule.Past{Answered: first}, first.Add(time.Hour))
	if want := at("2026-10-26 02:30:00"); !due.At.Equal(want) {
		t.Errorf("due %s, want %s", due.At, want)
	}
}

func TestWhatNeverRanIsDue(t *testing.T) {
	now := at("2026-11-29 12:00:00")
	due := job(t, "@weekly", schedule.Options{}).Next(schedule.Past{}, now)
	if due.Why != schedule.First || due.At.After(now) {
		t.Errorf("due %s for %q", due.At, due.Why)
	}
}

func TestDowntimeIsCaughtUpWithOnce(t *testing.T) {
	j, now := job(t, "0 * * * *", schedule.Options{}), at("2026-11-29 12:20:00")
	past := schedule.Past{Answered: at("2026-11-20 03:00:00")}
	due := j.Next(past, now)
	if want := at("2026-11-29 12:00:00"); due.Why != schedule.CatchUp || !due.Slot.Equal(want) {
		t.Errorf("due for %q, slot %s, want %s", due.Why, due.Slot, want)
	}
	due = j.Next(j.Ran(past, due.Slot, schedule.Result{Began: now, Ended: now}), now)
	if want := at("2026-11-29 13:00:00"); !due.At.Equal(want) {
		t.Errorf("then due %s, want %s", due.At, want)
	}
}

func TestAFailureIsTriedAgainWithinItsWindow(t *testing.T) {
	j := job(t, "@daily", schedule.Options{RetryFor: 20 * time.Minute})
	slot := at("2026-11-29 00:00:00")
	past, now := schedule.Past{Answered: slot.AddDate(0, 0, -1)}, slot
	var waits []time.Duration
	for {
		past = j.Ran(past, slot, schedule.Result{Began: now, Ended: now, Failed: true})
		due := j.Next(past, now)
		if due.Why != schedule.Retry {
			break
		}
		waits = append(waits, due.At.Sub(now))
		now = due.At
	}
	if len(waits) != 4 || waits[0] != time.Minute || waits[3] != 8*time.Minute {
		t.Errorf("tried again after %v, want 1, 2, 4 and 8 minutes", waits)
	}
	if !past.Answered.Equal(slot) {
		t.Errorf("given up with %+v", past)
	}
}

func TestAFailureWithoutAWindowWaitsForTheNextSlot(t *testing.T) {
	j, slot := job(t, "@daily", schedule.Options{}), at("2026-11-29 00:00:00")
	past := j.Ran(schedule.Past{}, slot, schedule.Result{Began: slot, Ended: slot, Failed: true})
	if due := j.Next(past, slot); !due.At.Equal(at("2026-11-30 00:00:00")) {
		t.Errorf("due %s", due.At)
	}
}

func TestAClockThatWasYearsAheadDoesNotStopAJob(t *testing.T) {
	now := at("2026-11-29 12:00:00")
	if due := job(t, "@daily", schedule.Options{}).Next(schedule.Past{Answered: now.AddDate(50, 0, 0)}, now); due.At.After(now) {
		t.Errorf("due %s", due.At)
	}
}

func TestJitterIsTheSameEachTimeAndDiffersBetweenHosts(t *testing.T) {
	shifts := map[time.Duration]bool{}
	for _, host := range []string{"a", "b", "c", "d"} {
		o := schedule.Options{Jitter: time.Hour, Key: host}
		past := schedule.Past{Answered: at("2026-11-28 12:00:00")}
		one, two := job(t, "@daily", o).Next(past, past.Answered), job(t, "@daily", o).Next(past, past.Answered)
		if !one.At.Equal(two.At) || one.At.Before(one.Slot) || one.At.Sub(one.Slot) >= time.Hour {
			t.Errorf("%s: due %s and %s for the slot %s", host, one.At, two.At, one.Slot)
		}
		shifts[one.At.Sub(one.Slot)] = true
	}
	if len(shifts) < 3 {
		t.Errorf("four hosts share %d moments", len(shifts))
	}
}

func TestABackupGoesBeforeWhatYields(t *testing.T) {
	now := at("2026-11-29 12:00:00")
	prune := job(t, "@hourly", schedule.Options{})
	prune.Name, prune.Yields = "prune", time.Hour
	backup := job(t, "@hourly", schedule.Options{})
	backup.Name = "backup"
	jobs := []schedule.Job{prune, backup}
	due, _ := schedule.Next(jobs, map[string]schedule.Past{"prune": {Answered: now.Add(-2 * time.Hour)}, "backup": {Answered: now.Add(-time.Hour)}}, now)
	if due.Job.Name != "backup" {
		t.Errorf("%s goes first", due.Job.Name)
	}
}

func TestMistakesInSchedulesAreTold(t *testing.T) {
	for expression, want := range map[string]string{
		"61 * * * *": "not a schedule", "* * *": "not a schedule", "@sometimes": "not a schedule", "0 0 30 2 *": "never comes", "CRON_TZ=UTC 0 0 * * *": "time_zone", "": "not a schedule",
	} {
		if _, err := schedule.Parse(expression, schedule.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", expression, err, want)
		}
	}
}

func TestTheComingRunsGoOnForYears(t *testing.T) {
	now := at("2026-11-29 12:30:00")
	jobs := []schedule.Job{job(t, "@yearly", schedule.Options{})}
	coming := schedule.Coming(jobs, nil, now, 3)
	if len(coming) != 3 || coming[0].Why != schedule.First || !coming[2].At.Equal(at("2028-01-01 00:00:00")) || coming[2].Why != schedule.Slot {
		t.Errorf("coming: %v", coming)
	}
}

func TestTheComingRunsAreTheNextSlots(t *testing.T) {
	now := at("2026-11-29 12:30:00")
	jobs := []schedule.Job{job(t, "@hourly", schedule.Options{}), job(t, "@daily", schedule.Options{})}
	coming := schedule.Coming(jobs, map[string]schedule.Past{"@hourly": {Answered: now}, "@daily": {Answered: now}}, now, 13)
	if len(coming) != 13 || coming[12].Job.Name != "@daily" || !coming[11].At.Equal(at("2026-11-30 00:00:00")) {
		t.Errorf("coming: %v", coming)
	}
}
