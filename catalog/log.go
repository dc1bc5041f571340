package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// fetches is how many small objects are fetched at once.
const fetches = 16

// Log is every record that the repository holds, lane by lane in order.
type Log struct {
	Records  []*Record
	Problems []error  // gaps, and objects whose invalid signature, which are left out of Records: each a *Defect
	Ignored  []string // records that were signed after their signer was revoked: they count for nothing
	// Powerless are forgets and holds, and records that revoke them, that a writer has signed.
	// Writers may not, so they have no effect.
	Powerless []string

	heads   map[Lane]*Record
	byID    map[archive.Name]*Record
	there   map[archive.Name]bool    // the hashes of all records with a good signature, those that are ignored among them
	invalid map[Lane]map[uint64]bool // where an object lies that is no record
	lost    []string                 // see RolledBack
	fates   map[archive.Name]*Fate
	ignored []*Record
	rolled  *rolled   // the newest roll; nil: nothing is rolled up
	now     time.Time // when it was read, by this host's clock
}

// Defect is what is wrong at one place in a lane.
type Defect struct {
	Lane     Lane
	Sequence uint64
	Err      error
}

// Error implements error.
func (p *Defect) Error() string { return p.Err.Error() }

// Unwrap returns the cause, for errors.Is and errors.As.
func (p *Defect) Unwrap() error { return p.Err }

// OpenSession returns the lane of an object below sessions/, and whether nothing has ended that
// session yet. Nothing shows whether whoever opened it is still running or was killed.
func (l *Log) OpenSession(object string) (lane Lane, open bool) {
	rest, ok := strings.CutPrefix(object, "sessions/")
	dot := strings.LastIndexByte(rest, '.')
	if !ok || dot < 0 {
		return lane, false
	}
	lane, number, ok := parseRecordName("log/" + rest[:dot] + "/" + rest[dot+1:])
	return lane, ok && !l.ended(lane, number)
}

// ended reports whether a session of a lane has ended: by a record, or by another object that takes
// the record's name.
func (l *Log) ended(lane Lane, sequence uint64) bool {
	head := l.heads[lane]
	return head != nil && head.Sequence >= sequence || l.invalid[lane][sequence]
}

// blocked reports whether the next record of a lane cannot be written, since an object that is not
// a record has its name.
func (l *Log) blocked(lane Lane) bool {
	next := uint64(1)
	if head := l.heads[lane]; head != nil {
		next = head.Sequence + 1
	}
	return l.invalid[lane][next]
}

// Head returns the last record of a lane, nil if there is none.
func (l *Log) Head(lane Lane) *Record { return l.heads[lane] }

// Find returns the record with this hash, nil if there is none.
func (l *Log) Find(id archive.Name) *Record { return l.byID[id] }

// Live reports whether what rec needs must be kept: of commits until they are forgotten, of
// checkpoints until they are superseded.
func (l *Log) Live(rec *Record, superseded map[string]bool) bool {
	switch rec.Kind {
	case Commit:
		return l.Fate(rec.Hash).Gone(l.now).IsZero()
	case Checkpoint:
		return !superseded[rec.Hash.String()] && l.Fate(rec.Hash).Gone(l.now).IsZero()
	}
	return false
}

// Superseded returns the checkpoints that a later record of the same writer has made unnecessary.
func (l *Log) Superseded() map[string]bool {
	gone := map[string]bool{}
	for _, rec := range l.Records {
		for _, id := range rec.Supersedes {
			if old := l.findHex(id); old != nil && old.Lane.Writer == rec.Lane.Writer && old.Kind == Checkpoint {
				gone[id] = true
			}
		}
	}
	return gone
}

func (l *Log) findHex(id string) *Record {
	name, err := archive.ParseName(id)
	if err != nil {
		return nil
	}
	return l.byID[name]
}

