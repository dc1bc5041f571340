package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// AbandonedAfter is how long a run of a backup must have written nothing before its checkpoints are
// forgotten.
const AbandonedAfter = 7 * 24 * time.Hour

// Reload reads the config again, and returns the repository with it.
func (r *Repository) Reload(ctx context.Context) (*Repository, error) {
	config, err := r.loadConfig(ctx)
	if err != nil {
		return nil, err
	}
	if err := config.Broken(); err != nil {
		return nil, err
	}
	if foreign := config.Foreign(); len(foreign) > 0 {
		return nil, fmt.Errorf("%s: %w", strings.Join(foreign, ", "), ErrForeign)
	}
	if config.Number < r.Config.Number {
		return nil, fmt.Errorf("config %d existed, but the newest is now config %d: %w", r.Config.Number, config.Number, ErrRolledBack)
	}
	return r.under(config), nil
}

// ReadWholeLog is ReadLog for callers that delete. It fails if a record does not verify, if there
// is a gap, or if a record is missing that existed before: nobody may conclude from an incomplete
// log that something is not needed.
func (r *Repository) ReadWholeLog(ctx context.Context) (*Log, error) {
	log, err := r.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	if len(log.Problems) > 0 {
		return nil, fmt.Errorf("nothing is deleted while this is so: %w", errors.Join(log.Problems...))
	}
	if lost := log.RolledBack(); len(lost) > 0 {
		return nil, fmt.Errorf("nothing is deleted while this is so: %w: of %s", ErrRolledBack, strings.Join(lost, ", "))
	}
	accusations, err := r.Accusations(ctx, log)
	if err != nil {
		return nil, err
	}
	for _, a := range accusations {
		if a.Grave {
			return nil, fmt.Errorf("nothing is deleted while this is so: %s: %w", a, ErrUntrusted)
		}
	}
	return log, nil
}

// Term determines what is still needed although it no longer counts.
type Term struct {
	Now   time.Time     // the store's
	Grace time.Duration // how long what was forgotten is needed
}

// Needed returns the records whose packs must stay: snapshots until the grace after they were
// forgotten has ended, checkpoints until they are superseded or forgotten. Records of kinds that
// this version does not know are needed if they name packs.
func (l *Log) Needed(t Term) (needed []*Record) {
	superseded := l.Superseded()
	for _, rec := range l.Records {
		if len(rec.Refs.names()) > 0 && l.needed(rec, t, superseded) {
			needed = append(needed, rec)
		}
	}
	return needed
}

func (l *Log) needed(rec *Record, t Term, superseded map[string]bool) bool {
	gone := l.Fate(rec.Hash).Gone(t.Now)
	if rec.Kind == Moved { // what it names is needed by those who need what was moved
		return false
	}
	if rec.Kind == Checkpoint { // no restore goes on from it
		return gone.IsZero() && !superseded[rec.Hash.String()]
	}
	return gone.IsZero() || t.Now.Sub(gone) < t.Grace
}

// Abandoned returns the checkpoints that nothing supersedes, of runs that have written nothing for
// AbandonedAfter. It leaves out checkpoints with unreliable dates.
func (l *Log) Abandoned(now time.Time) (ids []archive.Name) {
	type run struct{ writer, run string }
	last := map[run]time.Time{}
	for _, rec := range l.Records {
		if r := (run{rec.Lane.Writer, rec.Run}); rec.Kind == Checkpoint && rec.Run != "" && rec.Date.After(last[r]) {
			last[r] = rec.Date
		}
	}
	superseded := l.Superseded()
	for _, rec := range l.Records {
		shown := rec.Date
		if at := last[run{rec.Lane.Writer, rec.Run}]; at.After(shown) {
			shown = at
		}
		if rec.Kind == Checkpoint && l.Live(rec, superseded) && !rec.Undated && now.Sub(shown) >= AbandonedAfter {
			ids = append(ids, rec.Hash)
		}
	}
	return ids
}

