// Package retention decides which snapshots a policy keeps. It does no I/O: snapshots, policies and
// the time are arguments. In doubt, it keeps.
package retention

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Snapshot is what a decision needs to know of a snapshot.
type Snapshot struct {
	ID    string
	Group string // those that replace each other in time
	// Time is the moment to which the snapshot belongs: what its writer claims, but never later
	// than Date.
	Time     time.Time
	Date     time.Time // when the store had it
	Undated  bool      // Date is not to be relied on
	Complete bool      // nothing is missing in it
	Marked   bool      // it lost so much against the one before that somebody should look
	Held     bool
	Tags     []string
}

// fills reports whether a snapshot may represent its hour, day or year.
func (s *Snapshot) fills() bool { return s.Complete && !s.Marked }

// Policy is a set of rules. A snapshot that no rule keeps is forgotten.
type Policy struct {
	Last                                              int // so many of the newest; All: all
	Hourly, Daily, Weekly, Monthly, Quarterly, Yearly int // the newest of so many hours, days …
	Within                                            Span
	WithinHourly, WithinDaily, WithinWeekly           Span // the newest of each hour, day … in so long
	WithinMonthly, WithinQuarterly, WithinYearly      Span
	Tags                                              [][]string // those that have all tags of one of these
	IDs                                               []string
}

// All is an unlimited number of snapshots.
const All = -1

// Empty reports whether the policy has no rule: it would forget everything.
func (p Policy) Empty() bool {
	for _, r := range p.rules() {
		if r.count != 0 || r.within != (Span{}) {
			return false
		}
	}
	return len(p.Tags) == 0 && len(p.IDs) == 0
}

// Options are conditions that apply to every policy.
type Options struct {
	Now   time.Time      // the store's
	Floor time.Duration  // younger snapshots are kept, whatever the policy says
	Zone  *time.Location // in which days begin; UTC if nil
	// RemoveAll allows a policy to forget the newest snapshot of a group, and an empty policy to
	// forget all.
	RemoveAll bool
}

// Verdict is the decision about one snapshot.
type Verdict struct {
	Snapshot
	Keep []string // what keeps it; empty: it is forgotten
}

// Kept reports whether the snapshot stays.
func (v *Verdict) Kept() bool { return len(v.Keep) > 0 }

