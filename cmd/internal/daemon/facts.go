package daemon

import (
	"time"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/metrics"
)

// Look finds out how the sets are that somebody counts on, and when each is due next. It warns of
// what the history cannot tell; ok is false if that is how the sets are.
func (d *Daemon) Look(c *config.Config, host string, now time.Time) (sets []health.Set, ok bool) {
	if err := d.History.Watch(Scheduled(c), now); err != nil {
		d.Log.Warn(err.Error())
	}
	sets, err := Sets(c, host, d.History, now)
	if err != nil {
		d.Log.Warn(err.Error())
		return nil, false
	}
	for i := range sets {
		sets[i].Next = d.Next(sets[i].Name)
	}
	return sets, true
}

// Measured is a repository and how large it was.
type Measured struct {
	Name  string         // for people, without secrets
	Sizes []metrics.Size // the oldest first
}

// Facts are what metrics tell of sets of a host, and of the repositories that they go to, at now.
// After an error they lack what the history could not tell.
func Facts(f *history.File, host string, sets []health.Set, repositories []Measured, now time.Time) (*metrics.Facts, error) {
	facts := &metrics.Facts{Sets: sets}
	failures, err := f.Failures()
	for _, failed := range failures {
		facts.Failures = append(facts.Failures, metrics.Failures{Set: failed.Set, Host: host, Kind: metrics.KindOf(failed.Code), Count: failed.Count})
	}
	growth := int64(0)
	if err == nil {
		growth, err = f.Growth(now.AddDate(0, 0, -history.GrowthDays))
	}
	for _, r := range repositories {
		known := metrics.Repository{Name: r.Name}
		if len(repositories) == 1 { // else nobody knows how much went to which
			known.Growth = growth / history.GrowthDays
		}
		r.fill(&known)
		if len(sets) > 0 {
			known.Verified = sets[0].Verified
		}
		facts.Repositories = append(facts.Repositories, known)
	}
	return facts, err
}

// fill adds to what is known of a repository what was measured.
func (m Measured) fill(r *metrics.Repository) {
	if len(m.Sizes) == 0 {
		return
	}
	last := m.Sizes[len(m.Sizes)-1]
	r.Packs, r.Bytes = last.Packs, last.Bytes
	if perDay, known := metrics.GrowthOf(m.Sizes); known {
		r.Growth = perDay
	}
}
