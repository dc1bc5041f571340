// Package schedule decides which job is due. It is pure: time is an argument, and so is what is
// remembered of each job; whoever runs jobs keeps that and hands it back.
//
// A job has slots, the moments that its schedule names. A run answers the newest slot that has
// come, and with it all before: after sleep or downtime a job is run once. Which slot was answered
// is remembered, not when it was run, so that a clock that is set back repeats nothing.
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

// Options say how an expression is meant.
type Options struct {
	Zone     *time.Location // nil: the local one
	Jitter   time.Duration  // slots come later by a part of it, which is always the same for one Key
	Key      string         // what Jitter is shared out by, such as host and job
	RetryFor time.Duration  // for how long after its first attempt a run that failed is tried again; 0: not at all
}

// Timing says when a job is due.
type Timing struct {
	slots    cron.Schedule
	civil    bool // slots are times on the wall, else real time
	zone     *time.Location
	shift    time.Duration
	retryFor time.Duration
}

// parser understands crontab(5), with seconds in front where there are six fields.
var parser = cron.MustNewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom)

// everyHour are the bits of all hours.
const everyHour = 1<<24 - 1

// Parse understands an expression: five fields as in crontab(5), six with seconds in front, or
// @hourly, @daily, @weekly, @monthly, @yearly and @every 6h.
//
// A schedule that names hours follows the clock on the wall: what falls into the hour that is left
// out in spring is due when it is over, and what falls into the one that comes twice in autumn is
// due the first time. One of every hour, or of @every, goes on in real time.
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

// share is the part of a jitter that falls to a key, in whole seconds.
func share(key string, jitter time.Duration) time.Duration {
	if jitter < time.Second {
		return 0
	}
	sum := sha256.Sum256([]byte(key))
	return time.Duration(binary.BigEndian.Uint64(sum[:8])%uint64(jitter/time.Second)) * time.Second
}

// slot is the first slot after a moment; zero if there is none.
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

// newest is the last slot in (after, now]; zero if there is none.
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

// onTheWall is what a clock shows, as if it were in UTC.
func onTheWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// moment is when a clock in a zone shows wall for the first time, or would if that time were not
// left out.
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
