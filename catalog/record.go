package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/catalog/tripwire"
	"github.com/packstone/packstone/crypto"
)

// Kind is what a record does.
type Kind string

const (
	Commit     Kind = "commit"     // makes a snapshot exist
	Checkpoint Kind = "checkpoint" // publishes what an unfinished backup has uploaded
	Tombstone  Kind = "tombstone"  // a session that will never commit
	Tag        Kind = "tag"        // changes the tags of the writer's own snapshots
	Forget     Kind = "forget"     // snapshots or checkpoints count no more: of the owner or a collector, as those below
	Undelete   Kind = "undelete"   // and do again
	Hold       Kind = "hold"       // whatever is forgotten, snapshots stay
	Unhold     Kind = "unhold"     // and need not any more
	Date       Kind = "date"       // says when records came to be whose dates the store has lost: of the owner or a collector
	Moved      Kind = "moved"      // chunks were copied out of packs that are half dead: of the owner or a collector too
	// Verification says that packs were read in full and are as index runs say. Only the owner and
	// verifiers may sign it.
	Verification Kind = "verified"
)

// Lane is one of a writer's chains of records.
type Lane struct {
	Writer string
	Number uint64
}

// String returns the lane in the form used in object names.
func (l Lane) String() string { return fmt.Sprintf("%s.%d", l.Writer, l.Number) }

func (l Lane) record(seq uint64) string  { return "log/" + l.String() + "/" + sequence(seq) }
func (l Lane) session(seq uint64) string { return "sessions/" + l.String() + "." + sequence(seq) }

// parseRecordName reads log/<writer>.<lane>/<seq>.
func parseRecordName(name string) (Lane, uint64, bool) {
	rest, ok := strings.CutPrefix(name, "log/")
	if !ok {
		return Lane{}, 0, false
	}
	lane, number, ok := strings.Cut(rest, "/")
	dot := strings.LastIndexByte(lane, '.')
	if !ok || dot < 1 {
		return Lane{}, 0, false
	}
	var l Lane
	l.Writer = lane[:dot]
	if _, err := fmt.Sscanf(lane[dot+1:], "%d", &l.Number); err != nil || l.String() != lane {
		return Lane{}, 0, false
	}
	seq, ok := parseSequence(number)
	return l, seq, ok
}

// clear is the part of a record that everyone can read.
type clear struct {
	Kind       Kind      `json:"kind"`
	Previous   string    `json:"previous,omitempty"` // SHA-256 of the lane's record before
	Config     uint64    `json:"config"`
	ConfigHash string    `json:"config_hash"`
	Domain     uint64    `json:"domain"`
	Time       time.Time `json:"time"`
	Nonce      string    `json:"nonce"` // of the session that the record ends
	Index      []string  `json:"index,omitempty"`
	Refs       RefsList  `json:"refs,omitzero"`
	Supersedes []string  `json:"supersedes,omitempty"` // hashes of checkpoints, or verifications, that need not be kept any more
	Subjects   []string  `json:"subjects,omitempty"`   // hashes of the commits that a tag, forget or hold is about
	Moves      []string  `json:"moves,omitempty"`      // names of objects among refs that say what was moved
	Heals      []string  `json:"heals,omitempty"`      // of a moved record: names of objects among refs that name damaged packs, of whose chunks it has copies
	Verified   []string  `json:"verified,omitempty"`   // names of objects among refs that list packs that were verified
	Cancels    []string  `json:"cancels,omitempty"`    // hashes of the forgets or holds that count no more for the subjects
	Until      time.Time `json:"until,omitzero"`       // when a hold ends by itself
	Software   string    `json:"software"`
	Sealed     []byte    `json:"sealed,omitempty"` // age → recipients

	Group    string               `json:"group,omitempty"`    // of a commit: see groupOf
	Complete bool                 `json:"complete,omitempty"` // of a commit with a group: nothing is missing
	Marked   bool                 `json:"marked,omitempty"`   // of a commit: a tripwire marked it
	Run      string               `json:"run,omitempty"`      // of a checkpoint and of the commit that ends its run: see runOf
	Origin   string               `json:"origin,omitempty"`   // of a commit: see Origin
	Heads    map[string]Head      `json:"heads,omitempty"`    // of other lanes, where they moved since this lane named them last
	Dates    map[string]time.Time `json:"dates,omitempty"`    // of the owner or a collector: hash of a record → when the store had it
}

