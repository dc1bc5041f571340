// Package status finds out how the backups are, of all hosts: from what the records of a repository
// say, and from what this machine remembers of its own jobs. What a set's state is then package
// health judges.
package status

import (
	"context"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
	"github.com/packstone/packstone/pipeline/keep"
)

// shownFaults is how many of the last runs that were not fully successful are told.
const shownFaults = 5

// Of returns the status of the machine's repository at now, as far as the keys at hand tell. It
// warns of what this machine's history cannot tell.
func Of(ctx context.Context, m *machine.Machine, now time.Time) (*message.Status, error) {
	repo, storage, err := m.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.EvenBroken)
	if err != nil {
		return nil, err
	}
	found, err := browse.StatusOf(ctx, repo)
	if err != nil {
		return nil, err
	}
	s := messageOf(repo, found, now)
	if err := addHealth(m, s, repo, found, now); err != nil {
		return nil, err
	}
	s.Locks = locksOf(repo)
	s.Requests, s.LastBackup = storage.Counts.Totals(), recallBackup(repo.Cache)
	return s, nil
}

// messageOf says what was found in a repository.
func messageOf(repo *catalog.Repository, found *browse.Status, now time.Time) *message.Status {
	m := &message.Status{
		Repository: repo.Store.Location(), ID: repo.Format.Repository, Owner: repo.Owner().Fingerprint().String(), Recipients: len(repo.Config.Recipients),
		Sets: []message.StatusSet{}, Health: []message.StatusHealth{}, Faults: []message.StatusFault{}, Writers: []message.StatusWriter{}, Sessions: []message.StatusSession{},
		Packs: found.Packs, Bytes: found.Bytes, Outcomes: outcomesOf(found.Outcomes),
		Problems: append([]string{}, found.Problems...), Unknown: append([]string{}, found.Unknown...),
	}
	for _, set := range found.Sets {
		last := set.Last
		m.Sets = append(m.Sets, message.StatusSet{
			Set: output.Name(last.Set), Hostname: output.Name(last.Host), SnapshotID: last.ID.String(), Time: last.Time, Age: int64(now.Sub(last.Time) / time.Second),
			Duration: last.Finished.Sub(last.Started).Seconds(), Complete: last.Complete(), Tripwire: message.TripsOf(last), Snapshots: set.Snapshots,
		})
	}
	for _, w := range found.Writers {
		m.Writers = append(m.Writers, message.StatusWriter(w))
	}
	for _, open := range found.Sessions {
		m.Sessions = append(m.Sessions, message.StatusSession(open))
	}
	return m
}

func outcomesOf(outcomes []catalog.RunOutcome) []message.StatusOutcome {
	rows := []message.StatusOutcome{}
	for _, o := range outcomes {
		if !o.Done {
			rows = append(rows, message.StatusOutcome{
				Job: o.Job, Set: output.Name(o.Set), Hostname: output.Name(o.Host), Outcome: health.Outcome(o.Result), Began: o.Began, Duration: o.Seconds,
				Code: o.Code, Cause: o.Cause, Since: o.Since, Told: o.Date,
			})
		}
	}
	return rows
}

// addHealth judges the sets that somebody wants to be backed up, and adds what is known of jobs on
// this machine.
func addHealth(m *machine.Machine, to *message.Status, repo *catalog.Repository, found *browse.Status, now time.Time) error {
	settings, err := m.Settings()
	if err != nil {
		return err
	}
	host, err := m.ThisHost(repo.Format.Repository)
	if err != nil {
		return err
	}
	f := readHistory(m)
	if f != nil {
		defer f.Close()
	}
	for _, s := range Sets(settings, host, found) {
		if s.Host == host && f != nil {
			newest := s.Newest
			if err := f.AddFacts(&s); err != nil {
				m.Warn(err.Error())
			}
			if repo.CanRead() { // a snapshot may have been forgotten since
				s.Newest = newest
			}
		}
		to.Health = append(to.Health, healthOf(health.Judge(s, now), now))
	}
	if f != nil {
		if err := addFaults(to, f, now); err != nil {
			m.Warn(err.Error())
		}
	}
	return nil
}

// readHistory opens what jobs of the settings did here, nil if nothing is known.
func readHistory(m *machine.Machine) *history.File {
	path, err := m.SettingsPath()
	if err != nil {
		return nil // there are none
	}
	f, err := history.Read(m.HistoryPath(path))
	if err != nil {
		m.Warn(err.Error())
	}
	return f
}

// addFaults adds what is known of jobs on this machine.
func addFaults(m *message.Status, f *history.File, now time.Time) error {
	faults, err := f.Faults(shownFaults)
	if err == nil {
		m.Growth, err = f.Growth(now.AddDate(0, 0, -history.GrowthDays))
	}
	if err != nil {
		return err
	}
	for _, run := range faults {
		m.Faults = append(m.Faults, message.StatusFault{Job: run.Job, Began: run.Start, Outcome: run.Outcome, Code: run.Code, Cause: run.Cause})
	}
	return nil
}

func healthOf(s health.Set, now time.Time) message.StatusHealth {
	return message.StatusHealth{
		Set: output.Name(s.Name), Hostname: output.Name(s.Host), State: s.State, Since: s.Since, Cause: s.Cause, Newest: s.Newest,
		Age: int64(max(0, s.Age(now)) / time.Second), MaxAge: int64(s.MaxAge / time.Second), LastSuccess: s.LastSuccess, Failures: s.Failures,
		Duration: s.Last.Duration.Seconds(),
	}
}

// locksOf returns what is remembered of locks, nil if nothing is.
func locksOf(repo *catalog.Repository) *message.StatusLocks {
	seen, ok := keep.LastSeen(repo)
	if !ok || seen.Objects == 0 {
		return nil
	}
	return &message.StatusLocks{Until: seen.Until, Mode: seen.Mode, At: seen.At, Objects: seen.Objects, Bytes: seen.Bytes, Withheld: seen.Withheld}
}