// ignoredStill returns records that do not count since their writer was revoked, but whose packs
// must stay until the grace after the revoking config has ended.
func (r *Repository) ignoredStill(ctx context.Context, log *Log, t Term) ([]*Record, error) {
	if len(log.ignored) == 0 {
		return nil, nil
	}
	name := configName(r.Config.Number)
	for info, err := range r.Store.List(ctx, name, "") {
		if err != nil {
			return nil, err
		}
		if info.Name == name && t.Now.Sub(info.Modified) >= t.Grace {
			return nil, nil
		}
	}
	return log.ignored, nil
}

// PackUse is what packs are needed for.
type PackUse struct {
	Needed  PackSet // they must stay
	Passing PackSet // those of them that only what was forgotten needs, within its grace
	Named   PackSet // any record names or named them
	Healed  PackSet // damaged ones, of whose chunks there are copies
}

// NeededPacks returns the packs that must stay. It fails if it cannot read some refs.
func (r *Repository) NeededPacks(ctx context.Context, log *Log, t Term) (PackSet, error) {
	use, err := r.readUse(ctx, log, t, log.Needed(t))
	return use.Needed, err
}

// ReadPackUse returns what every pack that a record names is needed for.
func (r *Repository) ReadPackUse(ctx context.Context, log *Log, t Term) (PackUse, error) {
	all := slices.DeleteFunc(slices.Clone(log.Records), func(rec *Record) bool { return len(rec.Refs.names()) == 0 })
	return r.readUse(ctx, log, t, all)
}

// readUse reads the refs of records, each list once.
func (r *Repository) readUse(ctx context.Context, log *Log, t Term, records []*Record) (PackUse, error) {
	var lasting, passing, over archive.RefSet
	is := map[*Record]*archive.RefSet{}
	for _, rec := range log.Needed(t) {
		is[rec] = &passing
	}
	for _, rec := range log.Needed(Term{Now: t.Now}) {
		is[rec] = &lasting
	}
	for _, rec := range records {
		if !r.OpensIndex(rec.Domain) {
			return PackUse{}, fmt.Errorf("record %s is of domain %d, whose reference maps no key at hand opens; a collector or keeper needs a key file that was made since the change to domain %d: %w",
				rec.Name(), rec.Domain, r.Config.Domain, ErrNoIdentity)
		}
	}
	err := r.eachRefs(ctx, records, func(users []*Record, set *archive.RefSet) error {
		to := &over
		for _, rec := range users {
			if is[rec] == &lasting || is[rec] == &passing && to == &over {
				to = is[rec]
			}
		}
		to.Union(set)
		return nil
	})
	if err == nil {
		err = r.addIgnored(ctx, log, t, &passing)
	}
	if err != nil {
		return PackUse{}, err
	}
	moves, err := r.ReadMoves(ctx, log, false)
	if err != nil {
		return PackUse{}, err
	}
	use := PackUse{Needed: packsOf(moves.Now(&lasting)), Healed: moves.healed()}
	if len(moves.of) > 0 {
		passing.Union(&lasting) // where it was, for the grace
	}
	use.Passing = packsOf(moves.Needed(&passing, t)).Minus(use.Needed)
	use.Needed = use.Needed.Add(use.Passing)
	use.Named = packsOf(&over).Add(use.Needed)
	return use, nil
}

// addIgnored adds to needed what the records of revoked writers name, within the grace. A revoked
// writer may have written anything, so it skips what it cannot read.
func (r *Repository) addIgnored(ctx context.Context, log *Log, t Term, needed *archive.RefSet) error {
	ignored, err := r.ignoredStill(ctx, log, t)
	if err != nil {
		return err
	}
	for _, rec := range ignored {
		set, err := r.LoadRefs(ctx, rec.Refs)
		if away := store.Unavailable(ctx, err); away != nil {
			return away
		}
		if err == nil {
			needed.Union(set)
		}
	}
	return nil
}

// packsOf returns the packs that refs name.
func packsOf(refs *archive.RefSet) PackSet {
	packs := make(PackSet, refs.Len())
	for ref := range refs.All() {
		packs[ref.Name] = true
	}
	return packs
}

// OpenSession is a session that nothing has ended: whoever opened it is running, or was killed.
type OpenSession struct {
	Object   string
	Lane     Lane
	Sequence uint64
	Since    time.Time // the store's date
	Nonce    string
}

