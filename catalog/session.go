package catalog

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/sabotage"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/crypto"
)

// Session is a writer's right to rely on packs and to add one record to one of its lanes. It is
// opened before the collector's decisions are read, so that of a writer and a collector at least
// one sees the other: see docs/design.md. A session ends with its record; Checkpoint opens the next
// one at once. It is not safe for concurrent use, except for Avoid.
type Session struct {
	Log        *Log     // as read when the session began
	RolledBack []string // lanes that have lost records since this host last looked, and "config" if that is an older one
	Foreign    []string // objects where the owner's configs go, which the owner has not signed

	repo       *Repository // under the config that was read when the session began
	memory     *recollection
	signer     crypto.Signer
	writer     *crypto.WriterFile // nil: the owner or a collector has opened it
	recipients []age.Recipient
	index      age.Recipient
	lane       Lane
	lock       *laneLock
	sequence   uint64
	opened     bool // there is a session at sequence, and no record yet
	ready      bool // and what must be avoided was read after it was opened
	previous   string
	nonce      string
	avoid      atomic.Pointer[Avoid]
	run        string       // of the backup, see Run
	known      *index.Index // what LoadIndex was given
	relied     []string     // the writers whose index runs it was given, and who has verified others
	published  archive.Name // the last checkpoint of this session and those before it
	roll       *rolled      // the newest roll that was read after this session was opened; nil if there is none
}

// sessionNote is the body of an open session.
type sessionNote struct {
	Nonce    string    `json:"nonce"`
	Time     time.Time `json:"time"`
	Software string    `json:"software"`
}

