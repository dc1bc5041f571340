package page

import (
	"slices"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/output"
)

// overview says of each set on each host whether it is protected, and what needs somebody.
type overview struct {
	Host      string    `json:"host"`
	At        time.Time `json:"at,omitzero"` // when the repository was read; zero: it could not be
	Readable  bool      `json:"readable"`
	Good      int       `json:"good"`
	Sets      []setCard `json:"sets,omitempty"`
	Needs     []need    `json:"needs,omitempty"`
	Snapshots int       `json:"snapshots"`
	Size      uint64    `json:"size"`
	Growth    int64     `json:"growth"` // a day
	Writers   []writer  `json:"writers,omitempty"`
	Open      []running `json:"open_sessions,omitempty"`
}

// setCard is a set of a host.
type setCard struct {
	Set         output.Name    `json:"set"`
	Host        output.Name    `json:"host"`
	State       health.State   `json:"state"`
	Good        bool           `json:"good"`
	Since       time.Time      `json:"since,omitzero"`
	Cause       output.Name    `json:"cause"`
	Newest      time.Time      `json:"newest,omitzero"` // complete snapshot
	Age         length         `json:"age_seconds"`
	Bound       length         `json:"bound_seconds"`
	Next        time.Time      `json:"next,omitzero"`
	Outcome     health.Outcome `json:"outcome"` // of the last run
	Took        length         `json:"took_seconds"`
	Drilled     time.Time      `json:"drilled,omitzero"`
	DrillFault  output.Name    `json:"drill_fault"`
	Snapshots   int            `json:"snapshots"`
	Days        []day          `json:"days,omitempty"`
	TimelineURL string         `json:"-"`
}

// need is something that somebody should look at.
type need struct {
	What output.Name `json:"what"`
	Bad  bool        `json:"bad"` // else it is good to know
	Link string      `json:"-"`
}

// writer is a host that may write, as everybody may see it.
type writer struct {
	Name    output.Name `json:"name"`
	Last    time.Time   `json:"last_commit,omitzero"`
	Failed  time.Time   `json:"failed,omitzero"`
	Revoked bool        `json:"revoked"`
	Records int         `json:"records"`
}

// running is a session without a record: it runs, or was killed.
type running struct {
	Lane  output.Name `json:"lane"`
	Since time.Time   `json:"since,omitzero"`
}

// shownDays is how many days a set's strip shows.
const shownDays = 35

func (v *visit) overview() (any, error) {
	o := &overview{Host: v.Host, Sets: []setCard{}, Needs: []need{}}
	k, err := v.known()
	if err != nil {
		o.need(true, "The repository cannot be read: "+err.Error(), "")
		k = &known{}
	}
	if k.stale != nil {
		o.need(true, "The repository cannot be read just now, so this is what was known at "+moment(k.at)+": "+k.stale.Error(), "")
	}
	o.addRepository(v, k)
	for _, set := range v.Sets(k.status) {
		o.addSet(v, k, set)
	}
	slices.SortStableFunc(o.Sets, func(a, b setCard) int {
		return slices.Index(health.States, a.State) - slices.Index(health.States, b.State)
	})
	for _, f := range v.Facts().Repositories {
		o.Growth += f.Growth
	}
	for _, text := range k.problems {
		o.need(true, "Records: "+text, "")
	}
	return o, nil
}

func (o *overview) need(bad bool, what, link string) {
	o.Needs = append(o.Needs, need{output.Name(what), bad, link})
}

func (o *overview) addRepository(v *visit, k *known) {
	if k.repo == nil {
		return
	}
	o.At, o.Readable, o.Size = k.at, k.repo.CanRead(), k.status.Bytes
	o.Snapshots = len(k.commits)
	for _, w := range k.status.Writers {
		o.Writers = append(o.Writers, writer{output.Name(w.Name), w.LastCommit, w.Failed, w.Revoked, w.Records})
		if !w.Failed.IsZero() && !o.Readable {
			o.need(true, "Writer "+output.Name(w.Name).String()+" reported at "+moment(w.Failed)+" that a job of it failed.", "")
		}
	}
	for _, s := range k.status.Sessions {
		o.Open = append(o.Open, running{output.Name(s.Lane), s.Since})
	}
	for _, out := range k.status.Outcomes {
		if !out.Done && out.Job != "backup" { // that of a backup is told with its set
			o.need(true, out.Job+" on "+output.Name(out.Host).String()+": "+out.Cause, "")
		}
	}
}

func (o *overview) addSet(v *visit, k *known, s health.Set) {
	card := setCard{
		Set: output.Name(s.Name), Host: output.Name(s.Host), State: s.State, Good: s.State.Good(), Since: s.Since, Cause: output.Name(s.Cause),
		Newest: s.Newest, Age: length(s.Age(v.now)), Bound: length(s.MaxAge), Next: s.Next, Outcome: s.Last.Outcome, Took: length(s.Last.Duration), Drilled: s.Drilled, DrillFault: output.Name(s.DrillFault), Snapshots: s.Snapshots,
		TimelineURL: v.link("/timeline", "set", s.Name, "host", s.Host),
	}
	of := k.of(s.Name, s.Host)
	if len(of) > 0 {
		card.Snapshots = len(of)
	}
	if o.Readable {
		card.Days = daysOf(of, v.now, shownDays)
	}
	if card.Good {
		o.Good++
	} else {
		o.need(true, card.Set.String()+" on "+card.Host.String()+": "+s.Cause, card.TimelineURL)
	}
	o.Sets = append(o.Sets, card)
}

// of returns the snapshots of a set of a host, oldest first.
func (k *known) of(set, host string) (of []*catalog.Snapshot) {
	for _, s := range k.snapshots {
		if s.Set == set && s.Host == host {
			of = append(of, s)
		}
	}
	return of
}

// day is a day of a calendar.
type day struct {
	Date      time.Time `json:"date,omitzero"`
	Snapshots int       `json:"snapshots"`
	State     string    `json:"state"` // good, part, lost, none, or away for a day that is not over or begun
}

// Text says what happened on the day.
func (d day) Text() string {
	on := d.Date.Format("Mon 2 Jan")
	switch d.State {
	case "good":
		return on + ": " + output.Plural(d.Snapshots, "snapshot")
	case "part":
		return on + ": " + output.Plural(d.Snapshots, "snapshot") + ", none complete"
	case "lost":
		return on + ": marked as a possible loss"
	}
	return on + ": no snapshot"
}

// daysOf are the last n days, the last of them the one of now.
func daysOf(of []*catalog.Snapshot, now time.Time, n int) []day {
	days := make([]day, n)
	today := midnight(now)
	for i := range days {
		days[i] = day{Date: today.AddDate(0, 0, i-n+1), State: "none"}
	}
	at := func(t time.Time) int { // the days between two midnights, of which some have 23 or 25 hours
		return n - 1 - int((today.Sub(midnight(t)).Hours()+12)/24)
	}
	for _, s := range of {
		i := at(s.Time)
		if i < 0 || i >= n {
			continue
		}
		days[i].Snapshots++
		switch {
		case s.Complete() && !s.Marked():
			days[i].State = "good"
		case s.Marked() && days[i].State != "good":
			days[i].State = "lost"
		case days[i].State == "none":
			days[i].State = "part"
		}
	}
	return days
}

func midnight(t time.Time) time.Time {
	t = t.Local()
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.Local)
}
