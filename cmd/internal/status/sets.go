package status

import (
	"fmt"
	"slices"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/pipeline/browse"
)

// Sets returns the sets that somebody wants to be backed up: those of the settings, on this host and
// where others have sets of these names, those of which a host's snapshots say how old they may be,
// and those of which a host has said that they failed. Of this host's they say what the repository
// says; its history knows more. They are not judged yet.
func Sets(settings *config.Config, host string, found *browse.Status) (sets []health.Set) {
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
		if !o.Done && o.Job == daemon.Check && o.Code == exitcode.Integrity {
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