// Begin opens a session in the first lane that no other run uses, and reads what must be avoided.
// It fails with ErrNoWriter without a writer's key.
func (r *Repository) Begin(ctx context.Context) (*Session, error) {
	s := &Session{repo: r}
	if err := s.begin(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) begin(ctx context.Context) (err error) {
	if s.writer, err = s.repo.Writer(); err != nil {
		return err
	}
	s.signer = s.writer.Signer
	if _, s.index, err = s.writer.Domain.IndexIdentity(s.repo.Config.Classic); err != nil {
		return err
	}
	return s.start(ctx)
}

// errRolledUp: a roll has rolled up the number of a session or record, so that it has no effect.
// Whoever has written it was suspended for long, and must begin again.
var errRolledUp = fmt.Errorf("it comes too late, since what it follows is rolled up: %w", ErrRestart)

// start takes a lane of the signer, opens a session there, and reads what must be avoided.
func (s *Session) start(ctx context.Context) error {
	for tries := 1; ; tries++ {
		err := s.startOnce(ctx)
		if !errors.Is(err, errRolledUp) || tries == mostTries {
			return err
		}
		s.Close()
	}
}

func (s *Session) startOnce(ctx context.Context) (err error) {
	if s.memory, err = s.repo.memories.recall(); err != nil {
		return err
	}
	if err := s.enterLane(ctx); err != nil {
		return err
	}
	if err := s.readAfterOpening(ctx); err != nil {
		return err
	}
	s.remember()
	return nil
}

// Torn returns what the log showed to be missing or damaged in the lanes of this session's signer
// when the session began, by the names of the objects.
func (s *Session) Torn() map[string]error {
	torn := map[string]error{}
	for _, problem := range s.Log.Problems {
		var d *Defect
		if errors.As(problem, &d) && d.Lane.Writer == s.signer.Name() {
			torn[d.Lane.record(d.Sequence)] = d.Err
		}
	}
	return torn
}

// Preview returns a session that is never opened. It shows what a backup would rely on, and cannot
// write.
func (r *Repository) Preview(ctx context.Context) (*Session, error) {
	s := &Session{repo: r, memory: &recollection{}}
	var err error
	if s.writer, err = r.Writer(); err != nil {
		return nil, err
	}
	s.signer = s.writer.Signer
	if s.Log, err = r.ReadLog(ctx); err != nil {
		return nil, err
	}
	return s, s.readAfterOpening(ctx)
}

// Run sets for which backup the session is: what it backs up and when it began. Both stay the same
// if the backup must begin again. Its commit supersedes the checkpoints of this run, and no others.
func (s *Session) Run(set string, sources []string, started time.Time) {
	s.run = runOf(s.writer.Domain.GroupKey(), set, sources, started)
}

// enterLane reads the log and opens a session in the first free lane.
func (s *Session) enterLane(ctx context.Context) (err error) {
	if s.Log, err = s.repo.ReadLog(ctx); err != nil {
		return err
	}
	s.roll = s.Log.rolled
	if s.RolledBack, err = s.repo.missing(ctx, s.memory, s.Log); err != nil {
		return err
	}
	return s.takeLane(ctx)
}

// remember stores what was seen for the next run. After a roll-back it does not before there is a
// commit, so that a failed run does not hide the roll-back.
func (s *Session) remember() {
	if len(s.RolledBack) == 0 {
		s.repo.remember(s.memory.next(s.Log, s.repo.Config, s.RolledBack))
	}
}

// takeLane tries lane after lane. A lane of which the storage has lost records, or that somebody
// has blocked, is never used again.
func (s *Session) takeLane(ctx context.Context) error {
	for n := s.firstLane(); ; n++ {
		lane := Lane{s.signer.Name(), n}
		if s.memory.Lanes[lane.String()].Retired || s.Log.blocked(lane) {
			continue
		}
		lock, err := lockLane(s.repo.Cache, lane)
		if err != nil {
			return err
		}
		if lock == nil {
			continue // another process of this host is at work there
		}
		s.lane, s.lock = lane, lock
		taken, err := s.tryLane(ctx)
		if err != nil || taken {
			return err
		}
		s.lock.release()
		s.lock = nil
	}
}

// firstLane returns 0, or the first lane that never existed if the storage has just lost records.
func (s *Session) firstLane() (first uint64) {
	if len(s.RolledBack) == 0 {
		return 0
	}
	for text := range s.memory.Lanes {
		lane, _, ok := parseRecordName("log/" + text + "/" + sequence(1))
		if ok && lane.Writer == s.signer.Name() {
			first = max(first, lane.Number+1)
		}
	}
	for lane := range s.Log.heads {
		if lane.Writer == s.signer.Name() {
			first = max(first, lane.Number+1)
		}
	}
	return first
}

// tryLane opens a session in s.lane, or returns false if the lane is in use. It does not ask first
// whether a session exists.
func (s *Session) tryLane(ctx context.Context) (bool, error) {
	s.continueAt(s.Log.Head(s.lane))
	err := s.open(ctx)
	if errors.Is(err, store.ErrExist) {
		var dead bool
		if dead, err = s.fenceOwn(ctx); err != nil || !dead {
			return false, err
		}
		err = s.open(ctx)
	}
	if errors.Is(err, store.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

func (s *Session) continueAt(head *Record) {
	s.opened, s.ready = false, false
	s.sequence, s.previous = 1, ""
	if head != nil {
		s.sequence, s.previous = head.Sequence+1, head.Hash.String()
	}
}

// fenceOwn ends a session that this host left open when it was killed: the lane's lock is free, and
// the lock's file holds the session's nonce. No other host can know that the session is dead.
func (s *Session) fenceOwn(ctx context.Context) (bool, error) {
	data, err := s.repo.Store.Get(ctx, s.lane.session(s.sequence), 0, -1, nil)
	if errors.Is(err, store.ErrNotExist) {
		return false, fmt.Errorf("session %s has been deleted: %w", s.lane.session(s.sequence), errRolledUp)
	}
	if err != nil {
		return false, fmt.Errorf("load session %s: %w", s.lane.session(s.sequence), err)
	}
	note, err := s.readSession(data)
	if err != nil || !s.lock.knows(note.Nonce) {
		return false, nil
	}
	s.nonce = note.Nonce
	rec, err := s.put(ctx, clear{Kind: Tombstone})
	switch {
	case errors.Is(err, errRolledUp): // what would follow it follows the roll's floor
		return false, err
	case errors.Is(err, ErrRestart) || errors.Is(err, ErrKeyTwice):
		return false, nil // a record has come meanwhile; the next run sees it
	case err != nil:
		return false, err
	}
	s.Log.add(rec)
	s.continueAt(rec)
	return true, nil
}

func (s *Session) readSession(data []byte) (sessionNote, error) {
	body, _, err := crypto.Verify(s.repo.Format.Repository, s.lane.session(s.sequence), data, s.signer.Verifier())
	if err != nil {
		return sessionNote{}, err
	}
	return parseNote(body)
}

func parseNote(body []byte) (note sessionNote, err error) {
	err = json.Unmarshal(body, &note)
	return note, err
}

// open writes the session's object. It first stores the nonce in the lane's lock file, so that a
// later run recognizes the session as its own.
func (s *Session) open(ctx context.Context) error {
	s.nonce = rand.Text()
	// If the nonce cannot be stored and the session stays open, a later run takes another lane.
	_ = s.lock.keep(s.nonce)
	body, err := encodeLine(sessionNote{s.nonce, s.repo.now(), s.repo.options.Software})
	if err != nil {
		return err
	}
	name := s.lane.session(s.sequence)
	data, err := s.signer.Sign(s.repo.Format.Repository, name, body)
	if err != nil {
		return err
	}
	if err := putOwn(ctx, s.repo.Store, name, data); err != nil {
		return fmt.Errorf("open session %s: %w", name, err)
	}
	_ = s.lock.opened()
	s.opened = true
	return nil
}

// readAfterOpening reads what may have changed before the session was visible: the config, and the
// collector's decisions at the same time. Under a new config it reads the log and the decisions
// again.
func (s *Session) readAfterOpening(ctx context.Context) error {
	config, avoid, err := s.readBoth(ctx)
	if err != nil {
		return err
	}
	s.Foreign = config.Foreign()
	if config.Number < s.repo.Config.Number && !slices.Contains(s.RolledBack, "config") {
		s.RolledBack = append(s.RolledBack, "config")
	}
	if config.hash != s.repo.Config.hash {
		s.repo = s.repo.under(config)
		if s.Log, err = s.repo.ReadLog(ctx); err != nil {
			return err
		}
		if avoid, err = s.repo.readAvoid(ctx); err != nil {
			return err
		}
	}
	s.roll = avoid.roll
	// The log may have been read under a config by which there are no rolls, or while it was rolled up.
	if s.opened && s.roll.precludes(s.lane, s.sequence, s.previous) {
		return fmt.Errorf("session %s: %w", s.lane.session(s.sequence), errRolledUp)
	}
	if err := s.admitted(); err != nil {
		return err
	}
	if s.recipients, err = s.repo.Config.AgeRecipients(); err != nil {
		return err
	}
	s.avoid.Store(avoid)
	s.ready = s.opened
	return nil
}

// admitted returns an error if whoever has opened the session may no longer write.
func (s *Session) admitted() error {
	if s.writer == nil {
		return s.repo.mayDecide(s.signer)
	}
	_, err := s.repo.Writer()
	return err
}

// readBoth reads the config and, under the previously known config, the collector's decisions.
func (s *Session) readBoth(ctx context.Context) (config *Config, avoid *Avoid, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		config, err = s.repo.loadConfig(gctx)
		return err
	})
	g.Go(func() (err error) {
		avoid, err = s.repo.readAvoid(gctx)
		return err
	})
	return config, avoid, g.Wait()
}

// usable fails with ErrRestart if a pack of refs was swept, or is condemned, by what was read after
// this session was opened. Every publication and commit calls it: what was read earlier proves
// nothing.
func (s *Session) usable(refs *archive.RefSet) error {
	avoid := s.avoid.Load()
	if avoid.Len() == 0 {
		return nil
	}
	for ref := range refs.All() {
		if avoid.Has(ref.Name) {
			return fmt.Errorf("pack %s is being collected: %w", ref.Name, ErrRestart)
		}
	}
	return nil
}

// Avoid reports whether this session must not rely on a pack. It is safe for concurrent use.
func (s *Session) Avoid(p *archive.Pack) bool { return s.avoid.Load().Has(p.Name) }

// Recipients returns the recipients to whom content is sealed.
func (s *Session) Recipients() []age.Recipient { return s.recipients }

// Domain returns the domain whose keys name and cut chunks.
func (s *Session) Domain() crypto.Domain { return s.writer.Domain }

// LoadIndex adds to x the runs against which this writer may deduplicate, and returns how many were
// new.
func (s *Session) LoadIndex(ctx context.Context, x *index.Index) (int, error) {
	own := s.signer.Name()
	s.known = x
	for _, name := range s.repo.shares(own) {
		if !slices.Contains(s.relied, name) {
			s.relied = append(s.relied, name)
		}
	}
	added, err := s.repo.LoadIndex(ctx, s.Log, x, func(rec *Record) bool {
		return rec.Domain == uint64(s.writer.DomainNumber) && s.repo.trusts(own, rec)
	})
	if err != nil {
		return added, err
	}
	vouched, err := s.loadVerified(ctx, x)
	return added + vouched, err
}

// LoadForeign adds to x the runs of writers on which this one does not rely.
func (s *Session) LoadForeign(ctx context.Context, x *index.Index) error {
	own := s.signer.Name()
	_, err := s.repo.LoadIndex(ctx, s.Log, x, func(rec *Record) bool { return !s.repo.trusts(own, rec) })
	return err
}

// Checkpoint publishes packs that the store has acknowledged, with refs to all that is in them, so
// that other writers, and this one after an interruption, can use them. Then it opens the next
// session in the same lane and reads the log again. used reports whether the backup relies on a
// pack in avoid; if so, Checkpoint fails with ErrRestart.
func (s *Session) Checkpoint(ctx context.Context, packs []archive.RunPack, refs *archive.RefSet, used func(avoid *Avoid) bool) error {
	rec, err := s.putCheckpoint(ctx, packs, refs)
	if err != nil {
		return err
	}
	return s.next(ctx, rec, used)
}

func (s *Session) putCheckpoint(ctx context.Context, packs []archive.RunPack, refs *archive.RefSet) (*Record, error) {
	if err := s.usable(refs); err != nil {
		return nil, err
	}
	runs, list, err := s.putBoth(ctx, packs, func(ctx context.Context) (RefsList, error) {
		full, err := s.putRefs(ctx, archive.EncodeRefs(refs))
		return RefsList{Full: full}, err
	})
	if err != nil {
		return nil, err
	}
	rec, err := s.put(ctx, clear{Kind: Checkpoint, Index: runs.names(), Refs: list, Run: s.run})
	if err == nil {
		s.published = rec.Hash
		s.keepRuns(ctx, runs)
	}
	return rec, err
}

// keepRuns adds what was published to the index on disk, so that nobody on this host fetches it.
func (s *Session) keepRuns(ctx context.Context, runs indexRuns) {
	if s.known == nil {
		return
	}
	for _, run := range runs {
		s.known.Publish(ctx, run.name, run.packs)
	}
}

// next opens the session that follows rec, and checks what the backup relies on against what is
// being collected by now.
func (s *Session) next(ctx context.Context, rec *Record, used func(avoid *Avoid) bool) error {
	s.continueAt(rec)
	err := s.open(ctx)
	switch {
	case errors.Is(err, store.ErrExist):
		// Another run that shares no cache with this one has taken the lane first.
		s.Close()
		err = s.enterLane(ctx)
	case err == nil:
		s.Log, err = s.repo.ReadLog(ctx)
	}
	if err != nil {
		return err
	}
	if err := s.readAfterOpening(ctx); err != nil {
		return err
	}
	if used != nil && used(s.avoid.Load()) {
		return ErrRestart
	}
	s.remember()
	return nil
}

// Content is what a commit turns into a snapshot.
type Content struct {
	Snapshot *Snapshot
	Packs    []archive.RunPack // since the last checkpoint
	Refs     *archive.RefSet   // everything that the snapshot needs; nil: the same as Parent
	Parent   *Base             // refs of an earlier snapshot, which these may be told as a change to; nil if none
}

// Base are the refs of an earlier snapshot.
type Base struct {
	List RefsList
	Set  *archive.RefSet
}

// Commit makes the snapshot exist. It sets the snapshot's id and returns the list of its refs.
// After ErrRestart nothing exists, and the backup must begin again with a new session; its
// checkpoints keep what was uploaded. Commit fails with ErrOutside if the writer may not speak for
// the host.
func (s *Session) Commit(ctx context.Context, c Content) (RefsList, error) {
	if err := s.repo.MaySpeakFor(c.Snapshot.Host); err != nil {
		return RefsList{}, err
	}
	if err := s.contentUsable(ctx, c); err != nil {
		return RefsList{}, err
	}
	runs, refs, err := s.putBoth(ctx, c.Packs, func(ctx context.Context) (RefsList, error) { return s.putSnapshotRefs(ctx, c) })
	if err != nil {
		return RefsList{}, err
	}
	sealed, err := s.sealSnapshot(c.Snapshot)
	if err != nil {
		return RefsList{}, err
	}
	rec, err := s.put(ctx, clear{
		Kind: Commit, Index: runs.names(), Refs: refs, Supersedes: s.supersede(), Sealed: sealed, Time: c.Snapshot.backdated(),
		Group: groupOf(s.writer.Domain.GroupKey(), c.Snapshot), Complete: c.Snapshot.Complete(), Marked: c.Snapshot.Marked(), Run: s.run,
		Origin: c.Snapshot.Origin.mark(s.writer.Domain.GroupKey()),
	})
	if err != nil {
		return RefsList{}, err
	}
	c.Snapshot.ID, c.Snapshot.Writer, c.Snapshot.Domain = rec.Hash, rec.Lane.Writer, rec.Domain
	s.finish(rec)
	s.keepRuns(ctx, runs)
	return refs, nil
}

// contentUsable checks all packs that a snapshot needs, or those of its parent if it names no
// others.
func (s *Session) contentUsable(ctx context.Context, c Content) (err error) {
	refs := c.Refs
	if refs == nil && s.avoid.Load().Len() > 0 {
		if refs, err = s.repo.LoadRefs(ctx, c.Parent.List); err != nil {
			return err
		}
	}
	if refs == nil {
		return nil
	}
	return s.usable(refs)
}

// supersede returns the checkpoints of this run, which its commit makes unnecessary.
func (s *Session) supersede() (list []string) {
	for _, rec := range s.Log.Records {
		if rec.Kind == Checkpoint && rec.Lane.Writer == s.signer.Name() && (rec.Run == s.run && s.run != "" || sabotage.Has(sabotage.ForeignRun)) {
			list = append(list, rec.Hash.String())
		}
	}
	return list
}

// news returns the heads of other lanes that the records of this lane have not named yet.
func (s *Session) news() map[string]Head {
	heads := map[string]Head{}
	if s.Log == nil { // it could not be read again
		return heads
	}
	for lane, rec := range s.Log.heads {
		if lane != s.lane {
			heads[lane.String()] = Head{rec.Sequence, rec.Hash.String()}
		}
	}
	for _, rec := range s.Log.Records {
		if rec.Lane != s.lane {
			continue
		}
		for lane, head := range rec.Heads {
			if heads[lane] == head {
				delete(heads, lane)
			}
		}
	}
	return heads
}

func (s *Session) finish(rec *Record) {
	s.Log.add(rec)
	s.repo.remember(s.memory.next(s.Log, s.repo.Config, s.RolledBack))
}

// End ends a session that has nothing to commit: with a checkpoint of what was uploaded, so that a
// later run finds it, or with a tombstone if there is nothing, or if some of it is being collected.
func (s *Session) End(ctx context.Context, packs []archive.RunPack, refs *archive.RefSet) error {
	if !s.opened {
		return nil
	}
	if len(packs) > 0 && s.ready && s.usable(refs) == nil {
		_, err := s.putCheckpoint(ctx, packs, refs)
		return err
	}
	_, err := s.put(ctx, clear{Kind: Tombstone})
	if errors.Is(err, ErrRestart) {
		return nil // something else has ended it
	}
	return err
}

// Close lets other runs of this host use the lane. It writes nothing.
func (s *Session) Close() {
	if s.lock != nil {
		s.lock.release()
		s.lock = nil
	}
}

// putBoth writes index runs of packs that the store has acknowledged, and refs to them, at the same
// time: neither has an effect before the record.
func (s *Session) putBoth(ctx context.Context, packs []archive.RunPack, putRefs func(context.Context) (RefsList, error)) (runs indexRuns, refs RefsList, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		runs, err = s.putRuns(gctx, packs)
		return err
	})
	g.Go(func() (err error) {
		refs, err = putRefs(gctx)
		return err
	})
	return runs, refs, g.Wait()
}

