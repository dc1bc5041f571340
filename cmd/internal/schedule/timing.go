// Package schedule decides which job is due. It does no I/O: the time and what is remembered of
// each job are arguments; the caller stores the latter.
//
// A job has slots, the moments that its schedule defines. A run answers the newest slot that has
// come, and all before it: after sleep or downtime a job runs once. What is remembered is the slot
// that was answered, not the time of the run, so setting the clock back repeats nothing.
package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/netresearch/go-cron"
)

// Options determine how an expression is interpreted.
type Options struct {
	Zone     *time.Location // nil: the local one
	Jitter   time.Duration  // slots come later by a part of it, which is always the same for one Key
	Key      string         // what Jitter is shared out by, such as host and job
	RetryFor time.Duration  // for how long after its first attempt a run that failed is tried again; 0: not at all
}

// Timing determines when a job is due.
type Timing struct {
	slots    cron.Schedule
	civil    bool // slots are times on the wall, else real time
	zone     *time.Location
	shift    time.Duration
	retryFor time.Duration
}

// parser parses crontab(5), with leading seconds if there are six fields.
var parser = cron.MustNewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom)

// everyHour has the bits of all hours.
const everyHour = 1<<24 - 1

// Parse parses an expression: five fields as in crontab(5), six with leading seconds, or @hourly,
// @daily, @weekly, @monthly, @yearly and @every 6h.
//
// A schedule that names hours follows local time: a slot in the hour that is skipped in spring is
// due when that is over, and one in the hour that is repeated in autumn is due the first time. A
// schedule for every hour, or with @every, follows real time.
func Parse(expression string, o Options) (*Timing, error) {
	if strings.Contains(expression, "TZ=") {
		return nil, errors.New("a time zone is a setting of its own: time_zone")
	}
	slots, err := parser.Parse(expression)
	if err != nil {
		return nil, fmt.Errorf("%q is not a schedule: %w; write minute, hour, day, month and weekday as in crontab, such as \"30 2 * * *\", "+
			"or @hourly, @daily, @weekly, @monthly, @every 6h", expression, err)
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	t := &Timing{slots: slots, zone: o.Zone, retryFor: o.RetryFor, shift: share(o.Key, o.Jitter)}
	if spec, ok := slots.(*cron.SpecSchedule); ok {
		t.civil = spec.Hour&everyHour != everyHour
	}
	if t.slot(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("%q never comes", expression)
	}
	return t, nil
}

// share returns the part of a jitter for a key, in whole seconds.
func share(key string, jitter time.Duration) time.Duration {
	if jitter < time.Second {
		return 0
	}
	sum := sha256.Sum256([]byte(key))
	return time.Duration(binary.BigEndian.Uint64(sum[:8])%uint64(jitter/time.Second)) * time.Second
}

// slot returns the first slot after a moment; zero if there is none.
func (t *Timing) slot(after time.Time) time.Time {
	if !t.civil {
		return t.slots.Next(after.In(t.zone))
	}
	for wall := onTheWall(after.In(t.zone)); ; {
		if wall = t.slots.Next(wall); wall.IsZero() {
			return time.Time{}
		}
		if slot := moment(wall, t.zone); slot.After(after) {
			return slot
		}
	}
}

// newest returns the last slot in (after, now]; zero if there is none.
func (t *Timing) newest(after, now time.Time) (newest time.Time) {
	for back := time.Minute; newest.IsZero(); back *= 60 {
		from := now.Add(-back)
		last := !from.After(after)
		if last {
			from = after
		}
		for slot := t.slot(from); !slot.IsZero() && !slot.After(now); slot = t.slot(slot) {
			newest = slot
		}
		if last || back > 100*365*24*time.Hour {
			break
		}
	}
	return newest
}

// onTheWall returns what a local clock shows, as if it were UTC.
func onTheWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// moment returns when a clock in a zone first shows wall, or would if that time were not skipped.
func moment(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	from, to := t.ZoneBounds()
	switch shown := onTheWall(t); {
	case shown.After(wall):
		return from
	case shown.Before(wall):
		return to
	case from.IsZero():
		return t
	}
	_, before := from.Add(-time.Second).Zone()
	_, now := t.Zone()
	if first := t.Add(time.Duration(now-before) * time.Second); first.Before(from) {
		return first
	}
	return t
}