// Decide returns for each snapshot what keeps it, in the order of snapshots. It keeps the newest
// complete snapshot of each group, and every snapshot that is held, not reliably dated or younger
// than the floor. Incomplete and marked snapshots do not replace others: the policy is applied to
// them separately.
func Decide(snapshots []Snapshot, p Policy, o Options) []Verdict {
	verdicts := make([]Verdict, len(snapshots))
	for i := range snapshots {
		verdicts[i].Snapshot = snapshots[i]
		verdicts[i].Keep = always(&snapshots[i], p, o)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	for _, group := range grouped(verdicts) {
		fill := slices.DeleteFunc(slices.Clone(group), func(v *Verdict) bool { return !v.fills() })
		rest := slices.DeleteFunc(slices.Clone(group), func(v *Verdict) bool { return v.fills() })
		apply(fill, p, o.Zone)
		apply(rest, p, o.Zone)
		if !o.RemoveAll {
			keepNewest(fill, rest)
		}
	}
	return verdicts
}

// always returns what keeps a snapshot regardless of other snapshots.
func always(s *Snapshot, p Policy, o Options) (keep []string) {
	if s.Held {
		keep = append(keep, "held")
	}
	if s.Undated {
		keep = append(keep, "undated")
	}
	if o.Now.Sub(s.Date) < o.Floor {
		keep = append(keep, "retention floor")
	}
	if slices.Contains(p.IDs, s.ID) {
		keep = append(keep, "id")
	}
	for _, tags := range p.Tags {
		if !slices.ContainsFunc(tags, func(t string) bool { return !slices.Contains(s.Tags, t) }) {
			keep = append(keep, "tag "+strings.Join(tags, ","))
		}
	}
	if p.Empty() && !o.RemoveAll {
		keep = append(keep, "no rule")
	}
	return keep
}

// grouped returns the dated snapshots of each group, the newest first. Undated ones are left out:
// they are kept, and replace no others.
func grouped(verdicts []Verdict) map[string][]*Verdict {
	groups := map[string][]*Verdict{}
	for i := range verdicts {
		if v := &verdicts[i]; !v.Undated {
			groups[v.Group] = append(groups[v.Group], v)
		}
	}
	for _, group := range groups {
		slices.SortFunc(group, func(a, b *Verdict) int {
			return cmp.Or(b.Time.Compare(a.Time), b.Date.Compare(a.Date), cmp.Compare(a.ID, b.ID))
		})
	}
	return groups
}

// keepNewest keeps the newest snapshot that may represent a period, and the newest of the rest if
// it is newer.
func keepNewest(fill, rest []*Verdict) {
	if len(fill) > 0 {
		fill[0].Keep = append(fill[0].Keep, "newest complete")
	}
	if len(rest) > 0 && (len(fill) == 0 || rest[0].Time.After(fill[0].Time)) {
		rest[0].Keep = append(rest[0].Keep, "newest")
	}
}

// rule keeps the newest snapshot of each period.
type rule struct {
	name   string
	count  int  // of so many periods that have one
	within Span // or of those that lie in this span before the newest snapshot
	period func(t time.Time) string
}

func (p Policy) rules() []rule {
	return []rule{
		{"last", p.Last, p.Within, nil},
		{"hourly", p.Hourly, p.WithinHourly, hour},
		{"daily", p.Daily, p.WithinDaily, day},
		{"weekly", p.Weekly, p.WithinWeekly, week},
		{"monthly", p.Monthly, p.WithinMonthly, month},
		{"quarterly", p.Quarterly, p.WithinQuarterly, quarter},
		{"yearly", p.Yearly, p.WithinYearly, year},
	}
}

func hour(t time.Time) string  { return t.Format("2006-01-02 15 -0700") }
func day(t time.Time) string   { return t.Format("2006-01-02") }
func month(t time.Time) string { return t.Format("2006-01") }
func year(t time.Time) string  { return t.Format("2006") }

func week(t time.Time) string {
	y, w := t.ISOWeek()
	return fmt.Sprint(y, w)
}

func quarter(t time.Time) string { return fmt.Sprint(t.Year(), (t.Month()-1)/3) }

// apply records which rules keep each snapshot of series, which is sorted newest first.
func apply(series []*Verdict, p Policy, zone *time.Location) {
	if len(series) == 0 {
		return
	}
	newest := series[0].Time.In(zone)
	for _, r := range p.rules() {
		r.applyCount(series, zone)
		r.applyWithin(series, zone, newest)
	}
}

func (r *rule) applyCount(series []*Verdict, zone *time.Location) {
	seen, left := map[string]bool{}, r.count
	for _, v := range series {
		if left == 0 {
			return
		}
		if !r.isFirst(seen, v.Time.In(zone)) {
			continue
		}
		v.Keep = append(v.Keep, r.name)
		left--
	}
}

func (r *rule) applyWithin(series []*Verdict, zone *time.Location, newest time.Time) {
	if r.within == (Span{}) {
		return
	}
	seen, name := map[string]bool{}, "within "+r.within.String()
	if r.period != nil {
		name = r.name + " " + name
	}
	for _, v := range series {
		if t := v.Time.In(zone); t.After(r.within.before(newest)) && r.isFirst(seen, t) {
			v.Keep = append(v.Keep, name)
		}
	}
}

// isFirst reports whether a snapshot is the first of its period in seen.
func (r *rule) isFirst(seen map[string]bool, t time.Time) bool {
	if r.period == nil {
		return true
	}
	period := r.period(t)
	first := !seen[period]
	seen[period] = true
	return first
}