// indexRuns are index runs in the store.
type indexRuns []indexRun

type indexRun struct {
	name  archive.Name
	packs []archive.RunPack
}

func (l indexRuns) names() (names []string) {
	for _, run := range l {
		names = append(names, run.name.String())
	}
	return names
}

// putRuns writes one index run, or several if there is too much for one: much may have been uploaded
// while an earlier checkpoint waited for the store.
func (s *Session) putRuns(ctx context.Context, packs []archive.RunPack) (runs indexRuns, err error) {
	for part := range readableRuns(packs) {
		name, _, err := archive.PutSealed(ctx, s.repo.Store, archive.Runs, archive.EncodeRun(part), s.index)
		if err != nil {
			return nil, fmt.Errorf("publish the index of %d packs: %w", len(part), err)
		}
		runs = append(runs, indexRun{name, part})
	}
	return runs, nil
}

func (s *Session) putRefs(ctx context.Context, content []byte) (string, error) {
	name, _, err := archive.PutSealed(ctx, s.repo.Store, archive.Refs, content, s.index)
	if err != nil {
		return "", fmt.Errorf("publish refs: %w", err)
	}
	return name.String(), nil
}

// maxDeltas is how many deltas a list of refs may have before the full set is written again.
const maxDeltas = 16

// putSnapshotRefs writes what a snapshot needs: nothing if it is the same as for its parent, a
// delta if that is small, else the full list.
func (s *Session) putSnapshotRefs(ctx context.Context, c Content) (RefsList, error) {
	if c.Parent != nil && (c.Refs == nil || c.Refs.Equal(c.Parent.Set)) {
		return c.Parent.List, nil
	}
	full := archive.EncodeRefs(c.Refs)
	if c.Parent != nil && len(c.Parent.List.Deltas) < maxDeltas {
		delta := archive.EncodeRefsDelta(c.Parent.Set, c.Refs)
		if 2*len(delta) < len(full) {
			name, err := s.putRefs(ctx, delta)
			list := c.Parent.List
			list.Deltas = append(slices.Clone(list.Deltas), name)
			return list, err
		}
	}
	name, err := s.putRefs(ctx, full)
	return RefsList{Full: name}, err
}

