package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ErrDoubtful: what was asked for may be something else than what the store shows.
var ErrDoubtful = errors.New("the repository does not show all that there was")

// Doubt is a reason to think that the store does not show all that was written.
type Doubt struct {
	Lane Lane // whose records may be missing; none if it is the config
	Err  error
	// Proven: this host has seen it, the lane itself shows it, or the owner or a collector says so. Else it is the word of one writer, who
	// may lie: it is worth telling and stops nobody.
	Proven bool

	sequence uint64    // of what is missing, the first
	until    time.Time // when the lane goes on, so that what is missing is not newer; zero: it does not
}

// ofConfig tells whether the doubt is about who may do what.
func (d Doubt) ofConfig() bool { return d.Lane.Writer == "" }

// Doubts are all reasons to think that the store does not show all that was written. defects are of snapshots, see ReadSnapshots.
func (r *Repository) Doubts(log *Log, defects []error) []Doubt {
	doubts := r.forgotten(log)
	for _, err := range append(slices.Clone(log.Problems), defects...) {
		var d *Defect
		if errors.As(err, &d) {
			_, _, isWriter := member(r.Config.Writers, d.Lane.Writer)
			doubts = append(doubts, Doubt{Lane: d.Lane, Err: d.Err, Proven: isWriter, sequence: d.Sequence, until: log.goesOn(d.Lane, d.Sequence)})
		}
	}
	return append(doubts, r.claims(log)...)
}

// forgotten are what this host has seen, and is gone.
func (r *Repository) forgotten(log *Log) (doubts []Doubt) {
	for _, what := range log.lost {
		lane, _, _ := parseRecordName("log/" + what + "/" + sequence(1))
		doubts = append(doubts, Doubt{Lane: lane, Err: fmt.Errorf("%w: of %s", ErrRolledBack, what), Proven: true})
	}
	return doubts
}

// goesOn is the date of the first record of a lane after a number, zero if there is none.
func (l *Log) goesOn(lane Lane, after uint64) time.Time {
	for _, rec := range l.Records {
		if rec.Lane == lane && rec.Sequence > after && !rec.Undated {
			return rec.Date
		}
	}
	return time.Time{}
}

// claim is what records say of a lane, or of the config, that the store does not have.
type claim struct {
	lane Lane // none: the config
	last uint64
	by   map[string]bool // who says so
	sure bool            // one of them is the owner, or a collector
}

// claims are what records tell of others and is not there.
func (r *Repository) claims(log *Log) (doubts []Doubt) {
	found := map[Lane]*claim{}
	for _, rec := range log.Records {
		for text, head := range rec.Heads {
			lane, _, ok := parseRecordName("log/" + text + "/" + sequence(1))
			if ok && isPlain(text) && !log.has(head.Hash) && !r.isVoid(lane, head) {
				note(found, lane, head.Sequence, rec)
			}
		}
		if !r.Config.knows(rec.Config, rec.ConfigHash) {
			note(found, Lane{}, rec.Config, rec)
		}
	}
	for _, lane := range slices.SortedFunc(maps.Keys(found), func(a, b Lane) int { return strings.Compare(a.String(), b.String()) }) {
		doubts = append(doubts, found[lane].doubt())
	}
	return doubts
}

// isPlain tells whether a text can be printed as it is.
func isPlain(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

func note(found map[Lane]*claim, lane Lane, last uint64, rec *Record) {
	c := found[lane]
	if c == nil {
		c = &claim{lane: lane, by: map[string]bool{}}
		found[lane] = c
	}
	c.last = max(c.last, last)
	c.by[rec.Lane.Writer] = true
	c.sure = c.sure || rec.ofOwner
}

func (c *claim) doubt() Doubt {
	what := fmt.Sprintf("record %s", c.lane.record(c.last))
	if c.lane.Writer == "" {
		what = fmt.Sprintf("config %d", c.last)
	}
	err := fmt.Errorf("%s was there, says %s, and is not any more", what, strings.Join(slices.Sorted(maps.Keys(c.by)), " and "))
	return Doubt{Lane: c.lane, Err: err, Proven: c.sure, sequence: c.last}
}

// isVoid tells whether the owner has declared a record void.
func (r *Repository) isVoid(lane Lane, head Head) bool {
	return r.Config.Void[lane.record(head.Sequence)] == head.Hash
}

// Concerns tells whether a doubt is proven, and of a writer who may speak for host; "" is any.
func (r *Repository) Concerns(d Doubt, host string) bool {
	if !d.Proven || d.ofConfig() || host == "" {
		return d.Proven
	}
	m, _, known := member(r.Config.Writers, d.Lane.Writer)
	return known && m.spoke(host)
}

// spoke tells whether the member may speak for a host, or could before the owner changed that.
func (m *Member) spoke(host string) bool {
	if standing(m.Hosts, host) != Outside {
		return true
	}
	return slices.ContainsFunc(m.Earlier, func(b Binding) bool { return standing(b.Hosts, host) != Outside })
}

// Certain fails with ErrDoubtful if the snapshot that a name was found to mean may not be the one: another that is newer may be missing. An id
// means what it means, unless it is not known who may write. host is the one that was asked for, "" if none was.
func (r *Repository) Certain(log *Log, doubts []Doubt, name, host string, s *Snapshot) error {
	for _, d := range doubts {
		if !r.Concerns(d, host) || !isRelative(name) && !d.ofConfig() || log.precedes(d, s) {
			continue
		}
		return fmt.Errorf("%s: %w: %w", name, ErrDoubtful, d.Err)
	}
	return nil
}

// precedes tells whether what is missing is older than a snapshot.
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
