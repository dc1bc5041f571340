package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// statusHealth is how a set of a host is that the settings want to be backed up, by schedule or
// max_age.
type statusHealth struct {
	Set         output.Name  `json:"set" doc:"The set."`
	Hostname    output.Name  `json:"hostname" doc:"The host."`
	State       health.State `json:"state" doc:"protected, or the gravest of damaged, late, failed, never, tripped, drill_failed and incomplete."`
	Since       time.Time    `json:"since,omitzero" doc:"Since when, where that is known."`
	Cause       string       `json:"cause,omitempty" doc:"Why it is not protected."`
	Newest      time.Time    `json:"newest_complete,omitzero" doc:"When the newest complete snapshot was taken."`
	Age         int64        `json:"age_seconds,omitempty" doc:"How long ago that was."`
	MaxAge      int64        `json:"max_age_seconds,omitempty" doc:"How old it may be."`
	LastSuccess time.Time    `json:"last_success,omitzero" doc:"When packstone run last made a complete backup of it here."`
	Failures    int          `json:"failures,omitempty" doc:"How many runs in a row have failed."`
	Duration    float64      `json:"last_run_seconds,omitempty" doc:"How long the last run took, where that is known."`
}

// statusFault is a run of a job on this host that did not do all that it was to do.
type statusFault struct {
	Job     string         `json:"job" doc:"The job: backup and its set, forget, prune, check, copy or drill."`
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
func (a *app) addHealth(m *statusMessage, repo *catalog.Repository, found *browse.Status, now time.Time) error {
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

// watchedSets are the sets that somebody wants to be backed up: those of the settings, on this host
// and where others have sets of these names, those of which a host's snapshots say how old they may
// be, and those of which a host has said that they failed.
func watchedSets(settings *config.Config, host string, found *browse.Status) (sets []health.Set) {
	for _, name := range settings.SetNames() {
		if settings.Sets[name].Watched() {
			sets = append(sets, health.Set{Name: name, Host: host, MaxAge: settings.Sets[name].Bound()})
		}
	}
	own := len(sets)
	for _, status := range found.Sets {
		s := knownSet(status)
		mine := settings.Sets[s.Name]
		i := slices.IndexFunc(sets[:own], func(o health.Set) bool { return o.Key() == s.Key() })
		switch {
		case i >= 0:
			s.MaxAge = sets[i].MaxAge
			sets[i] = s
			continue
		case s.MaxAge == 0:
			s.MaxAge = mine.Bound()
		}
		if s.Host != host && (s.MaxAge > 0 || mine.Watched()) {
			if s.Last.Outcome == health.None { // of this host its history knows more
				s.Last = runOfSnapshot(status.Last, health.Done)
			}
			sets = append(sets, s)
		}
	}
	return addOutcomes(sets, host, found.Outcomes)
}

// addOutcomes completes sets by what their hosts have said of runs that no snapshot tells of. What
// is damaged is so for all: they share a repository.
func addOutcomes(sets []health.Set, host string, outcomes []catalog.RunOutcome) []health.Set {
	damage, since := "", time.Time{}
	for _, o := range outcomes {
		if !o.Done && o.Job == daemon.Check && o.Code == exitIntegrity {
			damage, since = fmt.Sprintf("%s (a check on %s)", o.Cause, o.Host), o.Since
		}
		if o.Done || o.Job != daemon.Backup {
			continue
		}
		i := slices.IndexFunc(sets, func(s health.Set) bool { return s.Name == o.Set && s.Host == o.Host })
		if i < 0 && o.Host == host {
			continue // the settings do not want it any more
		}
		if i < 0 {
			i = len(sets)
			sets = append(sets, health.Set{Name: o.Set, Host: o.Host, MaxAge: time.Duration(o.MaxAge) * time.Second})
		}
		sets[i].Last, sets[i].Failures, sets[i].FirstFault = runOfOutcome(o), o.Failures, o.Since
	}
	for i := range sets {
		sets[i].Damage, sets[i].DamageSince = damage, since
	}
	return sets
}

func runOfOutcome(o catalog.RunOutcome) health.Run {
	return health.Run{Start: o.Began, Duration: time.Duration(o.Seconds * float64(time.Second)), Outcome: health.Outcome(o.Result), Cause: o.Cause, Code: o.Code}
}

func runOfSnapshot(s *catalog.Snapshot, outcome health.Outcome) health.Run {
	return health.Run{Start: s.Started, Duration: s.Finished.Sub(s.Started), Outcome: outcome}
}

// statusOutcome is a job of a host that failed, and was not done since.
type statusOutcome struct {
	Job      string         `json:"job" doc:"The job: backup, forget, prune, check, copy or drill."`
	Set      output.Name    `json:"set,omitempty" doc:"The set of a backup or a retention."`
	Hostname output.Name    `json:"hostname" doc:"The host that ran it."`
	Outcome  health.Outcome `json:"outcome" doc:"incomplete or failed."`
	Began    time.Time      `json:"began" doc:"When the run that was told last began."`
	Duration float64        `json:"duration" doc:"Seconds that it took."`
	Code     int            `json:"code" doc:"The exit code that the verb would have ended with."`
	Cause    string         `json:"cause" doc:"Why."`
	Since    time.Time      `json:"since,omitzero" doc:"Since when it has failed."`
	Told     time.Time      `json:"told" doc:"When the host has written it down, by the storage's clock."`
}

func outcomeRows(outcomes []catalog.RunOutcome) []statusOutcome {
	rows := []statusOutcome{}
	for _, o := range outcomes {
		if !o.Done {
			rows = append(rows, statusOutcome{o.Job, output.Name(o.Set), output.Name(o.Host), health.Outcome(o.Result), o.Began, o.Seconds, o.Code, o.Cause, o.Since, o.Date})
		}
	}
	return rows
}

// knownSet is what snapshots tell of a set of a host.
func knownSet(status browse.SetStatus) health.Set {
	s := health.Set{Name: status.Last.Set, Host: status.Last.Host, MaxAge: time.Duration(status.Last.MaxAge) * time.Second, Snapshots: status.Snapshots}
	if status.Complete != nil {
		s.Newest = status.Complete.Time
	}
	if rows := message.TripsOf(status.Last); status.Last.Marked() {
		s.Tripped, s.TripCause = true, message.TripText(rows)
	}
	if !status.Last.Complete() {
		s.Last = runOfSnapshot(status.Last, health.Missing)
		s.Last.Cause = "something is missing in the last snapshot"
	}
	return s
}

func statusHealthOf(s health.Set, now time.Time) statusHealth {
	return statusHealth{
		Set: output.Name(s.Name), Hostname: output.Name(s.Host), State: s.State, Since: s.Since, Cause: s.Cause, Newest: s.Newest,
		Age: int64(max(0, s.Age(now)) / time.Second), MaxAge: int64(s.MaxAge / time.Second), LastSuccess: s.LastSuccess, Failures: s.Failures,
		Duration: s.Last.Duration.Seconds(),
	}
}

func (m *statusMessage) healthTable() output.Table {
	table := output.Table{Head: []string{"SET", "HOST", "STATE", "SINCE", "NEWEST COMPLETE", "MAX AGE"}, Cut: []int{0, 1}}
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
	for _, o := range m.Outcomes {
		if o.Job != daemon.Backup { // those of backups are told with their sets
			fmt.Fprintf(&b, "\n%s %s on %s: %s since %s: %s", output.Time(o.Began), o.Job, o.Hostname, o.Outcome, output.Time(o.Since), output.Name(o.Cause))
		}
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
	return exitWith(exitMissing, "%d of %s not protected: %s", len(bad), output.Plural(len(m.Health), "set"), strings.Join(names, ", "))
}