// ReadLog lists and verifies all records. It does not fetch cached ones again. It fails only if the
// store fails; what is wrong with single records is in Problems.
func (r *Repository) ReadLog(ctx context.Context) (*Log, error) {
	for tries := 1; ; tries++ {
		log, err := r.readLogOnce(ctx)
		if !errors.Is(err, store.ErrNotExist) || tries == mostTries {
			return log, err
		}
		r = r.lookingAnew() // records were rolled up since they were listed
	}
}

// lookingAnew returns the repository without the look that opened it.
func (r *Repository) lookingAnew() *Repository {
	anew := r.under(r.Config)
	anew.options.Look = nil
	return anew
}

// mostTries is how often the log is read again because it was rolled up meanwhile.
const mostTries = 5

// readLogOnce lists the records, and then reads the newest roll: a listed record that is gone is in
// the roll.
func (r *Repository) readLogOnce(ctx context.Context) (*Log, error) {
	var infos []store.Info
	from := r.opening()
	for info, err := range from.List(ctx, "log/", "") {
		if err != nil {
			return nil, fmt.Errorf("list records: %w", err)
		}
		infos = append(infos, info)
	}
	rolled, err := r.readRoll(ctx)
	if err != nil {
		return nil, err
	}
	infos = slices.DeleteFunc(infos, func(info store.Info) bool {
		lane, seq, ok := parseRecordName(info.Name)
		return ok && rolled.covers(lane, seq)
	})
	records := make([]*Record, len(infos))
	problems := make([]*Defect, len(infos))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, info := range infos {
		g.Go(func() (err error) {
			records[i], problems[i], err = r.readRecord(gctx, from, info)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	log := r.chain(rolled, records, problems)
	if err := r.compare(ctx, log); err != nil {
		return log, err
	}
	r.tidyCache(log)
	return log, nil
}

// errVoid: the owner has declared an object void.
var errVoid = errors.New("declared void by the owner")

// readRecord returns a record, or what is wrong with it. It returns neither for an object that is
// not named like a record.
func (r *Repository) readRecord(ctx context.Context, from store.Store, info store.Info) (rec *Record, problem *Defect, err error) {
	lane, seq, ok := parseRecordName(info.Name)
	if !ok {
		return nil, nil, nil
	}
	if info.Size > maxRecord {
		err := fmt.Errorf("record %s has %d bytes, and is not read: %w", info.Name, info.Size, archive.ErrDamaged)
		return nil, &Defect{lane, seq, err}, nil
	}
	if rec = r.read.record(r.Config, info.Name, info.Modified); rec != nil {
		return rec, nil, nil
	}
	_, err = r.Cache.object(ctx, from, info.Name, func(data []byte) (err error) {
		if void := r.Config.Void[info.Name]; void != "" && void == hash(data) {
			return errVoid
		}
		rec, err = r.acceptRecord(lane, seq, data)
		return err
	})
	var bad *badObject
	if errors.As(err, &bad) {
		return nil, &Defect{lane, seq, bad.error}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("load record %s: %w", info.Name, err)
	}
	r.read.keep(r.Config, rec)
	rec.Stored = info.Modified
	return rec, nil, nil
}

// acceptRecord checks who has signed a record. In a writer's lane that is the writer, or for a
// tombstone also a collector or the owner. The owner and collectors have lanes of their own,
// without commits and checkpoints.
func (r *Repository) acceptRecord(lane Lane, seq uint64, data []byte) (*Record, error) {
	_, v, isWriter := member(r.Config.Writers, lane.Writer)
	if isWriter {
		if rec, err := parseRecord(r.Format.Repository, lane, seq, data, v); err == nil {
			rec.ignored = r.wasRevoked(r.Config.Writers, lane.Writer, lane.String(), seq)
			return rec, nil
		}
	}
	rec, err := parseRecord(r.Format.Repository, lane, seq, data, append(keys(r.Config.Collectors), r.owner)...)
	if err != nil {
		return nil, err
	}
	rec.ofOwner = true
	inOwnLane := !isWriter && rec.by.Name() == lane.Writer && rec.Kind != Commit && rec.Kind != Checkpoint
	if rec.Kind != Tombstone && !inOwnLane {
		return nil, fmt.Errorf("record %s is not its writer's: %w", rec.Name(), ErrUntrusted)
	}
	rec.ignored = !rec.by.Equal(r.owner) && r.wasRevoked(r.Config.Collectors, rec.by.Name(), lane.String(), seq)
	return rec, nil
}

// chain orders the records and checks that each names the one before it.
func (r *Repository) chain(rolled *rolled, records []*Record, problems []*Defect) *Log {
	log := &Log{
		rolled: rolled, now: r.now(), heads: map[Lane]*Record{}, byID: map[archive.Name]*Record{}, there: map[archive.Name]bool{}, invalid: map[Lane]map[uint64]bool{},
	}
	log.begin(rolled)
	ended := map[Lane]bool{} // lanes in which a record is ignored: what follows has nothing to follow
	for _, problem := range problems {
		if problem != nil {
			r.noteInvalid(log, problem)
		}
	}
	for _, rec := range records {
		if rec == nil {
			continue
		}
		log.there[rec.Hash] = true
		if rec.ignored {
			log.Ignored = append(log.Ignored, rec.Name())
			log.ignored = append(log.ignored, rec)
			ended[rec.Lane] = true
			continue
		}
		head := log.heads[rec.Lane]
		if err := follows(head, rec); err != nil && !ended[rec.Lane] {
			log.Problems = append(log.Problems, &Defect{rec.Lane, rec.Sequence - 1, err})
		}
		log.heads[rec.Lane] = rec
		log.byID[rec.Hash] = rec
		log.Records = append(log.Records, rec)
	}
	log.date(r.Config.backdaters())
	log.decide()
	return log
}

// begin adds the records that a roll keeps in force.
func (l *Log) begin(rolled *rolled) {
	if rolled == nil {
		return
	}
	for lane, floor := range rolled.floors {
		l.heads[lane], l.there[floor.Hash] = floor, true
	}
	for _, rec := range rolled.records {
		l.there[rec.Hash] = true
		if rec.ignored {
			l.Ignored, l.ignored = append(l.Ignored, rec.Name()), append(l.ignored, rec)
			continue
		}
		l.byID[rec.Hash] = rec
		l.Records = append(l.Records, rec)
	}
}

// Namers returns the records that name index runs, and stand-ins for those that are rolled up.
func (l *Log) Namers() []*Record {
	if l.rolled == nil {
		return l.Records
	}
	return slices.Concat(l.rolled.runs, l.Records)
}

// noteInvalid adds an object that is not a valid record. It is not a problem if the owner has
// declared it void, or if the lane no longer counts from there on.
func (r *Repository) noteInvalid(log *Log, p *Defect) {
	if log.invalid[p.Lane] == nil {
		log.invalid[p.Lane] = map[uint64]bool{}
	}
	log.invalid[p.Lane][p.Sequence] = true
	if !errors.Is(p.Err, errVoid) && !r.wasRevoked(r.Config.Writers, p.Lane.Writer, p.Lane.String(), p.Sequence) {
		log.Problems = append(log.Problems, p)
	}
}

// add adds a record that this process has written.
func (l *Log) add(rec *Record) {
	l.heads[rec.Lane], l.byID[rec.Hash], l.there[rec.Hash] = rec, rec, true
	l.Records = append(l.Records, rec)
	l.decide()
}

func follows(head, rec *Record) error {
	last, previous := uint64(0), ""
	if head != nil {
		last, previous = head.Sequence, head.Hash.String()
	}
	if rec.Sequence != last+1 {
		return fmt.Errorf("record %s: %s missing before it: %w", rec.Name(), entry.Plural(rec.Sequence-last-1, "record"), ErrUntrusted)
	}
	if rec.Previous != previous {
		return fmt.Errorf("record %s does not follow the one before it: %w", rec.Name(), ErrUntrusted)
	}
	return nil
}

// Snapshots opens the commits of a log: all that the identities at hand can read, oldest first. It
// warns of those that they cannot read, and fails only if they can read none. It needs an identity.
func (r *Repository) Snapshots(ctx context.Context, log *Log) ([]*Snapshot, error) {
	snapshots, problems, err := r.ReadSnapshots(ctx, log)
	if err == nil && len(snapshots) == 0 && len(problems) > 0 {
		err = problems[0]
	}
	for _, problem := range problems {
		r.warn("a snapshot is left out: %v", problem)
	}
	return snapshots, err
}

// ReadSnapshots is like Snapshots, and returns what is wrong with the snapshots that cannot be
// read. It leaves out forgotten ones.
func (r *Repository) ReadSnapshots(ctx context.Context, log *Log) (snapshots []*Snapshot, problems []error, err error) {
	return r.readSnapshots(ctx, log, log.commits(func(f *Fate) bool { return f.Gone(log.now).IsZero() }))
}

// ReadForgotten is like ReadSnapshots, for forgotten snapshots. What these need may be gone.
func (r *Repository) ReadForgotten(ctx context.Context, log *Log) (snapshots []*Snapshot, problems []error, err error) {
	return r.readSnapshots(ctx, log, log.commits(func(f *Fate) bool { return !f.Gone(log.now).IsZero() }))
}

func (r *Repository) readSnapshots(ctx context.Context, log *Log, commits []*Record) (snapshots []*Snapshot, problems []error, err error) {
	if !r.CanRead() {
		return nil, nil, fmt.Errorf("read snapshots: %w", ErrNoIdentity)
	}
	opened := make([]*Snapshot, len(commits))
	wrong := make([]error, len(commits)+2)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, rec := range commits {
		g.Go(func() error {
			var err error
			if opened[i], err = r.openSnapshot(gctx, rec); err != nil {
				wrong[i] = &Defect{rec.Lane, rec.Sequence, err}
			}
			return store.Unavailable(gctx, err)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	snapshots = slices.DeleteFunc(opened, func(s *Snapshot) bool { return s == nil })
	wrong[len(commits)], wrong[len(commits)+1] = r.retag(ctx, log, snapshots), r.tellFates(ctx, log, snapshots)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	slices.SortStableFunc(snapshots, func(a, b *Snapshot) int { return a.Time.Compare(b.Time) })
	return snapshots, slices.DeleteFunc(wrong, func(err error) bool { return err == nil }), nil
}

func (r *Repository) openSnapshot(ctx context.Context, rec *Record) (*Snapshot, error) {
	if _, err := r.Domain(rec.Domain); err != nil {
		return nil, fmt.Errorf("read snapshot %s: %w", rec.Hash, err)
	}
	s, err := r.sealedSnapshot(ctx, rec)
	if err != nil {
		return nil, err
	}
	s.ID, s.Writer, s.Domain, s.Stored, s.Software = rec.Hash, rec.Lane.Writer, rec.Domain, rec.Stored, rec.Software
	s.Standing = r.standing(rec, s.Host)
	s.date(rec)
	return s, nil
}

// sealedSnapshot returns what the writer has sealed in a commit.
func (r *Repository) sealedSnapshot(ctx context.Context, rec *Record) (*Snapshot, error) {
	if s := r.read.snapshot(rec.Hash); s != nil {
		return s, nil
	}
	s := &Snapshot{}
	if err := r.openSealed(ctx, rec, s); err != nil {
		return nil, err
	}
	for i := range s.Sources {
		if err := s.Sources[i].Root.UnmarshalCBOR(s.Sources[i].RootCBOR); err != nil {
			return nil, fmt.Errorf("read snapshot %s: tree of %s: %w", rec.Hash, s.Sources[i].Name, err)
		}
		s.Sources[i].RootCBOR = nil
	}
	r.read.keepSnapshot(rec.Hash, s)
	return s, nil
}

// tagChange is the sealed part of a tag record.
type tagChange struct {
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// retag applies the tag records to the snapshots that they name, in the order of the lanes: those
// of a writer to its own snapshots, those of the owner and collectors to all. It skips unreadable
// ones and returns their errors together.
func (r *Repository) retag(ctx context.Context, log *Log, snapshots []*Snapshot) (problems error) {
	byID := map[string]*Snapshot{}
	for _, s := range snapshots {
		byID[s.ID.String()] = s
		s.Lasting = s.Tags
	}
	for _, rec := range log.Records {
		if rec.Kind != Tag || !slices.ContainsFunc(rec.Subjects, func(id string) bool { return byID[id] != nil }) {
			continue
		}
		var change tagChange
		if err := r.openSealed(ctx, rec, &change); err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		for _, id := range rec.Subjects {
			if s := byID[id]; s != nil && (rec.ofOwner || s.Writer == rec.Lane.Writer) {
				s.retag(change, rec.ofOwner)
			}
		}
	}
	return problems
}

// retag changes the tags of a snapshot. A tag that a writer removes still keeps the snapshot:
// whoever steals the writer's key must not be able to have it forgotten.
func (s *Snapshot) retag(change tagChange, ofOwner bool) {
	s.Tags = applyTags(s.Tags, change)
	if !ofOwner {
		change.Remove = nil
	}
	s.Lasting = applyTags(s.Lasting, change)
}

// openSealed decodes the JSON in the sealed part of a record.
func (r *Repository) openSealed(ctx context.Context, rec *Record, v any) error {
	plain, err := archive.OpenSealed(rec.Sealed, maxSealed, r.Identities()...)
	if errors.Is(err, crypto.ErrWrongIdentity) { // it may have a header of its own for these
		var sealed []byte
		if sealed, err = r.readable(ctx, rec); err != nil {
			return err
		}
		plain, err = archive.OpenSealed(sealed, maxSealed, r.Identities()...)
	}
	if err == nil {
		err = checkJSON(plain)
	}
	if err != nil {
		return fmt.Errorf("open record %s: %w", rec.Name(), err)
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("read record %s: %w", rec.Name(), err)
	}
	return nil
}

func applyTags(tags []string, change tagChange) []string {
	tags = slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return slices.Contains(change.Remove, t) })
	for _, t := range change.Add {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	slices.Sort(tags)
	return tags
}

// trusts reports whether a writer may deduplicate against the packs that a record names: its own,
// those of a writer in its group, and those that the owner or a verifier has copied after reading
// them. A tombstone that a collector has put into a lane names nothing.
func (r *Repository) trusts(own string, rec *Record) bool {
	if rec.ofOwner {
		return rec.Kind == Moved && r.vouches(rec)
	}
	return r.sharesWith(own, rec.Lane.Writer)
}

// sharesWith reports whether a writer relies on what another has stored.
func (r *Repository) sharesWith(own, other string) bool {
	if other == own {
		return true
	}
	mine, _, _ := member(r.Config.Writers, own)
	theirs, _, known := member(r.Config.Writers, other)
	if known && r.Config.hasReplaced(own, other) {
		return true
	}
	return known && mine.Group == theirs.Group && (mine.Group != "" || r.Config.Rules == 0)
}

// hasReplaced reports whether a writer's key has taken the place of another's, at once or in steps.
func (c *Config) hasReplaced(now, before string) bool {
	for range c.Writers {
		m, _, _ := member(c.Writers, now)
		if m.Replaces == before {
			return before != ""
		}
		now = m.Replaces
	}
	return false
}

// shares returns the writers that a writer relies on, including itself.
func (r *Repository) shares(own string) (names []string) {
	for _, m := range r.Config.Writers {
		if name := m.Name(); r.sharesWith(own, name) {
			names = append(names, name)
		}
	}
	return names
}
