package page

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// timeline is a set of a host over time.
type timeline struct {
	Set        output.Name `json:"set"`
	Host       output.Name `json:"host"`
	Sets       []choice    `json:"sets,omitempty"`
	Readable   bool        `json:"readable"`
	Weeks      []week      `json:"-"`
	Rows       []row       `json:"snapshots,omitempty"`
	From       int         `json:"from"` // the rows that are shown
	All        int         `json:"all"`
	Newer      string      `json:"-"`
	Older      string      `json:"-"`
	Kept       int         `json:"kept"`
	Going      int         `json:"going"` // snapshots that retention will forget
	Ruled      bool        `json:"ruled"` // there are rules of retention
	Commits    []commit    `json:"commits,omitempty"`
	CompareURL string      `json:"-"`
	At         time.Time   `json:"at,omitzero"`
}

// choice is a set of a host to choose.
type choice struct {
	Set       output.Name `json:"set"`
	Host      output.Name `json:"host"`
	Snapshots int         `json:"snapshots"`
	Here      bool        `json:"here"`
	Link      string      `json:"-"`
}

// week is a column of the calendar, from Monday on.
type week struct {
	Month string // where one begins
	Days  []day
}

// row is a snapshot in a list.
type row struct {
	ID       string        `json:"id"`
	Short    string        `json:"short"`
	Time     time.Time     `json:"time,omitzero"`
	Complete bool          `json:"complete"`
	Trips    []string      `json:"trips,omitempty"`
	Tags     []output.Name `json:"tags,omitempty"`
	About    output.Name   `json:"about"`
	Held     []output.Name `json:"held,omitempty"`
	Files    uint64        `json:"files"`
	Bytes    uint64        `json:"bytes"`
	Took     length        `json:"took_seconds"`
	Keep     []string      `json:"keep,omitempty"` // what keeps it
	Going    bool          `json:"going"`          // the next run of retention forgets it
	Standing string        `json:"standing"`       // unless the owner has bound its writer to its host
	Link     string        `json:"-"`
}

// commit is a snapshot as everybody may see it.
type commit struct {
	ID     string      `json:"id"`
	Writer output.Name `json:"writer"`
	Stored time.Time   `json:"stored,omitzero"`
}

// How many rows a page has, and weeks a calendar.
const (
	rowsShown  = 50
	weeksShown = 53
)

func (v *visit) timeline() (any, error) {
	k, err := v.known()
	if err != nil {
		return nil, err
	}
	t := &timeline{Readable: k.repo.CanRead(), At: k.at, Sets: []choice{}, Rows: []row{}}
	if !t.Readable {
		t.All = len(k.commits)
		t.addCommits(v, k)
		return t, nil
	}
	t.choose(v, k)
	of := k.of(string(t.Set), string(t.Host))
	t.All, t.Weeks = len(of), weeksOf(of, v.now)
	policies, err := v.Policies()
	if err != nil {
		return nil, err
	}
	_, t.Ruled = policies[string(t.Set)]
	for _, s := range of {
		if verdict, ok := k.verdicts[s.ID.String()]; ok && !verdict.Kept() {
			t.Going++
		} else {
			t.Kept++
		}
	}
	slices.Reverse(of)
	t.turn(v, len(of))
	for _, s := range of[t.From:min(t.From+rowsShown, len(of))] {
		t.Rows = append(t.Rows, v.row(k, s))
	}
	if len(of) > 1 {
		t.CompareURL = v.link("/compare", "before", of[1].ID.String(), "after", of[0].ID.String())
	}
	return t, nil
}

// turn finds which rows are shown, and the way to others.
func (t *timeline) turn(v *visit, n int) {
	t.From, _ = strconv.Atoi(v.r.FormValue("from"))
	t.From = min(max(t.From, 0), max(n-1, 0))
	at := func(from int) string {
		return v.link("/timeline", "set", string(t.Set), "host", string(t.Host), "from", strconv.Itoa(from))
	}
	if t.From > 0 {
		t.Newer = at(max(t.From-rowsShown, 0))
	}
	if t.From+rowsShown < n {
		t.Older = at(t.From + rowsShown)
	}
}

