package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// statusHealth is how a set of a host is that the settings want to be backed up, by schedule or max_age.
type statusHealth struct {
	Set         output.Name  `json:"set" doc:"The set."`
	Hostname    output.Name  `json:"hostname" doc:"The host."`
	State       health.State `json:"state" doc:"protected, or the gravest of damaged, late, failed, never, tripped and incomplete."`
	Since       time.Time    `json:"since,omitzero" doc:"Since when, where that is known."`
	Cause       string       `json:"cause,omitempty" doc:"Why it is not protected."`
	Newest      time.Time    `json:"newest_complete,omitzero" doc:"When the newest complete snapshot was taken."`
	Age         int64        `json:"age_seconds,omitempty" doc:"How long ago that was."`
	MaxAge      int64        `json:"max_age_seconds,omitempty" doc:"How old it may be."`
	LastSuccess time.Time    `json:"last_success,omitzero" doc:"When packstone run last made a complete backup of it here."`
	Failures    int          `json:"failures,omitempty" doc:"How many runs in a row have failed."`
}

// statusFault is a run of a job on this host that did not do all that it was to do.
type statusFault struct {
	Job     string         `json:"job" doc:"The job: backup and its set, forget, prune or check."`
	Began   time.Time      `json:"began" doc:"When it began."`
	Outcome health.Outcome `json:"outcome" doc:"incomplete, failed or interrupted."`
	Code    int            `json:"code" doc:"The exit code that the verb would have ended with."`
	Cause   string         `json:"cause" doc:"Why."`
}

// How many faults status tells of, and how far back it looks for growth.
const (
	shownFaults = 5
	growthDays  = 7
)

// addHealth judges the sets that the settings want to be backed up.
func (a *app) addHealth(m *statusMessage, repo *catalog.Repository, found []browse.SetStatus, now time.Time) error {
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	host, err := a.ThisHost(repo.Format.Repository)
	if err != nil {
		return err
	}
	f := a.readHistory()
	if f != nil {
		defer f.Close()
	}
	for _, s := range watchedSets(settings, host, found) {
		if s.Host == host && f != nil {
			newest := s.Newest
			if err := f.AddFacts(&s); err != nil {
				a.Warn(err.Error())
			}
			if repo.CanRead() { // a snapshot may have been forgotten since
				s.Newest = newest
			}
		}
		m.Health = append(m.Health, statusHealthOf(health.Judge(s, now), now))
	}
	return a.addFaults(m, f, now)
}

// readHistory opens what jobs of the settings did here, nil if nothing is known.
func (a *app) readHistory() *history.File {
	path, err := a.SettingsPath()
	if err != nil {
		return nil // there are none
	}
	f, err := history.Read(a.HistoryPath(path))
	if err != nil {
		a.Warn(err.Error())
	}
	return f
}

func (a *app) addFaults(m *statusMessage, f *history.File, now time.Time) error {
	if f == nil {
		return nil
	}
	faults, err := f.Faults(shownFaults)
	if err == nil {
		m.Growth, err = f.Growth(now.AddDate(0, 0, -growthDays))
	}
	if err != nil {
		a.Warn(err.Error())
		return nil
	}
	for _, run := range faults {
		m.Faults = append(m.Faults, statusFault{run.Job, run.Start, run.Outcome, run.Code, run.Cause})
	}
	return nil
}

// watchedSets are the sets that the settings want to be backed up: those of this host, and those of the same names that other hosts have.
func watchedSets(settings *config.Config, host string, found []browse.SetStatus) (sets []health.Set) {
	for _, name := range settings.SetNames() {
		set := settings.Sets[name]
		if !set.Watched() {
			continue
		}
		own := false
		for _, status := range found {
			if status.Last.Set == name {
				own = own || status.Last.Host == host
				sets = append(sets, knownSet(status, set.Bound()))
			}
		}
		if !own {
			sets = append(sets, health.Set{Name: name, Host: host, MaxAge: set.Bound()})
		}
	}
	return sets
}

// knownSet is what the repository tells of a set of a host.
func knownSet(status browse.SetStatus, bound time.Duration) health.Set {
	s := health.Set{Name: status.Last.Set, Host: status.Last.Host, MaxAge: bound, Snapshots: status.Snapshots}
	if status.Complete != nil {
		s.Newest = status.Complete.Time
	}
	if rows := tripRows(status.Last); status.Last.Marked() {
		s.Tripped, s.TripCause = true, tripText(rows)
	}
	if !status.Last.Complete() {
		s.Last = health.Run{Start: status.Last.Time, Outcome: health.Missing, Cause: "something is missing in the last snapshot"}
	}
	return s
}

func statusHealthOf(s health.Set, now time.Time) statusHealth {
	return statusHealth{
		Set: output.Name(s.Name), Hostname: output.Name(s.Host), State: s.State, Since: s.Since, Cause: s.Cause, Newest: s.Newest,
		Age: int64(max(0, s.Age(now)) / time.Second), MaxAge: int64(s.MaxAge / time.Second), LastSuccess: s.LastSuccess, Failures: s.Failures,
	}
}

func (m *statusMessage) healthTable() output.Table {
	table := output.Table{Head: []string{"SET", "HOST", "STATE", "SINCE", "NEWEST COMPLETE", "MAX AGE"}}
	for _, s := range m.Health {
		since, newest, bound := "-", "-", "-"
		if !s.Since.IsZero() {
			since = output.Time(s.Since)
		}
		if !s.Newest.IsZero() {
			newest = output.Elapsed(time.Duration(s.Age)*time.Second) + " ago"
		}
		if s.MaxAge > 0 {
			bound = output.Elapsed(time.Duration(s.MaxAge) * time.Second)
		}
		table.Rows = append(table.Rows, []string{s.Set.String(), s.Hostname.String(), string(s.State), since, newest, bound})
	}
	return table
}

// jobsText is what is known of jobs on this host.
func (m *statusMessage) jobsText() string {
	var b strings.Builder
	for _, s := range m.Health {
		if s.Cause != "" {
			fmt.Fprintf(&b, "\n%s on %s: %s: %s", s.Set, s.Hostname, s.State, output.Name(s.Cause))
		}
	}
	if m.Growth > 0 {
		fmt.Fprintf(&b, "\njobs on this host stored %s in the last %d days", output.Bytes(m.Growth), growthDays)
	}
	for _, f := range m.Faults {
		fmt.Fprintf(&b, "\n%s %s: %s: %s", output.Time(f.Began), f.Job, f.Outcome, output.Name(f.Cause))
	}
	return b.String()
}

// verdict is how status ends: with what is not as it should be.
func (m *statusMessage) verdict() error {
	bad := slices.DeleteFunc(slices.Clone(m.Health), func(s statusHealth) bool { return s.State.Good() })
	if len(bad) == 0 {
		return nil
	}
	names := make([]string, len(bad))
	for i, s := range bad {
		names[i] = fmt.Sprintf("%s on %s (%s)", s.Set, s.Hostname, s.State)
	}
	return exitWith(exitMissing, "%d of %d sets are not protected: %s", len(bad), len(m.Health), strings.Join(names, ", "))
}
