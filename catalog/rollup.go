package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// RollAfter is the number of records from which the log is rolled up.
const RollAfter = 256

// RollUp is the result of a roll-up.
type RollUp struct {
	Number  uint64 // of the roll; 0: there was none to be made
	Records int    // that were rolled up
	Force   int    // records in force by it
}

// rollUp is one roll-up in progress.
type rollUp struct {
	repo   *Repository
	by     crypto.Signer
	term   Term
	log    *Log
	told   []*Record        // the outcomes that count
	drills map[*Record]bool // the reports of drills that do
	prev   *rolled          // nil: this is the first

	next    rollBody
	drained bool // every session that is open began after the last roll
	force   *lines
	history *lines
	dropped []*Record
	kept    map[string]bool // names of refs that what counts names
	runs    []rollRun       // the index runs of all that is rolled up
	listed  PackSet         // the packs that joined index runs list; nil: unknown yet

	outdated map[*Record]bool // verifications whose place others have taken
}

// RollUp rolls up the older part of the log, if it has at least after records since the last roll.
// The roll keeps the records that count, verbatim; objects below history/ keep all of them. RollUp
// first deletes what the last roll has dropped. It must not run during a collection of the same
// process.
func (r *Repository) RollUp(ctx context.Context, by crypto.Signer, t Term, after int) (*RollUp, error) {
	if !r.Config.requires(featureRollUp) {
		return &RollUp{}, nil
	}
	open, err := r.listedSessions(ctx) // before the log, so that what ended since is in that
	if err != nil {
		return nil, err
	}
	log, err := r.ReadWholeLog(ctx)
	if err != nil {
		return nil, err
	}
	u := &rollUp{repo: r, by: by, term: t, log: log, told: log.Outcomes(), drills: log.lastingDrills(), prev: log.rolled, kept: map[string]bool{}}
	u.force, u.history = &lines{of: u, what: "force"}, &lines{of: u, what: "history"}
	u.drained = u.allYounger(open)
	if err := r.clearRolled(ctx, u.prev, u.drained); err != nil {
		return nil, err
	}
	if fresh := len(log.Records) - u.rolledBefore(); fresh < after {
		return &RollUp{}, nil
	}
	return u.run(ctx)
}

// listedSessions returns the existing sessions by object name, and since when they exist.
func (r *Repository) listedSessions(ctx context.Context) (map[string]time.Time, error) {
	since := map[string]time.Time{}
	for info, err := range r.Store.List(ctx, "sessions/", "") {
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		since[info.Name] = info.Modified
	}
	return since, nil
}

// allYounger reports whether every open session began after the last roll became visible.
func (u *rollUp) allYounger(since map[string]time.Time) bool {
	for object, at := range since {
		if _, open := u.log.OpenSession(object); open && (u.prev == nil || !at.After(u.prev.date.Add(clockTolerance))) {
			return false
		}
	}
	return true
}

func (u *rollUp) rolledBefore() int {
	if u.prev == nil {
		return 0
	}
	return len(u.prev.records)
}

func (u *rollUp) run(ctx context.Context) (*RollUp, error) {
	u.next = rollBody{Number: 1, Time: u.repo.now(), Lanes: map[string]rollFloor{}}
	if u.prev != nil {
		u.next.Number, u.next.Previous = u.prev.Number+1, u.prev.hash
	}
	for _, step := range []func(context.Context) error{u.chooseFloors, u.choose, u.rollRuns, u.rollRounds, u.flush} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if err := u.put(ctx); err != nil {
		return nil, err
	}
	report := &RollUp{u.next.Number, u.history.count, u.force.count}
	next, err := u.repo.newestRoll(ctx, 0)
	if err == nil {
		err = u.repo.clearRolled(ctx, next, false)
	}
	return report, err
}

// chooseFloors sets that each lane is rolled up to its head. It leaves out lanes with an object
// that is not a record.
func (u *rollUp) chooseFloors(context.Context) error {
	for lane, head := range u.log.heads {
		if len(u.log.invalid[lane]) > 0 {
			if u.prev != nil && u.prev.floors[lane] != nil {
				u.next.Lanes[lane.String()] = u.prev.Lanes[lane.String()]
			}
			continue
		}
		floor := rollFloor{Head: Head{head.Sequence, head.Hash.String()}, Date: head.Date}
		if head.Kind == Checkpoint {
			floor.Began = head.began
		}
		u.next.Lanes[lane.String()] = floor
	}
	return nil
}

// passes reports whether the next roll rolls up a record.
func (u *rollUp) passes(rec *Record) bool {
	floor, ok := u.next.Lanes[rec.Lane.String()]
	return ok && rec.Sequence <= floor.Sequence
}