func (s *Session) sealSnapshot(snapshot *Snapshot) ([]byte, error) {
	plain, err := encodeSnapshot(snapshot)
	if err != nil {
		return nil, err
	}
	return crypto.Seal(nil, archive.Compact(plain), s.recipients...)
}

// put writes the record that ends this session. Exactly one record can exist with its name: this
// one, or a tombstone with which a collector has declared the session dead.
func (s *Session) put(ctx context.Context, c clear) (*Record, error) {
	if !s.ready && c.Kind != Tombstone {
		return nil, fmt.Errorf("write a %s: %w", c.Kind, errNotOpen)
	}
	c.Previous, c.Nonce, c.Heads = s.previous, s.nonce, s.news()
	if c.Time.IsZero() {
		c.Time = s.repo.now()
	}
	c.Config, c.ConfigHash = s.repo.Config.Number, s.repo.Config.Hash()
	c.Software = s.repo.options.Software
	switch {
	case s.writer != nil:
		c.Domain = uint64(s.writer.DomainNumber)
	case c.Domain == 0:
		c.Domain = s.repo.Config.Domain
	}
	body, err := encodeLine(c)
	if err != nil {
		return nil, err
	}
	name := s.lane.record(s.sequence)
	data, err := s.signer.Sign(s.repo.Format.Repository, name, body)
	if err != nil {
		return nil, err
	}
	// What a record names must be durable before the record can be.
	if err := s.repo.Store.Sync(ctx); err != nil {
		return nil, fmt.Errorf("write record %s: %w", name, err)
	}
	if err := s.putRecord(ctx, name, data); err != nil {
		return nil, err
	}
	if err := s.repo.Store.Sync(ctx); err != nil {
		return nil, fmt.Errorf("write record %s: %w", name, err)
	}
	s.opened, s.ready = false, false
	if err := s.counts(ctx, name, data, c.Kind); err != nil {
		return nil, err
	}
	s.repo.Cache.keep(name, data)
	rec, err := parseRecord(s.repo.Format.Repository, s.lane, s.sequence, data, s.signer.Verifier())
	if err == nil {
		rec.ofOwner = s.writer == nil
	}
	return rec, err
}