// Head is the last record of a lane, as another writer has seen it.
type Head struct {
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"`
}

// RefsList names the refs objects that together list what a record needs: a full list, then deltas
// in their order.
type RefsList struct {
	Full   string   `json:"full,omitempty"`
	Deltas []string `json:"deltas,omitempty"`
}

// Record is one signed link of a lane's chain.
type Record struct {
	Lane     Lane
	Sequence uint64
	Hash     archive.Name
	Stored   time.Time // the store's date
	Date     time.Time // when the record came to be, by those whose clock counts
	Undated  bool      // Date is not to be relied on
	clear

	by        crypto.Verifier // who has signed it
	ignored   bool            // signed after the signer was revoked
	ofOwner   bool            // signed by the owner or a collector
	backdates bool            // its writer may claim an earlier time than Date
	rolled    *rollLine       // not nil: it is in force by a roll
	began     time.Time       // Date of the first of the checkpoints just before it, or its own
}

// Name returns the name of the record's object.
func (rec *Record) Name() string { return rec.Lane.record(rec.Sequence) }

// parseRecord checks the signature of the object at its place.
func parseRecord(repository string, lane Lane, seq uint64, data []byte, by ...crypto.Verifier) (*Record, error) {
	body, signer, err := crypto.Verify(repository, lane.record(seq), data, by...)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w: %w", lane.record(seq), ErrUntrusted, err)
	}
	rec := &Record{Lane: lane, Sequence: seq, by: signer}
	if rec.Hash, err = archive.ParseName(hash(data)); err != nil {
		return nil, err
	}
	if err := checkJSON(body); err != nil {
		return nil, fmt.Errorf("read record %s: %w", rec.Name(), err)
	}
	if err := json.Unmarshal(body, &rec.clear); err != nil {
		return nil, fmt.Errorf("read record %s: %w", rec.Name(), err)
	}
	return rec, nil
}

// Snapshot is the content of a commit, for those who hold an identity: a set of sources, each at
// its moment.
type Snapshot struct {
	ID     archive.Name `json:"-"` // SHA-256 of the commit
	Writer string       `json:"-"`
	Domain uint64       `json:"-"`
	Stored time.Time    `json:"-"`
	Set    string       `json:"set"`
	Host   string       `json:"host"`
	User   string       `json:"user,omitempty"`
	Tags   []string     `json:"tags,omitempty"`
	// Description is a text that a person has given to the snapshot.
	Description string        `json:"description,omitempty"`
	Time        time.Time     `json:"time"` // when it was taken, or what --time says; never later than Date
	Claimed     time.Time     `json:"-"`    // what its writer says
	Date        time.Time     `json:"-"`    // when it came to be, by the store
	Undated     bool          `json:"-"`    // Date is not to be relied on
	Copied      bool          `json:"-"`    // it is being copied: it was taken before it is committed
	Standing    Standing      `json:"-"`    // whether the writer may speak for the host
	Held        []Held        `json:"-"`    // what keeps it from being forgotten
	Gone        time.Time     `json:"-"`    // when it was forgotten; zero: it was not
	Lasting     []string      `json:"-"`    // the tags by which it is kept: no writer can take one away
	Started     time.Time     `json:"started"`
	Finished    time.Time     `json:"finished"`
	Parent      string        `json:"parent,omitempty"`
	Origin      *Origin       `json:"origin,omitempty"`   // nil: of no other repository
	Replaces    string        `json:"replaces,omitempty"` // the id of the snapshot that was made anew, without some of what it held
	Software    string        `json:"-"`
	Sources     []SourceState `json:"sources"`
	// MaxAge is how many seconds old the newest complete snapshot of the set may be, by the
	// settings of its host; 0 if they do not say.
	MaxAge int64 `json:"max_age,omitempty"`
	// Tripwire lists what looks like a loss, compared with the snapshots before. A marked snapshot
	// replaces no other.
	Tripwire []tripwire.Trip `json:"tripwire,omitempty"`
	// References are what its rows say of its files, as far as that was tested before the commit;
	// Orphans are of the sources that they lead to. Where a rule does not hold, Tripwire says so too.
	References  []References `json:"references,omitempty"`
	Orphans     []Orphans    `json:"orphans,omitempty"`
	NotBackedUp []LeftOut    `json:"not_backed_up,omitempty"` // what of the platform its settings leave out
}

