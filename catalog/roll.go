package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// featureRollUp must be known to programs that use a repository in which old records may be rolled
// up. Others would take those for lost.
const featureRollUp = "roll-up"

// rollBody is the body of roll/<n>: what still counts of the older part of the log, so that the
// part itself can be deleted.
type rollBody struct {
	Number   uint64               `json:"number"`
	Previous string               `json:"previous,omitempty"` // SHA-256 of the roll before
	Time     time.Time            `json:"time"`
	Lanes    map[string]rollFloor `json:"lanes"`             // up to where each lane is rolled up
	Force    []string             `json:"force"`             // names below history/ of the records in force
	Index    []rollRun            `json:"index,omitempty"`   // the index runs of what is rolled up
	Rounds   uint64               `json:"rounds,omitempty"`  // up to which round collections are rolled up
	Swept    []string             `json:"swept,omitempty"`   // names below history/ of lists of what these have swept
	Leaving  []string             `json:"leaving,omitempty"` // hashes of records that are needed no more, and go with the next roll
	History  []string             `json:"history,omitempty"` // names below history/ of what this roll has rolled up
	Gone     []string             `json:"gone,omitempty"`    // objects that nothing names any more
}

// rollFloor is the last record of a lane that is rolled up.
type rollFloor struct {
	Head
	Date  time.Time `json:"date"`
	Began time.Time `json:"began,omitzero"` // of a checkpoint: the first of the row that it is the last of
}

// rollRun is an index run, and the writer that vouches for it.
type rollRun struct {
	Run    string `json:"run"`
	Writer string `json:"writer"`
	Domain uint64 `json:"domain"`
	Moved  bool   `json:"moved,omitempty"` // of a moved record: the writer is the owner or a collector
}

// rollLine is a record as it was below log/: a line of an object below history/.
type rollLine struct {
	Name    string    `json:"name"`
	Stored  time.Time `json:"stored"` // when the store had it
	Date    time.Time `json:"date,omitzero"`
	Began   time.Time `json:"began,omitzero"` // the first sign of its backup
	Undated bool      `json:"undated,omitempty"`
	Record  []byte    `json:"record"`
}

// rolled is the newest roll, as read.
type rolled struct {
	rollBody
	hash    string
	date    time.Time // the store's, of the roll
	floors  map[Lane]*Record
	records []*Record // in force
	runs    []*Record // for each index run what stands for the records that named it
	swept   PackSet
	leaving map[string]bool
	bytes   map[string][]byte // of the records in force, by their names; nil: not read
}

func rollName(n uint64) string          { return "roll/" + sequence(n) }
func historyName(hash string) string    { return "history/" + hash }
func parseRoll(n string) (uint64, bool) { return parseSequence(strings.TrimPrefix(n, "roll/")) }

// covers reports whether a record is rolled up.
func (l *rolled) covers(lane Lane, seq uint64) bool {
	return l != nil && l.floors[lane] != nil && seq <= l.floors[lane].Sequence
}

// precludes reports whether a session or record cannot count: its number is rolled up, or what it
// follows is not what the roll says, since it came too late itself.
func (l *rolled) precludes(lane Lane, seq uint64, previous string) bool {
	if l == nil || l.floors[lane] == nil {
		return false
	}
	floor := l.floors[lane]
	return seq <= floor.Sequence || seq == floor.Sequence+1 && previous != floor.Hash.String()
}

// vouches reports whether a lane's head that was seen before is rolled up.
func (l *rolled) vouches(lane, hash string, seq uint64) bool {
	if l == nil {
		return false
	}
	floor, known := l.Lanes[lane]
	return known && (seq < floor.Sequence || seq == floor.Sequence && hash == floor.Hash)
}

// newestRoll lists the rolls above a number and reads the newest that is validly signed. It returns
// nil if there is none.
func (r *Repository) newestRoll(ctx context.Context, above uint64) (newest *rolled, err error) {
	after := ""
	if above > 0 {
		after = rollName(above)
	}
	var infos []store.Info
	for info, err := range r.opening().List(ctx, "roll/", after) {
		if err != nil {
			return nil, fmt.Errorf("list rolls: %w", err)
		}
		infos = append(infos, info)
	}
	for _, info := range slices.Backward(infos) {
		n, ok := parseRoll(info.Name)
		if !ok || n <= above {
			continue
		}
		newest, err := r.readRollBody(ctx, n)
		if err != nil || newest != nil {
			if newest != nil {
				newest.date = info.Modified
			}
			return newest, err
		}
		r.warn("%s is not signed by a collector: ignored", info.Name)
	}
	return nil, nil
}

// readRollBody reads a roll without the objects that it names. It returns nil if the roll is not
// validly signed.
func (r *Repository) readRollBody(ctx context.Context, n uint64) (*rolled, error) {
	l := &rolled{floors: map[Lane]*Record{}, leaving: map[string]bool{}}
	var body []byte
	var by crypto.Verifier
	data, err := r.Cache.object(ctx, r.opening(), rollName(n), func(data []byte) (err error) {
		body, by, err = crypto.Verify(r.Format.Repository, rollName(n), data, r.deciders()...)
		return err
	})
	var bad *badObject
	if errors.As(err, &bad) || err == nil && r.wasRevoked(r.Config.Collectors, by.Name(), "roll", n) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", rollName(n), err)
	}
	if err := json.Unmarshal(body, &l.rollBody); err != nil || l.Number != n {
		return nil, fmt.Errorf("read %s: it does not say what its name says: %w", rollName(n), ErrUntrusted)
	}
	l.hash = hash(data)
	for _, id := range l.Leaving {
		l.leaving[id] = true
	}
	for text, floor := range l.Lanes {
		lane, _, ok := parseRecordName("log/" + text + "/" + sequence(1))
		name, err := archive.ParseName(floor.Hash)
		if !ok || err != nil {
			return nil, fmt.Errorf("read %s: lane %q: %w", rollName(n), text, ErrUntrusted)
		}
		l.floors[lane] = &Record{Lane: lane, Sequence: floor.Sequence, Hash: name, Stored: floor.Date, Date: floor.Date, clear: clear{Kind: Tombstone}}
	}
	return l, nil
}