// counts returns an error if the record that was just written has no effect.
func (s *Session) counts(ctx context.Context, name string, data []byte, kind Kind) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if void, err := s.isVoid(ctx, name, data); err != nil || void {
			return errors.Join(err, fmt.Errorf("record %s: %w", name, errRolledUp))
		}
		return nil
	})
	if kind == Commit {
		g.Go(func() error { return s.stillAdmitted(ctx) })
	}
	return g.Wait()
}

// stillAdmitted fails with ErrUntrusted if the owner has revoked the session's writer before its
// commit. A config that cannot be read now proves nothing: the next session reads it.
func (s *Session) stillAdmitted(ctx context.Context) error {
	config, err := s.repo.lookingAnew().loadConfig(ctx)
	if err != nil || !s.repo.under(config).wasRevoked(config.Writers, s.signer.Name(), s.lane.String(), s.sequence) {
		return nil
	}
	return fmt.Errorf("the owner has revoked writer %s while it backed up, so that the snapshot does not count: %w", s.signer.Name(), ErrUntrusted)
}

// isVoid reports whether the record that was just written has no effect, so that nothing may follow
// it.
func (s *Session) isVoid(ctx context.Context, name string, data []byte) (bool, error) {
	if sabotage.Has(sabotage.BelieveLate) {
		return false, nil
	}
	newest, err := s.repo.rollSince(ctx, s.roll)
	if err != nil || !newest.covers(s.lane, s.sequence) {
		return false, err
	}
	counted, err := s.repo.wasRolled(ctx, s.roll, newest, name, hash(data))
	return !counted, err
}