// OpenSessions returns the sessions that nothing has ended. It lists them before it reads the log,
// so that no session follows a record that the log lacks. It fails if one does not verify, unless
// its opener was revoked before or the owner has declared it void.
func (r *Repository) OpenSessions(ctx context.Context) (open []OpenSession, err error) {
	var infos []store.Info
	for info, err := range r.Store.List(ctx, "sessions/", "") {
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		infos = append(infos, info)
	}
	log, err := r.ReadWholeLog(ctx)
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		lane, isOpen := log.OpenSession(info.Name)
		if !isOpen {
			continue
		}
		_, seq, _ := parseRecordName("log/" + strings.Replace(strings.TrimPrefix(info.Name, "sessions/"), lane.String()+".", lane.String()+"/", 1))
		s, err := r.readOpen(ctx, log, OpenSession{Object: info.Name, Lane: lane, Sequence: seq, Since: info.Modified})
		if err != nil {
			return nil, err
		}
		if s != nil {
			open = append(open, *s)
		}
	}
	return open, nil
}

func (r *Repository) readOpen(ctx context.Context, log *Log, s OpenSession) (*OpenSession, error) {
	if r.wasRevoked(slices.Concat(r.Config.Writers, r.Config.Collectors), s.Lane.Writer, s.Lane.String(), s.Sequence) {
		return nil, nil // its record would count for nothing
	}
	data, err := r.Store.Get(ctx, s.Object, 0, -1, nil)
	if errors.Is(err, store.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load session %s: %w", s.Object, err)
	}
	if void := r.Config.Void[s.Object]; void != "" && void == hash(data) {
		return nil, nil
	}
	body, _, err := crypto.Verify(r.Format.Repository, s.Object, data, r.opener(s.Object)...)
	if err != nil {
		return nil, fmt.Errorf("nothing is deleted while %s is there: nobody with the right to has signed it: %w: %w", s.Object, ErrUntrusted, err)
	}
	note, err := parseNote(body)
	if err != nil {
		return nil, fmt.Errorf("read session %s: %w", s.Object, err)
	}
	s.Nonce = note.Nonce
	if head := log.Head(s.Lane); s.Sequence != 1 && (head == nil || head.Sequence+1 < s.Sequence) {
		return nil, fmt.Errorf("session %s is open, and records before it are missing: %w", s.Object, ErrUntrusted)
	}
	return &s, nil
}

// Dead reports whether a session of this host was killed: the lane is not locked, and this host has
// opened that session in it.
func (r *Repository) Dead(s OpenSession) bool {
	if _, err := os.Stat(r.Cache.Path(laneFile(s.Lane))); err != nil {
		return false // this host never was in that lane, or has no cache
	}
	lock, err := lockLane(r.Cache, s.Lane)
	if err != nil || lock == nil {
		return false
	}
	defer lock.release()
	return lock.knows(s.Nonce)
}

// EndSession declares a session dead, by a tombstone with the name of its record: only one of the
// two can exist. The next reading of the log shows which one does.
func (r *Repository) EndSession(ctx context.Context, by crypto.Signer, log *Log, s OpenSession) error {
	c := clear{
		Kind: Tombstone, Nonce: s.Nonce, Config: r.Config.Number, ConfigHash: r.Config.Hash(), Domain: r.Config.Domain,
		Time: r.now(), Software: r.options.Software,
	}
	if head := log.Head(s.Lane); head != nil {
		c.Previous = head.Hash.String()
	}
	body, err := encodeLine(c)
	if err != nil {
		return err
	}
	name := s.Lane.record(s.Sequence)
	data, err := by.Sign(r.Format.Repository, name, body)
	if err != nil {
		return err
	}
	if err := putOwn(ctx, r.Store, name, data); err != nil && !errors.Is(err, store.ErrExist) {
		return fmt.Errorf("end session %s: %w", s.Object, err)
	}
	return r.Store.Sync(ctx)
}

// LastGraceEnds returns when the last grace of something forgotten ends, zero if none is running.
func (l *Log) LastGraceEnds(t Term) (end time.Time) {
	for _, rec := range l.Records {
		gone := l.Fate(rec.Hash).Gone(t.Now)
		if ends := gone.Add(t.Grace); !gone.IsZero() && ends.After(t.Now) && ends.After(end) {
			end = ends
		}
	}
	return end
}