// choose determines which records stay in force. A record that is no longer needed is dropped only
// if the last roll announced it, and no session is open that may not have seen that roll. So nobody
// undeletes, or builds on, a record that is being dropped.
func (u *rollUp) choose(ctx context.Context) error {
	moved, err := u.movedStill(ctx)
	if err != nil {
		return err
	}
	superseded := u.log.Superseded()
	u.outdated = u.repo.replacedVerifications(u.log)
	stays := map[string]bool{}
	for _, rec := range u.log.Records {
		if rec.Kind != Commit && rec.Kind != Checkpoint {
			continue
		}
		switch {
		case u.log.needed(rec, u.term, superseded):
			stays[rec.Hash.String()] = true
		case !u.drained || !u.prev.isLeaving(rec):
			stays[rec.Hash.String()] = true
			if u.passes(rec) {
				u.next.Leaving = append(u.next.Leaving, rec.Hash.String())
			}
		}
	}
	slices.Sort(u.next.Leaving)
	for _, rec := range u.log.Records {
		if !u.passes(rec) {
			continue
		}
		if err := u.take(ctx, rec, u.counts(rec, stays, moved)); err != nil {
			return err
		}
	}
	for _, rec := range u.log.ignored {
		if rec.rolled != nil {
			if err := u.take(ctx, rec, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// counts reports whether a record stays in force.
func (u *rollUp) counts(rec *Record, stays map[string]bool, moved map[string]bool) bool {
	switch rec.Kind {
	case Commit, Checkpoint:
		return stays[rec.Hash.String()]
	case Outcome:
		return slices.Contains(u.told, rec)
	case Drill:
		return u.drills[rec]
	case Tombstone:
		return false
	case Moved:
		return moved[rec.Hash.String()]
	case Verification: // of a collector whom the owner may yet make a verifier too
		return rec.ofOwner && !u.outdated[rec]
	case Tag, Forget, Undelete, Hold, Unhold:
		return slices.ContainsFunc(rec.Subjects, func(id string) bool { return stays[id] })
	}
	return true // who knows
}

// take adds a record to those in force by the next roll, or only to the history.
func (u *rollUp) take(ctx context.Context, rec *Record, counts bool) error {
	data, err := u.bytes(ctx, rec)
	if err != nil {
		return err
	}
	line := rollLine{Name: rec.Name(), Stored: rec.Stored, Record: data}
	if rec.rolled == nil {
		if err := u.history.add(ctx, line); err != nil {
			return err
		}
	}
	if !counts {
		u.dropped = append(u.dropped, rec)
		return nil
	}
	u.keep(rec)
	line.Date, line.Began, line.Undated = rec.Date, rec.began, rec.Undated
	return u.force.add(ctx, line)
}

// keep records the refs that a record names.
func (u *rollUp) keep(rec *Record) {
	for _, name := range rec.refs() {
		u.kept[name] = true
	}
}

// refs returns all objects among refs that a record names.
func (rec *Record) refs() []string {
	return slices.Concat(rec.Refs.names(), rec.Moves, rec.Heals, rec.Verified)
}

// bytes returns a record as it was signed.
func (u *rollUp) bytes(ctx context.Context, rec *Record) ([]byte, error) {
	if rec.rolled == nil {
		return u.repo.Cache.object(ctx, u.repo.Store, rec.Name(), hasHash(rec.Hash.String()))
	}
	if u.prev.bytes == nil {
		u.prev.bytes = map[string][]byte{}
		for _, name := range u.prev.Force {
			if err := u.repo.eachLine(ctx, name, func(line rollLine) error { u.prev.bytes[line.Name] = line.Record; return nil }); err != nil {
				return nil, err
			}
		}
	}
	return u.prev.bytes[rec.Name()], nil
}

// movedStill returns the records of moves out of packs that a record still names, and all that heal:
// a running backup may yet come to name a damaged pack.
func (u *rollUp) movedStill(ctx context.Context) (map[string]bool, error) {
	still, named := map[string]bool{}, PackSet{}
	list := u.log.moves()
	if len(list) == 0 {
		return still, nil
	}
	all := slices.DeleteFunc(slices.Clone(u.log.Records), func(rec *Record) bool { return len(rec.Refs.names()) == 0 })
	err := u.repo.eachRefs(ctx, all, func(_ []*Record, set *archive.RefSet) error {
		named = named.Add(packsOf(set))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, rec := range list {
		m := newMoves()
		if err := u.repo.readMoves(ctx, m, rec); err != nil {
			return nil, err
		}
		if len(rec.Heals) > 0 || m.concern(named) {
			still[rec.Hash.String()] = true
		}
	}
	return still, nil
}

// rollRounds rolls up finished collections, up to the first that is not finished.
func (u *rollUp) rollRounds(ctx context.Context) error {
	rounds, err := u.repo.ReadRounds(ctx)
	if err != nil {
		return err
	}
	floor := uint64(0)
	if u.prev != nil {
		floor = u.prev.Rounds
	}
	swept := PackSet{}.Add(rounds.all[0].Swept)
	for rounds.all[floor+1].Sweep && !rounds.blocked[floor+1] {
		floor++
		swept = swept.Add(rounds.all[floor].Swept)
	}
	u.next.Rounds = floor
	if len(swept) == 0 {
		return nil
	}
	text := fmt.Sprintf("swept-%d\n%s\n", u.next.Number, strings.Join(swept.texts(), "\n"))
	name, err := u.putContent(ctx, []byte(text))
	u.next.Swept = []string{name}
	return err
}

// mostLines is how many bytes of records one object below history/ holds.
const mostLines = 16 << 20

// lines collects records into objects below history/.
type lines struct {
	of      *rollUp
	what    string
	count   int
	content []byte
	names   []string // of what is put
}

func (l *lines) add(ctx context.Context, line rollLine) error {
	if len(l.content) == 0 {
		l.content = fmt.Appendf(nil, "{\"%s\":%d}\n", l.what, l.of.next.Number)
	}
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("roll up %s: %w", line.Name, err)
	}
	l.content = append(append(l.content, text...), '\n')
	l.count++
	if len(l.content) < mostLines {
		return nil
	}
	return l.flush(ctx)
}

func (l *lines) flush(ctx context.Context) error {
	if len(l.content) == 0 {
		return nil
	}
	name, err := l.of.putContent(ctx, l.content)
	l.names, l.content = append(l.names, name), nil
	return err
}

// flush stores the objects that the roll names.
func (u *rollUp) flush(ctx context.Context) error {
	err := errors.Join(u.force.flush(ctx), u.history.flush(ctx))
	u.next.Force, u.next.History = u.force.names, u.history.names
	return err
}

func (u *rollUp) putContent(ctx context.Context, content []byte) (string, error) {
	data := archive.Compact(content)
	name := hash(data)
	err := putOwn(ctx, u.repo.Store, historyName(name), data)
	if err != nil && !errors.Is(err, store.ErrExist) {
		return "", fmt.Errorf("write %s: %w", historyName(name), err)
	}
	return name, nil
}

// put writes the roll, which takes effect then. Of two concurrent rolls only one succeeds.
func (u *rollUp) put(ctx context.Context) error {
	u.next.Gone = u.gone()
	body, err := encodeLine(u.next)
	if err != nil {
		return err
	}
	name := rollName(u.next.Number)
	data, err := u.by.Sign(u.repo.Format.Repository, name, body)
	if err != nil {
		return err
	}
	if err := u.repo.Store.Sync(ctx); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := putOwn(ctx, u.repo.Store, name, data); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return u.repo.Store.Sync(ctx)
}

// gone returns the objects that only dropped records have named. They are deleted after the next
// roll.
func (u *rollUp) gone() (objects []string) {
	for _, rec := range slices.Concat(u.log.Records, u.log.ignored) {
		if rec.ignored || !u.passes(rec) {
			u.keep(rec)
		}
	}
	names := map[string]bool{}
	for _, rec := range u.dropped {
		for _, text := range rec.refs() {
			if name, err := archive.ParseName(text); err == nil && !u.kept[text] {
				names[archive.Refs.Object(name)] = true
			}
		}
	}
	for _, run := range u.replaced() {
		if name, err := archive.ParseName(run); err == nil {
			names[archive.Runs.Object(name)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// clearRolled deletes what a roll has rolled up, and, if drained, also what it has dropped: all
// sessions that may rely on that have ended. The next run deletes what an interrupted one leaves.
func (r *Repository) clearRolled(ctx context.Context, l *rolled, drained bool) error {
	if l == nil {
		return nil
	}
	var objects []string
	if drained {
		objects = append(objects, l.Gone...)
	}
	for _, prefix := range []string{"log/", "sessions/", "gc/"} {
		for info, err := range r.Store.List(ctx, prefix, "") {
			if err != nil {
				return fmt.Errorf("list %s: %w", prefix, err)
			}
			if l.passed(info.Name) {
				objects = append(objects, info.Name)
			}
		}
	}
	if l.Number > 1 {
		before, err := r.readRollBody(ctx, l.Number-1)
		if err != nil && !errors.Is(err, store.ErrNotExist) {
			return err
		}
		if before != nil {
			for _, name := range append(before.Force, before.Swept...) {
				objects = append(objects, historyName(name))
			}
		}
	}
	return r.deleteAll(ctx, objects)
}

// passed reports whether an object is a rolled-up record, session or round.
func (l *rolled) passed(object string) bool {
	if n, _, isRound := parseRoundName(object); isRound {
		return strings.HasPrefix(object, "gc/") && n <= l.Rounds
	}
	lane, seq, ok := parseRecordName(object)
	if rest, session := strings.CutPrefix(object, "sessions/"); session {
		dot := strings.LastIndexByte(rest, '.')
		lane, seq, ok = parseRecordName("log/" + rest[:max(0, dot)] + "/" + rest[dot+1:])
	}
	return ok && l.covers(lane, seq)
}

// deleteAll deletes objects that nothing needs. If the credentials do not allow that, they stay and
// do no harm.
func (r *Repository) deleteAll(ctx context.Context, objects []string) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for _, name := range objects {
		g.Go(func() error { return r.Store.Delete(gctx, name) })
	}
	err := g.Wait()
	if errors.Is(err, store.ErrDenied) {
		r.warn("rolled-up records stay, since the credentials may not delete them: %v", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete what is rolled up: %w", err)
	}
	return r.Store.Sync(ctx)
}