// errNotOpen: the session has ended, or was never opened.
var errNotOpen = errors.New("the session is not open")

func (s *Session) putRecord(ctx context.Context, name string, data []byte) error {
	err := putObject(ctx, s.repo.Store, name, data)
	if err == nil {
		return nil
	}
	// Whatever the error was, what now has the name decides.
	there, getErr := lookAgain(ctx, s.repo.Store, name)
	switch {
	case getErr != nil:
		return fmt.Errorf("write record %s: %w", name, err)
	case bytes.Equal(there, data):
		return nil
	}
	switch rec, err := s.repo.acceptRecord(s.lane, s.sequence, there); {
	case err != nil:
		return fmt.Errorf("record %s cannot be written: something else is in its place: %w", name, ErrRestart)
	case rec.Kind == Tombstone:
		return fmt.Errorf("session %s was declared dead: %w", s.lane.session(s.sequence), ErrRestart)
	}
	return fmt.Errorf("record %s: %w", name, ErrKeyTwice)
}

// SetTags adds and removes tags, in the session's record: of this writer's own snapshots, or of any
// if the owner or a collector has opened the session. After an error the session has ended without
// a change, if the store could be reached.
func (s *Session) SetTags(ctx context.Context, snapshots []*Snapshot, add, remove []string) error {
	err := s.setTags(ctx, snapshots, add, remove)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
		defer cancel()
		_ = s.End(ctx, nil, nil) // if this fails too, a later run of this host ends it
	}
	return err
}

func (s *Session) setTags(ctx context.Context, snapshots []*Snapshot, add, remove []string) error {
	var subjects []string
	for _, snapshot := range snapshots {
		if s.writer != nil && snapshot.Writer != s.signer.Name() {
			return fmt.Errorf("tag snapshot %s: it is of writer %s, whose key is needed: %w", snapshot.ID, snapshot.Writer, ErrUntrusted)
		}
		subjects = append(subjects, snapshot.ID.String())
	}
	plain, err := json.Marshal(tagChange{Add: add, Remove: remove})
	if err != nil {
		return fmt.Errorf("encode tags: %w", err)
	}
	sealed, err := crypto.Seal(nil, archive.Compact(plain), s.recipients...)
	if err != nil {
		return fmt.Errorf("seal tags: %w", err)
	}
	rec, err := s.put(ctx, clear{Kind: Tag, Subjects: subjects, Sealed: sealed})
	if err != nil {
		return err
	}
	s.finish(rec)
	return nil
}

// WriterName turns a host's name into a valid name for a writer.
func WriterName(host string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '-'
	}, host)
}
