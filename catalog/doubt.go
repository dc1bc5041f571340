package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrDoubtful: the name may mean another snapshot than the one that the store shows.
var ErrDoubtful = errors.New("the repository was rolled back, or has lost records")

// Doubt is a reason to think that the store does not show all that was written.
type Doubt struct {
	Lane Lane // whose records may be missing; none if it is the config
	Err  error
	// Proven: this host has seen it, the lane itself shows it, or the owner or a collector says so.
	// Otherwise it is the word of one writer, who may lie: it is reported, but stops no operation.
	Proven bool
	Claim  bool // it is an Accusation

	sequence uint64    // of what is missing, the first
	until    time.Time // when the lane goes on, so that what is missing is not newer; zero: it does not
}

// ofConfig reports whether the doubt concerns the config.
func (d Doubt) ofConfig() bool { return d.Lane.Writer == "" }

// Doubts returns all reasons to think that the store does not show all that was written. defects
// are those that ReadSnapshots returned.
func (r *Repository) Doubts(ctx context.Context, log *Log, defects []error) ([]Doubt, error) {
	doubts := r.forgotten(log)
	for _, err := range append(slices.Clone(log.Problems), defects...) {
		var d *Defect
		if errors.As(err, &d) {
			_, _, isWriter := member(r.Config.Writers, d.Lane.Writer)
			doubts = append(doubts, Doubt{Lane: d.Lane, Err: d.Err, Proven: isWriter, sequence: d.Sequence, until: log.goesOn(d.Lane, d.Sequence)})
		}
	}
	accusations, err := r.Accusations(ctx, log)
	for _, a := range accusations {
		lane, _, ok := parseRecordName(a.object())
		if !ok && a.Lane != "" {
			continue
		}
		doubts = append(doubts, Doubt{Lane: lane, Err: errors.New(a.String()), Proven: a.Grave, Claim: true, sequence: a.Sequence})
	}
	return doubts, err
}

// forgotten returns what this host has seen in the store and is no longer there.
func (r *Repository) forgotten(log *Log) (doubts []Doubt) {
	for _, what := range log.lost {
		lane, _, _ := parseRecordName("log/" + what + "/" + sequence(1))
		doubts = append(doubts, Doubt{Lane: lane, Err: fmt.Errorf("%w: of %s", ErrRolledBack, what), Proven: true})
	}
	return doubts
}

// goesOn returns the date of a lane's first record after a number, zero if there is none.
func (l *Log) goesOn(lane Lane, after uint64) time.Time {
	for _, rec := range l.Records {
		if rec.Lane == lane && rec.Sequence > after && !rec.Undated {
			return rec.Date
		}
	}
	return time.Time{}
}

// Concerns reports whether a doubt is proven and concerns a writer who may speak for host; "" means
// any host.
func (r *Repository) Concerns(d Doubt, host string) bool {
	if !d.Proven || d.ofConfig() || host == "" {
		return d.Proven
	}
	m, _, known := member(r.Config.Writers, d.Lane.Writer)
	return known && (m.MaySpeakFor(host) ||
		slices.ContainsFunc(m.Earlier, func(b Binding) bool { return standing(b.Hosts, host) != Outside }))
}

// Certain fails with ErrDoubtful if name may not mean s after all, since a newer snapshot may be
// missing. An id means the same snapshot in any case, unless the config is in doubt. host is the
// one that was asked for, "" if none was.
func (r *Repository) Certain(log *Log, doubts []Doubt, name, host string, s *Snapshot) error {
	for _, d := range doubts {
		if !r.Concerns(d, host) || !isRelative(name) && !d.ofConfig() || log.precedes(d, s) || host != "" && r.givesWay(d, s) {
			continue
		}
		return fmt.Errorf("%s: %w: %w", name, ErrDoubtful, d.Err)
	}
	return nil
}

// givesWay reports whether s would be preferred to what is missing: the missing writer is unbound,
// and that of s is bound.
func (r *Repository) givesWay(d Doubt, s *Snapshot) bool {
	m, _, known := member(r.Config.Writers, d.Lane.Writer)
	return known && s.Standing == Bound && m.standing(d.Lane.String(), d.sequence, s.Host) == Unbound
}

// precedes reports whether what is missing is older than s.
func (l *Log) precedes(d Doubt, s *Snapshot) bool {
	rec := l.Find(s.ID)
	if rec == nil || d.ofConfig() {
		return false
	}
	if rec.Lane == d.Lane && d.sequence != 0 && d.sequence < rec.Sequence && s.Claimed.Equal(s.Started) {
		return true
	}
	return !d.until.IsZero() && !d.until.After(s.Time)
}