// choose finds which set of which host is meant: the named one, else the first.
func (t *timeline) choose(v *visit, k *known) {
	t.Sets = v.choices(k, "/timeline")
	for i, c := range t.Sets {
		if v.r.Form.Has("set") && string(c.Set) == v.r.FormValue("set") && string(c.Host) == cmp.Or(v.r.FormValue("host"), string(c.Host)) {
			t.Set, t.Host, t.Sets[i].Here = c.Set, c.Host, true
			return
		}
	}
	if len(t.Sets) > 0 && !v.r.Form.Has("set") {
		t.Set, t.Host, t.Sets[0].Here = t.Sets[0].Set, t.Sets[0].Host, true
	}
}

// choices are the sets of all hosts that have snapshots.
func (v *visit) choices(k *known, path string) (all []choice) {
	_ = v.r.FormValue("") // reads the form
	for _, s := range k.snapshots {
		i := slices.IndexFunc(all, func(c choice) bool { return string(c.Set) == s.Set && string(c.Host) == s.Host })
		if i < 0 {
			i = len(all)
			all = append(all, choice{Set: output.Name(s.Set), Host: output.Name(s.Host), Link: v.link(path, "set", s.Set, "host", s.Host)})
		}
		all[i].Snapshots++
	}
	slices.SortFunc(all, func(a, b choice) int {
		return cmp.Or(cmp.Compare(b.rank(v), a.rank(v)), strings.Compare(string(a.Set), string(b.Set)), strings.Compare(string(a.Host), string(b.Host)))
	})
	return all
}

// rank is higher for what most likely is looked for: sets of this host.
func (c choice) rank(v *visit) int {
	if string(c.Host) == v.Host && c.Set != "" {
		return 1
	}
	return 0
}

// Label names a set of a host.
func (c choice) Label() string { return setLabel(c.Set) + " on " + c.Host.String() }

// setLabel names a set; backups of paths have none.
func setLabel(set output.Name) string {
	if set == "" {
		return "paths"
	}
	return set.String()
}

// Label names the set of the timeline.
func (t *timeline) Label() string { return setLabel(t.Set) }

func (v *visit) row(k *known, s *catalog.Snapshot) row {
	files, bytes := browse.Sizes([]*catalog.Snapshot{s})
	r := row{
		ID: s.ID.String(), Short: s.ShortID(), Time: s.Time, Complete: s.Complete(), Tags: output.Names(s.Tags), About: output.Name(s.Description),
		Files: files, Bytes: bytes, Took: length(s.Finished.Sub(s.Started)), Link: v.link("/snapshot", "id", s.ID.String()),
	}
	for _, trip := range s.Tripwire {
		r.Trips = append(r.Trips, output.Name(trip.String()).String())
	}
	for _, held := range s.Held {
		r.Held = append(r.Held, output.Name(held.Reason))
	}
	if s.Standing != catalog.Bound {
		r.Standing = s.Standing.String()
	}
	if verdict, ok := k.verdicts[r.ID]; ok {
		r.Keep, r.Going = verdict.Keep, !verdict.Kept()
	}
	return r
}

// Reasons are what keeps the snapshot, beside the holds, which are shown with their own reasons.
func (r row) Reasons() []string {
	return slices.DeleteFunc(slices.Clone(r.Keep), func(reason string) bool { return reason == "held" && len(r.Held) > 0 })
}

// addCommits lists what is to be seen without an identity, the newest first.
func (t *timeline) addCommits(v *visit, k *known) {
	for _, rec := range k.commits {
		t.Commits = append(t.Commits, commit{rec.Hash.String(), output.Name(rec.Lane.Writer), rec.Stored})
	}
	slices.SortFunc(t.Commits, func(a, b commit) int { return b.Stored.Compare(a.Stored) })
	t.turn(v, len(t.Commits))
	t.Commits = t.Commits[t.From:min(t.From+rowsShown, len(t.Commits))]
}

// weeksOf is a calendar, the newest week first: so a narrow window shows that.
func weeksOf(of []*catalog.Snapshot, now time.Time) (weeks []week) {
	sinceMonday := (int(now.Local().Weekday()) + 6) % 7
	days := daysOf(of, now, (weeksShown-1)*7+sinceMonday+1)
	for len(days) > 0 {
		w := week{Days: days[:min(7, len(days))]}
		days = days[len(w.Days):]
		if first := w.Days[0].Date; first.Day() <= 7 {
			w.Month = first.Format("Jan")
		}
		weeks = append(weeks, w)
	}
	slices.Reverse(weeks)
	return weeks
}
