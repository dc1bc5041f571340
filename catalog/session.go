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

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// Session is a writer's right to rely on packs and to add one record to one of its lanes. It is opened before the
// collector's decisions are read, so that of a writer and a collector at least one sees the other: DESIGN.md 6, docs/design.md.
// A session ends with its record; Checkpoint opens the next one at once. Not for use by several goroutines at once, Avoid excepted.
type Session struct {
	Log        *Log     // as read when the session began
	RolledBack []string // lanes that have lost records since this host last looked

	repo        *Repository
	writer      *crypto.WriterFile
	recipients  []age.Recipient
	index       age.Recipient
	lane        Lane
	lock        *laneLock
	sequence    uint64
	previous    string
	nonce       string
	avoid       atomic.Pointer[Avoid]
	checkpoints []string // of this backup, superseded by its commit
}

// sessionNote is the body of an open session.
type sessionNote struct {
	Nonce    string    `json:"nonce"`
	Time     time.Time `json:"time"`
	Software string    `json:"software"`
}

// Begin opens a session in the first lane that no other run uses, and reads what must be avoided. ErrNoWriter without a writer's
// key.
func (r *Repository) Begin(ctx context.Context) (*Session, error) {
	s := &Session{repo: r}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	log, err := r.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	s.Log = log
	if s.RolledBack, err = r.lostRecords(log); err != nil {
		return nil, err
	}
	open, err := s.openSessions(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.takeLane(ctx, open); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.readAfterOpening(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, r.rememberHeads(log)
}

// prepare finds the keys that records are signed and sealed with.
func (s *Session) prepare() error {
	writer, err := s.repo.Writer()
	if err != nil {
		return err
	}
	s.writer = writer
	if s.recipients, err = s.repo.Config.AgeRecipients(); err != nil {
		return err
	}
	_, s.index, err = writer.Domain.IndexIdentity(s.repo.Config.Classic)
	return err
}

// openSessions lists this writer's sessions: session object → there.
func (s *Session) openSessions(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	for info, err := range s.repo.Store.List(ctx, "sessions/"+s.writer.Signer.Name()+".", "") {
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		open[info.Name] = true
	}
	return open, nil
}

// takeLane tries lane after lane. After a roll-back of the storage only lanes that never were are good.
func (s *Session) takeLane(ctx context.Context, open map[string]bool) error {
	for n := s.firstLane(); ; n++ {
		lane := Lane{s.writer.Signer.Name(), n}
		lock, err := lockLane(s.repo.Cache, lane)
		if err != nil {
			return err
		}
		if lock == nil {
			continue // another process of this host is at work there
		}
		s.lane, s.lock = lane, lock
		taken, err := s.tryLane(ctx, open)
		if err != nil || taken {
			return err
		}
		s.lock.release()
		s.lock = nil
	}
}

func (s *Session) firstLane() uint64 {
	first := uint64(0)
	for _, lost := range s.RolledBack {
		if name, number, ok := cutLane(lost); ok && name == s.writer.Signer.Name() {
			first = max(first, number+1)
		}
	}
	for lane := range s.Log.heads {
		if first > 0 && lane.Writer == s.writer.Signer.Name() {
			first = max(first, lane.Number+1)
		}
	}
	return first
}

func cutLane(text string) (string, uint64, bool) {
	lane, _, ok := parseRecordName("log/" + text + "/" + sequence(1))
	return lane.Writer, lane.Number, ok
}

// tryLane opens a session in s.lane, or says that the lane is in use.
func (s *Session) tryLane(ctx context.Context, open map[string]bool) (bool, error) {
	s.continueAt(s.Log.Head(s.lane))
	if open[s.lane.session(s.sequence)] {
		dead, err := s.fenceOwn(ctx)
		if err != nil || !dead {
			return false, err
		}
	}
	err := s.open(ctx)
	if errors.Is(err, store.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

func (s *Session) continueAt(head *Record) {
	s.sequence, s.previous = 1, ""
	if head != nil {
		s.sequence, s.previous = head.Sequence+1, head.Hash.String()
	}
}

// fenceOwn ends a session that this host left open when it was killed: the lane's lock is free, and the session has the nonce that
// the lock's file holds. Nobody else can tell that it is dead.
func (s *Session) fenceOwn(ctx context.Context) (bool, error) {
	data, err := s.repo.Store.Get(ctx, s.lane.session(s.sequence), 0, -1, nil)
	if err != nil {
		return false, fmt.Errorf("load session %s: %w", s.lane.session(s.sequence), err)
	}
	note, err := s.readSession(data)
	if err != nil || note.Nonce != s.lock.nonce() {
		return false, nil
	}
	s.nonce = note.Nonce
	rec, err := s.put(ctx, clear{Kind: Tombstone})
	if errors.Is(err, ErrRestart) || errors.Is(err, ErrKeyTwice) {
		return false, nil // a record has come meanwhile; the next run sees it
	}
	if err != nil {
		return false, err
	}
	s.Log.heads[s.lane] = rec
	s.continueAt(rec)
	return true, nil
}

func (s *Session) readSession(data []byte) (sessionNote, error) {
	var note sessionNote
	body, _, err := crypto.Verify(s.repo.Format.Repository, s.lane.session(s.sequence), data, s.writer.Signer.Verifier())
	if err != nil {
		return note, err
	}
	return note, json.Unmarshal(body, &note)
}

// open puts the session's object. Its nonce is kept beside the lane's lock first, so that a later run knows whose it was.
func (s *Session) open(ctx context.Context) error {
	s.nonce = rand.Text()
	if err := s.lock.keep(s.nonce); err != nil {
		return err
	}
	body, err := encodeLine(sessionNote{s.nonce, s.repo.now(), s.repo.options.Software})
	if err != nil {
		return err
	}
	name := s.lane.session(s.sequence)
	data, err := s.writer.Signer.Sign(s.repo.Format.Repository, name, body)
	if err != nil {
		return err
	}
	err = putObject(ctx, s.repo.Store, name, data)
	if errors.Is(err, store.ErrExist) && s.isOurs(ctx, name, data) {
		return nil // the answer to an earlier try was lost
	}
	if err != nil {
		return fmt.Errorf("open session %s: %w", name, err)
	}
	return nil
}

func (s *Session) isOurs(ctx context.Context, name string, data []byte) bool {
	there, err := s.repo.Store.Get(ctx, name, 0, -1, nil)
	return err == nil && bytes.Equal(there, data)
}

// readAfterOpening reads what may have changed before the session was visible: the config and the collector's decisions.
func (s *Session) readAfterOpening(ctx context.Context) error {
	config, err := loadConfig(ctx, s.repo.Store, s.repo.Cache, s.repo.Format.Repository, s.repo.owner)
	if err != nil {
		return err
	}
	s.repo.Config = config
	if err := s.prepare(); err != nil {
		return err
	}
	avoid, err := s.repo.readAvoid(ctx)
	s.avoid.Store(avoid)
	return err
}

// Avoid tells whether a pack must not be relied on in this session. It may be called by any goroutine at any time.
func (s *Session) Avoid(p *archive.Pack) bool { return s.avoid.Load().Has(p.Name) }

// Recipients are whom content is sealed to.
func (s *Session) Recipients() []age.Recipient { return s.recipients }

// Domain is what chunks are named and cut with.
func (s *Session) Domain() crypto.Domain { return s.writer.Domain }

// LoadIndex adds to index what this writer may deduplicate against, and returns how many runs were new.
func (s *Session) LoadIndex(ctx context.Context, index *Index) (int, error) {
	own := s.writer.Signer.Name()
	return s.repo.LoadIndex(ctx, s.Log, index, func(rec *Record) bool {
		return rec.Domain == uint64(s.writer.DomainNumber) && s.repo.trusts(own, rec)
	})
}

// Checkpoint publishes packs that the store has acknowledged, with refs to all that is in them, so that other writers, and
// this one after an interruption, can use them. Then it opens the next session in the same lane and reads the log again. used are
// the packs that the backup relies on so far; if one of them is being collected now, ErrRestart.
func (s *Session) Checkpoint(ctx context.Context, packs []archive.RunPack, refs *archive.RefSet, used func(avoid *Avoid) bool) error {
	run, err := s.putRun(ctx, packs)
	if err != nil {
		return err
	}
	full, err := s.putRefs(ctx, archive.EncodeRefs(refs))
	if err != nil {
		return err
	}
	rec, err := s.put(ctx, clear{Kind: Checkpoint, Index: run, Refs: RefsList{Full: full}})
	if err != nil {
		return err
	}
	s.checkpoints = append(s.checkpoints, rec.Hash.String())
	return s.next(ctx, rec, used)
}

// next opens the session that follows rec, and checks what was relied on against what is being collected by now.
func (s *Session) next(ctx context.Context, rec *Record, used func(avoid *Avoid) bool) error {
	s.continueAt(rec)
	if err := s.open(ctx); err != nil {
		if errors.Is(err, store.ErrExist) {
			return fmt.Errorf("session %s: %w", s.lane.session(s.sequence), ErrKeyTwice)
		}
		return err
	}
	if err := s.readAfterOpening(ctx); err != nil {
		return err
	}
	log, err := s.repo.ReadLog(ctx)
	if err != nil {
		return err
	}
	s.Log = log
	if used != nil && used(s.avoid.Load()) {
		return ErrRestart
	}
	return s.repo.rememberHeads(log)
}

// Content is what a commit makes a snapshot of.
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

// Commit makes the snapshot exist. It fills in the snapshot's id and returns the list of its refs. After ErrRestart nothing
// exists, and the backup must begin again with a new session; what was uploaded is kept by its checkpoints.
func (s *Session) Commit(ctx context.Context, c Content) (RefsList, error) {
	run, err := s.putRun(ctx, c.Packs)
	if err != nil {
		return RefsList{}, err
	}
	refs, err := s.putSnapshotRefs(ctx, c)
	if err != nil {
		return RefsList{}, err
	}
	sealed, err := s.sealSnapshot(c.Snapshot)
	if err != nil {
		return RefsList{}, err
	}
	// What a record names must be durable before the record can be.
	if err := s.repo.Store.Sync(ctx); err != nil {
		return RefsList{}, err
	}
	rec, err := s.put(ctx, clear{Kind: Commit, Index: run, Refs: refs, Supersedes: s.supersede(), Sealed: sealed})
	if err != nil {
		return RefsList{}, err
	}
	c.Snapshot.ID, c.Snapshot.Writer, c.Snapshot.Domain = rec.Hash, rec.Lane.Writer, rec.Domain
	return refs, s.finish(rec)
}

// supersede lists all checkpoints of this writer's that nobody needs after the commit: those of this backup, and what earlier
// interrupted runs of the same lane have left.
func (s *Session) supersede() []string {
	gone := s.Log.Superseded()
	list := s.checkpoints
	for _, rec := range s.Log.Records {
		id := rec.Hash.String()
		if rec.Kind == Checkpoint && rec.Lane == s.lane && !gone[id] && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

func (s *Session) finish(rec *Record) error {
	s.Log.heads[s.lane] = rec
	s.Log.byID[rec.Hash] = rec
	s.Log.Records = append(s.Log.Records, rec)
	return s.repo.rememberHeads(s.Log)
}

// End closes a session that has nothing to commit with a tombstone, after publishing what was uploaded if there is anything.
func (s *Session) End(ctx context.Context, packs []archive.RunPack, refs *archive.RefSet) error {
	if len(packs) == 0 {
		_, err := s.put(ctx, clear{Kind: Tombstone})
		return err
	}
	run, err := s.putRun(ctx, packs)
	if err != nil {
		return err
	}
	full, err := s.putRefs(ctx, archive.EncodeRefs(refs))
	if err != nil {
		return err
	}
	_, err = s.put(ctx, clear{Kind: Checkpoint, Index: run, Refs: RefsList{Full: full}})
	return err
}

// Close lets other runs of this host use the lane. It writes nothing.
func (s *Session) Close() {
	if s.lock != nil {
		s.lock.release()
		s.lock = nil
	}
}

func (s *Session) putRun(ctx context.Context, packs []archive.RunPack) ([]string, error) {
	if len(packs) == 0 {
		return nil, nil
	}
	name, _, err := archive.PutSealed(ctx, s.repo.Store, archive.Runs, archive.EncodeRun(packs), s.index)
	if err != nil {
		return nil, fmt.Errorf("publish the index of %d packs: %w", len(packs), err)
	}
	return []string{name.String()}, nil
}

func (s *Session) putRefs(ctx context.Context, content []byte) (string, error) {
	name, _, err := archive.PutSealed(ctx, s.repo.Store, archive.Refs, content, s.index)
	if err != nil {
		return "", fmt.Errorf("publish refs: %w", err)
	}
	return name.String(), nil
}

// maxDeltas is how many deltas a list of refs may have before it is written whole again.
const maxDeltas = 16

// putSnapshotRefs writes what a snapshot needs: nothing new if it needs what its parent does, a delta if that is small, else the
// full list.
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

// put writes the record that ends this session. Exactly one record can exist at its name: this one, or a tombstone by which a
// collector has declared the session dead.
func (s *Session) put(ctx context.Context, c clear) (*Record, error) {
	c.Previous, c.Nonce, c.Time = s.previous, s.nonce, s.repo.now()
	c.Config, c.ConfigHash = s.repo.Config.Number, s.repo.Config.Hash()
	c.Domain, c.Software = uint64(s.writer.DomainNumber), s.repo.options.Software
	body, err := encodeLine(c)
	if err != nil {
		return nil, err
	}
	name := s.lane.record(s.sequence)
	data, err := s.writer.Signer.Sign(s.repo.Format.Repository, name, body)
	if err != nil {
		return nil, err
	}
	if err := s.putRecord(ctx, name, data); err != nil {
		return nil, err
	}
	if err := s.repo.Store.Sync(ctx); err != nil {
		return nil, fmt.Errorf("write record %s: %w", name, err)
	}
	if err := s.repo.Cache.Write("objects/"+name, data); err != nil {
		return nil, err
	}
	return parseRecord(s.repo.Format.Repository, s.lane, s.sequence, data, s.writer.Signer.Verifier())
}

func (s *Session) putRecord(ctx context.Context, name string, data []byte) error {
	err := putObject(ctx, s.repo.Store, name, data)
	if err == nil {
		return nil
	}
	// Whatever went wrong, what lies at the name now decides.
	there, getErr := s.repo.Store.Get(context.WithoutCancel(ctx), name, 0, -1, nil)
	switch {
	case getErr != nil:
		return fmt.Errorf("write record %s: %w", name, err)
	case bytes.Equal(there, data):
		return nil
	}
	rec, recErr := s.repo.acceptRecord(s.lane, s.sequence, there)
	if recErr == nil && rec.Kind == Tombstone && rec.Nonce != s.nonce {
		return fmt.Errorf("session %s was declared dead: %w", s.lane.session(s.sequence), ErrRestart)
	}
	return fmt.Errorf("record %s: %w", name, ErrKeyTwice)
}

// SetTags adds and removes tags of this writer's own snapshots, in the session's record.
func (s *Session) SetTags(ctx context.Context, snapshots []*Snapshot, add, remove []string) error {
	var subjects []string
	for _, snapshot := range snapshots {
		if snapshot.Writer != s.writer.Signer.Name() {
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
	return s.finish(rec)
}

// WriterName turns a host's name into one that a writer can have.
func WriterName(host string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '-'
	}, host)
}