// readRoll reads the newest roll and all records that it keeps in force. It returns nil if there is
// no roll.
func (r *Repository) readRoll(ctx context.Context) (*rolled, error) {
	if !r.Config.requires(featureRollUp) {
		return nil, nil // whoever reads under an older config than there is finds out when they have opened a session
	}
	l, err := r.newestRoll(ctx, 0)
	if l == nil || err != nil {
		return nil, err
	}
	for _, name := range l.Force {
		err := r.eachLine(ctx, name, func(line rollLine) error { return r.inForce(l, line) })
		if err != nil {
			return nil, err
		}
	}
	if l.swept, err = r.rolledSwept(ctx, l); err != nil {
		return nil, err
	}
	for _, run := range l.Index {
		l.runs = append(l.runs, r.runRecord(l, run))
	}
	return l, nil
}

// inForce adds one record that counts. It checks the signature as for any other record.
func (r *Repository) inForce(l *rolled, line rollLine) error {
	lane, seq, ok := parseRecordName(line.Name)
	if !ok || !l.covers(lane, seq) {
		return fmt.Errorf("%s has %q in force: %w", rollName(l.Number), line.Name, ErrUntrusted)
	}
	rec, err := r.acceptRecord(lane, seq, line.Record)
	if err != nil {
		return fmt.Errorf("in force by %s: %w", rollName(l.Number), err)
	}
	rec.Stored, rec.rolled, rec.Index = line.Stored, &line, nil // its index runs are the roll's
	rec.rolled.Record = nil
	l.records = append(l.records, rec)
	return nil
}

// runRecord returns a record that stands in for those that named an index run.
func (r *Repository) runRecord(l *rolled, run rollRun) *Record {
	rec := &Record{Lane: Lane{Writer: run.Writer}, clear: clear{Kind: Checkpoint, Domain: run.Domain, Index: []string{run.Run}}}
	rec.Hash, _ = archive.ParseName(l.hash)
	if run.Moved {
		rec.Kind, rec.ofOwner = Moved, true
		rec.by = r.owner
		if _, by, ok := member(r.Config.Collectors, run.Writer); ok {
			rec.by = by
		}
	}
	return rec
}

// eachLine calls do with the records in an object below history/.
func (r *Repository) eachLine(ctx context.Context, name string, do func(line rollLine) error) error {
	content, err := r.historyContent(ctx, name)
	if err != nil {
		return err
	}
	for i, text := range bytes.Split(bytes.TrimSuffix(content, []byte("\n")), []byte("\n")) {
		if i == 0 {
			continue // says what it is
		}
		var line rollLine
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("read %s: %w: %w", historyName(name), archive.ErrDamaged, err)
		}
		if err := do(line); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repository) historyContent(ctx context.Context, name string) ([]byte, error) {
	data, err := r.Cache.object(ctx, r.Store, historyName(name), hasHash(name))
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", historyName(name), err)
	}
	return archive.Expand(data, 0)
}

// rolledSwept returns the packs swept by rolled-up rounds.
func (r *Repository) rolledSwept(ctx context.Context, l *rolled) (PackSet, error) {
	swept := PackSet{}
	for _, name := range l.Swept {
		content, err := r.historyContent(ctx, name)
		if err != nil {
			return nil, err
		}
		for i, text := range strings.Fields(string(content)) {
			if pack, err := archive.ParseName(text); err == nil && i > 0 {
				swept[pack] = true
			}
		}
	}
	return swept, nil
}

// wasRolled reports whether the rolls after known, up to newest, have rolled up a record.
func (r *Repository) wasRolled(ctx context.Context, known, newest *rolled, name, sum string) (found bool, err error) {
	from := uint64(1)
	if known != nil {
		from = known.Number + 1
	}
	for n := from; n <= newest.Number && !found; n++ {
		l, err := r.readRollBody(ctx, n)
		if err != nil {
			return false, err
		}
		if l == nil {
			continue
		}
		for _, history := range l.History {
			err := r.eachLine(ctx, history, func(line rollLine) error {
				found = found || line.Name == name && hash(line.Record) == sum
				return nil
			})
			if err != nil {
				return false, err
			}
		}
	}
	return found, nil
}

// rollSince returns the newest roll now, without the objects that it names.
func (r *Repository) rollSince(ctx context.Context, known *rolled) (*rolled, error) {
	var above uint64
	if known != nil {
		above = known.Number
	}
	newest, err := r.lookingAnew().newestRoll(ctx, above)
	if newest == nil {
		newest = known
	}
	return newest, err
}

// isLeaving reports whether a record will be dropped by the next roll. Nothing new may rely on it.
func (l *rolled) isLeaving(rec *Record) bool { return l != nil && l.leaving[rec.Hash.String()] }
