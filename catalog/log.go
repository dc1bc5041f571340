package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// fetches is how many small objects are fetched at once.
const fetches = 16

// Log is every record that the repository holds, lane by lane in order.
type Log struct {
	Records  []*Record
	Problems []error // gaps and signatures that do not hold; what they touch is left out of Records

	heads map[Lane]*Record
	byID  map[archive.Name]*Record
}

// Head is the last record of a lane, nil if there is none.
func (l *Log) Head(lane Lane) *Record { return l.heads[lane] }

// Find returns the record with this hash, nil if there is none.
func (l *Log) Find(id archive.Name) *Record { return l.byID[id] }

// Live tells whether rec still holds something: commits do, checkpoints until they are superseded.
func (l *Log) Live(rec *Record, superseded map[string]bool) bool {
	switch rec.Kind {
	case Commit:
		return true
	case Checkpoint:
		return !superseded[rec.Hash.String()]
	}
	return false
}

// Superseded collects the checkpoints that a later record of the same writer has made needless.
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

// ReadLog lists and checks all records. What is cached is not fetched again. Only a store that fails is an error; what
// is wrong with single records is in Problems.
func (r *Repository) ReadLog(ctx context.Context) (*Log, error) {
	var infos []store.Info
	for info, err := range r.Store.List(ctx, "log/", "") {
		if err != nil {
			return nil, fmt.Errorf("list records: %w", err)
		}
		infos = append(infos, info)
	}
	records := make([]*Record, len(infos))
	problems := make([]error, len(infos))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, info := range infos {
		g.Go(func() (err error) {
			records[i], problems[i], err = r.readRecord(gctx, info)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return r.chain(records, problems), nil
}

// readRecord returns a record, or what is wrong with it, or nothing of both for an object that is no record's.
func (r *Repository) readRecord(ctx context.Context, info store.Info) (rec *Record, problem, err error) {
	lane, seq, ok := parseRecordName(info.Name)
	if !ok {
		return nil, nil, nil
	}
	data, err := r.Cache.object(ctx, r.Store, info.Name)
	if err != nil {
		return nil, nil, fmt.Errorf("load record %s: %w", info.Name, err)
	}
	rec, problem = r.acceptRecord(lane, seq, data)
	if problem != nil {
		r.Cache.forget(info.Name)
		return nil, problem, nil
	}
	rec.Stored = info.Modified
	return rec, nil, nil
}

// acceptRecord checks who has signed: the lane's writer, or a collector if it is a tombstone, or the owner.
func (r *Repository) acceptRecord(lane Lane, seq uint64, data []byte) (*Record, error) {
	m, v, known := member(r.Config.Writers, lane.Writer)
	if known && m.Revoked != nil && seq > m.Revoked[lane.String()] {
		return nil, fmt.Errorf("record %s was written after writer %s was revoked: %w", lane.record(seq), lane.Writer, ErrUntrusted)
	}
	if known {
		if rec, err := parseRecord(r.Format.Repository, lane, seq, data, v); err == nil {
			return rec, nil
		}
	}
	rec, err := parseRecord(r.Format.Repository, lane, seq, data, append(r.collectors(), r.owner)...)
	if err != nil {
		return nil, err
	}
	if rec.Kind != Tombstone && lane.Writer != r.owner.Name() {
		return nil, fmt.Errorf("record %s is not its writer's: %w", rec.Name(), ErrUntrusted)
	}
	return rec, nil
}

func (r *Repository) collectors() []crypto.Verifier {
	var keys []crypto.Verifier
	for _, m := range r.Config.Collectors {
		if v, err := crypto.ParseVerifier(m.Key); err == nil && m.Revoked == nil {
			keys = append(keys, v)
		}
	}
	return keys
}

// chain puts records in order and checks that each names the one before it.
func (r *Repository) chain(records []*Record, problems []error) *Log {
	log := &Log{heads: map[Lane]*Record{}, byID: map[archive.Name]*Record{}}
	for _, err := range problems {
		if err != nil {
			log.Problems = append(log.Problems, err)
		}
	}
	for _, rec := range records {
		if rec == nil {
			continue
		}
		head := log.heads[rec.Lane]
		if err := follows(head, rec); err != nil {
			log.Problems = append(log.Problems, err)
		}
		log.heads[rec.Lane] = rec
		log.byID[rec.Hash] = rec
		log.Records = append(log.Records, rec)
	}
	return log
}

func follows(head, rec *Record) error {
	last, previous := uint64(0), ""
	if head != nil {
		last, previous = head.Sequence, head.Hash.String()
	}
	if rec.Sequence != last+1 {
		return fmt.Errorf("record %s: %d records before it are missing: %w", rec.Name(), rec.Sequence-last-1, ErrUntrusted)
	}
	if rec.Previous != previous {
		return fmt.Errorf("record %s does not follow the one before it: %w", rec.Name(), ErrUntrusted)
	}
	return nil
}

// headsFile remembers the last record of each lane that this host has seen.
const headsFile = "heads.json"

type rememberedHead struct {
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"`
}

// rememberHeads keeps the heads of log for lostRecords of a later run.
func (r *Repository) rememberHeads(log *Log) error {
	heads := map[string]rememberedHead{}
	for lane, rec := range log.heads {
		heads[lane.String()] = rememberedHead{rec.Sequence, rec.Hash.String()}
	}
	data, err := json.Marshal(heads)
	if err != nil {
		return fmt.Errorf("remember heads: %w", err)
	}
	return r.Cache.Write(headsFile, data)
}

// lostRecords compares the log with what this host remembers, and names the lanes that have lost records. No roll-up or
// collection removes the head of a lane.
func (r *Repository) lostRecords(log *Log) ([]string, error) {
	data, err := r.Cache.Read(headsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read remembered heads: %w", err)
	}
	var heads map[string]rememberedHead
	if json.Unmarshal(data, &heads) != nil {
		r.Cache.Remove(headsFile)
		return nil, nil
	}
	var lost []string
	for lane, head := range heads {
		if rec := log.findHex(head.Hash); rec == nil || rec.Lane.String() != lane {
			lost = append(lost, lane)
		}
	}
	slices.Sort(lost)
	return lost, nil
}

// Snapshots opens the commits of a log: all that the identities at hand can read, oldest first by their time. It needs
// an identity.
func (r *Repository) Snapshots(ctx context.Context, log *Log) ([]*Snapshot, error) {
	if !r.CanRead() {
		return nil, fmt.Errorf("read snapshots: %w", ErrNoIdentity)
	}
	var commits []*Record
	for _, rec := range log.Records {
		if rec.Kind == Commit {
			commits = append(commits, rec)
		}
	}
	snapshots := make([]*Snapshot, len(commits))
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, rec := range commits {
		g.Go(func() (err error) {
			snapshots[i], err = r.openSnapshot(ctx, rec)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := r.retag(ctx, log, snapshots); err != nil {
		return nil, err
	}
	slices.SortStableFunc(snapshots, func(a, b *Snapshot) int { return a.Time.Compare(b.Time) })
	return snapshots, nil
}

func (r *Repository) openSnapshot(ctx context.Context, rec *Record) (*Snapshot, error) {
	s := &Snapshot{ID: rec.Hash, Writer: rec.Lane.Writer, Domain: rec.Domain, Stored: rec.Stored, Software: rec.Software}
	if err := r.openSealed(ctx, rec, s); err != nil {
		return nil, err
	}
	for i := range s.Sources {
		if err := s.Sources[i].Root.UnmarshalCBOR(s.Sources[i].RootCBOR); err != nil {
			return nil, fmt.Errorf("read snapshot %s: tree of %s: %w", rec.Hash, s.Sources[i].Name, err)
		}
		s.Sources[i].RootCBOR = nil
	}
	return s, nil
}

// tagChange is the sealed part of a tag record.
type tagChange struct {
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// retag applies the tag records to the snapshots that they name: of the same writer only, in the order of the lane.
func (r *Repository) retag(ctx context.Context, log *Log, snapshots []*Snapshot) error {
	byID := map[string]*Snapshot{}
	for _, s := range snapshots {
		byID[s.ID.String()] = s
	}
	for _, rec := range log.Records {
		if rec.Kind != Tag {
			continue
		}
		var change tagChange
		if err := r.openSealed(ctx, rec, &change); err != nil {
			return err
		}
		for _, id := range rec.Subjects {
			if s := byID[id]; s != nil && s.Writer == rec.Lane.Writer {
				s.Tags = applyTags(s.Tags, change)
			}
		}
	}
	return nil
}

// openSealed reads the JSON in the sealed part of a record.
func (r *Repository) openSealed(ctx context.Context, rec *Record, v any) error {
	sealed, err := r.readable(ctx, rec)
	if err != nil {
		return err
	}
	plain, err := archive.OpenSealed(sealed, r.Identities()...)
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

// Index is what a process knows of where chunks lie, and from which runs it knows it. Safe for concurrent use.
type Index struct {
	*archive.Index

	mu   sync.Mutex
	runs map[archive.Name]bool
}

// NewIndex makes an empty index.
func NewIndex() *Index {
	return &Index{Index: archive.NewIndex(0), runs: map[archive.Name]bool{}}
}

func (x *Index) has(run archive.Name) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.runs[run]
}

func (x *Index) addRun(run archive.Name, packs []archive.RunPack) {
	x.Add(packs...)
	x.mu.Lock()
	x.runs[run] = true
	x.mu.Unlock()
}

// LoadIndex loads into index the runs that records of the log name, those that it has already excepted, and returns how many were new.
// usable chooses records; nil: all, which is right for reading, where every id is checked.
func (r *Repository) LoadIndex(ctx context.Context, log *Log, index *Index, usable func(*Record) bool) (int, error) {
	ids, err := r.indexIdentities()
	if err != nil {
		return 0, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	added := 0
	for _, name := range r.runNames(log, usable) {
		if index.has(name) {
			continue
		}
		added++
		g.Go(func() error {
			packs, err := r.loadRun(gctx, name, ids)
			if err != nil {
				return err
			}
			index.addRun(name, packs)
			return nil
		})
	}
	return added, g.Wait()
}

func (r *Repository) runNames(log *Log, usable func(*Record) bool) []archive.Name {
	var names []archive.Name
	seen := map[string]bool{}
	for _, rec := range log.Records {
		if _, ok := r.domains[rec.Domain]; !ok || usable != nil && !usable(rec) {
			continue
		}
		for _, s := range rec.Index {
			name, err := archive.ParseName(s)
			if err == nil && !seen[s] {
				seen[s] = true
				names = append(names, name)
			}
		}
	}
	return names
}

func (r *Repository) loadRun(ctx context.Context, name archive.Name, ids []age.Identity) ([]archive.RunPack, error) {
	data, err := r.content(ctx, archive.Runs, name)
	if err != nil {
		return nil, err
	}
	content, err := archive.OpenSealed(data, ids...)
	if err != nil {
		return nil, fmt.Errorf("open index run %s: %w", name, err)
	}
	return archive.ParseRun(content)
}

// trusts tells whether a writer may deduplicate against what rec's writer has stored: its own, or one of its group.
func (r *Repository) trusts(own string, rec *Record) bool {
	if rec.Lane.Writer == own {
		return true
	}
	mine, _, _ := member(r.Config.Writers, own)
	other, _, known := member(r.Config.Writers, rec.Lane.Writer)
	return known && mine.Group == other.Group
}