// SourceState is one source of a snapshot.
type SourceState struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	Location string    `json:"location,omitempty"` // where it was, without secrets
	Paths    []string  `json:"paths,omitempty"`    // of an ad-hoc backup
	Excludes []string  `json:"excludes,omitempty"` // patterns of what was left out
	Marks    bool      `json:"marks,omitempty"`    // the tree marks what was there and is not in it; Excludes are complete
	Moment   time.Time `json:"moment"`             // when reading began, or the moment that the source itself guarantees
	Finished time.Time `json:"finished"`
	Root     tree.Root `json:"-"`
	RootCBOR []byte    `json:"root"` // deterministic CBOR of Root
	Coverage Coverage  `json:"coverage"`
}

// IsDatabase reports whether the source is a database, which is stored as streams of rows.
func (s *SourceState) IsDatabase() bool { return s.Type == "database" }

// Coverage counts what was read, and names what was not.
type Coverage struct {
	Files       uint64    `json:"files"`
	Directories uint64    `json:"directories"`
	Others      uint64    `json:"others"`
	Bytes       uint64    `json:"bytes"`
	Rows        uint64    `json:"rows,omitempty"` // of a database
	New         uint64    `json:"files_new"`
	Changed     uint64    `json:"files_changed"`
	Unmodified  uint64    `json:"files_unmodified"`
	Missed      uint64    `json:"missed"`             // entries that could not be read or changed while they were
	Problems    []Problem `json:"problems,omitempty"` // the first of them
}

// Problem is something that could not be backed up as it is.
type Problem struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

// backdated returns the time that the snapshot was given, zero if its time is when it was taken.
func (s *Snapshot) backdated() time.Time {
	if s.Time.Equal(s.Started) && !s.Copied && s.Replaces == "" {
		return time.Time{}
	}
	return s.Time
}

// Anew returns the snapshot that is to take the place of this one, as yet with the same sources. A
// tag that its host has taken away, and by which it is kept all the same, is one of it again.
func (s *Snapshot) Anew() *Snapshot {
	next := *s
	next.Replaces, next.Time = s.ID.String(), s.Claimed
	next.Tags = slices.Clone(s.Tags)
	for _, tag := range s.Lasting {
		if !slices.Contains(next.Tags, tag) {
			next.Tags = append(next.Tags, tag)
		}
	}
	return &next
}

// Complete reports whether the snapshot contains everything that was to be backed up.
func (s *Snapshot) Complete() bool {
	for i := range s.Sources {
		if s.Sources[i].Coverage.Missed > 0 {
			return false
		}
	}
	return true
}

// Marked reports whether a tripwire has marked the snapshot.
func (s *Snapshot) Marked() bool { return len(s.Tripwire) > 0 }

// LooksLost reports whether it looks like a loss, against the snapshots before.
func (s *Snapshot) LooksLost() bool { return slices.ContainsFunc(s.Tripwire, tripwire.Trip.IsLoss) }

// Source returns the source with a name.
func (s *Snapshot) Source(name string) (*SourceState, bool) {
	for i := range s.Sources {
		if s.Sources[i].Name == name {
			return &s.Sources[i], true
		}
	}
	return nil, false
}

// encodeSnapshot returns the sealed part of a commit, before it is sealed and padded.
func encodeSnapshot(s *Snapshot) ([]byte, error) {
	for i := range s.Sources {
		encoded, err := s.Sources[i].Root.MarshalCBOR()
		if err != nil {
			return nil, fmt.Errorf("encode the tree of %s: %w", s.Sources[i].Name, err)
		}
		s.Sources[i].RootCBOR = encoded
	}
	return json.Marshal(s)
}
