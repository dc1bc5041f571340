package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// RolledUp reports whether a record or session of this name is rolled up. Its object may be
// deleted.
func (l *Log) RolledUp(object string) bool { return l.rolled != nil && l.rolled.passed(object) }

// historian checks the rolls in order, from the first one.
type historian struct {
	repo    *Repository
	last    map[Lane]*Record
	known   map[archive.Name]bool
	records uint64
	find    func(object string, err error)
	before  string // hash of the roll before
}

// CheckHistory checks all that was ever rolled up: every signature, that no record is missing in
// any lane, and that each roll follows from the one before. It calls find with what is wrong, and
// returns how many records it has checked.
func (r *Repository) CheckHistory(ctx context.Context, log *Log, find func(object string, err error)) (records uint64, err error) {
	if log.rolled == nil {
		return 0, nil
	}
	h := &historian{repo: r, last: map[Lane]*Record{}, known: map[archive.Name]bool{}, find: find}
	for n := uint64(1); n <= log.rolled.Number; n++ {
		if err := h.roll(ctx, n); err != nil {
			return h.records, err
		}
	}
	for _, rec := range log.rolled.records {
		if !h.known[rec.Hash] {
			find(rollName(log.rolled.Number), fmt.Errorf("it has record %s in force, which is in no history: %w", rec.Name(), ErrUntrusted))
		}
	}
	return h.records, nil
}

func (h *historian) roll(ctx context.Context, n uint64) error {
	l, err := h.repo.readRollBody(ctx, n)
	if l == nil || err != nil {
		return h.note(ctx, rollName(n), errors.Join(err, fmt.Errorf("it is missing, or not signed by who may: %w", ErrUntrusted)))
	}
	if l.Previous != h.before {
		h.find(rollName(n), fmt.Errorf("it does not follow the one before it: %w", ErrUntrusted))
	}
	h.before = l.hash
	for _, name := range l.History {
		if err := h.note(ctx, historyName(name), h.repo.eachLine(ctx, name, func(line rollLine) error { return h.line(line) })); err != nil {
			return err
		}
	}
	for lane, floor := range l.floors {
		if last := h.last[lane]; last == nil || last.Hash != floor.Hash || last.Sequence != floor.Sequence {
			h.find(rollName(n), fmt.Errorf("history does not reach record %s: %w", floor.Name(), ErrUntrusted))
		}
	}
	return nil
}

func (h *historian) line(line rollLine) error {
	lane, seq, ok := parseRecordName(line.Name)
	if !ok {
		return fmt.Errorf("it holds %q: %w", line.Name, archive.ErrDamaged)
	}
	h.records++
	rec, err := h.repo.acceptRecord(lane, seq, line.Record)
	if err == nil {
		err = follows(h.last[lane], rec)
	}
	if err != nil {
		h.find(line.Name, err)
	}
	if rec != nil {
		h.last[lane], h.known[rec.Hash] = rec, true
	}
	return nil
}

// note calls find with an error, unless it prevents the check.
func (h *historian) note(ctx context.Context, object string, err error) error {
	if err == nil {
		return nil
	}
	if away := store.Unavailable(ctx, err); away != nil {
		return away
	}
	h.find(object, err)
	return nil
}
