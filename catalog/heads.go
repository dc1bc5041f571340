package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// memories is where this host remembers the repositories that it has seen at one address, in a file
// for each.
type memories struct {
	dir   *Cache
	file  string // of the repository that is open
	older *Cache // where earlier versions kept it, whatever the address
	off   bool   // only the owners are remembered
}

func openMemories(o Options, repository string) *memories {
	m := &memories{dir: OpenCache(o.Memory), file: repository + memoryFile, older: OpenCache(o.CacheDir), off: o.Past}
	if o.Memory == "" {
		m.dir = OpenCache(m.older.Path("seen"))
	}
	return m
}

const (
	memoryFile = ".json"
	olderFile  = "heads.json"
)

// recollection is what this host last saw of a repository: its owner, the newest config and the
// last record of each lane. A store that knows less was rolled back.
type recollection struct {
	Address string          `json:"address,omitempty"` // for who reads the file
	Owner   string          `json:"owner,omitempty"`
	Config  uint64          `json:"config"`
	Lanes   map[string]head `json:"lanes"` // nil: nothing was kept here yet
}

// head is the last record of a lane.
type head struct {
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"`
	// Retired: the store has lost the record. Nobody writes to the lane again, since new records
	// would have the names of the lost ones.
	Retired bool `json:"retired,omitempty"`
}

// recall reads what is remembered of the repository. The result is empty if there is nothing or the
// file is damaged.
func (m *memories) recall() (*recollection, error) {
	if m.off {
		return &recollection{}, nil
	}
	seen, err := readRecollection(m.dir, m.file)
	if err != nil || seen.Lanes != nil {
		return seen, err
	}
	older, err := readRecollection(m.older, olderFile)
	if err != nil {
		return nil, err
	}
	seen.Config, seen.Lanes = max(seen.Config, older.Config), older.Lanes
	return seen, nil
}

func readRecollection(dir *Cache, file string) (*recollection, error) {
	data, err := dir.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &recollection{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was seen last: %w", err)
	}
	seen := &recollection{}
	if json.Unmarshal(data, seen) != nil {
		return &recollection{}, nil
	}
	return seen, nil
}

// keep writes the file of the repository.
func (m *memories) keep(seen *recollection) error {
	if m.off {
		return nil
	}
	data, err := json.Marshal(seen)
	if err != nil {
		return fmt.Errorf("remember what was seen: %w", err)
	}
	return m.dir.Write(m.file, data)
}

// known returns the repositories that this host has seen at the address, with their owners. It
// ignores files that it cannot read.
func (m *memories) known() []crypto.OwnerPin {
	var pins []crypto.OwnerPin
	entries, _ := os.ReadDir(m.dir.Path("."))
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), memoryFile)
		if !ok {
			continue
		}
		seen, err := readRecollection(m.dir, e.Name())
		if err != nil {
			continue
		}
		if owner, err := crypto.ParseVerifier(seen.Owner); err == nil {
			pins = append(pins, crypto.OwnerPin{Repository: id, Owner: owner})
		}
	}
	return pins
}

// meet remembers a repository that proved trustworthy, and its config. known are those that this
// host had seen at the address before.
func (r *Repository) meet(known []crypto.OwnerPin) {
	isNew := r.seen.Owner != r.owner.Text() && !r.memories.off
	if isNew && len(known) > 0 {
		r.warn("this address now leads to another repository than before: %s, of a trusted owner", r.Format.Repository)
	}
	r.seen.Owner, r.seen.Address = r.owner.Text(), r.Store.Location()
	err := r.keepConfig()
	if err != nil && isNew && len(r.options.Keys.pins()) == 0 {
		r.warn("cannot remember the repository's owner, so you have to name it again: %v", err)
	}
}

// keepConfig remembers the config, unless this host has seen a later one.
func (r *Repository) keepConfig() error {
	r.seenMutex.Lock()
	defer r.seenMutex.Unlock()
	seen := *r.seen
	seen.Config = max(seen.Config, r.Config.Number)
	r.seen = &seen
	return r.memories.keep(r.seen)
}

// compare records in log what the store had when this host last looked and has lost since. If it
// has lost nothing, compare remembers the present state.
func (r *Repository) compare(ctx context.Context, log *Log) (err error) {
	r.seenMutex.Lock()
	seen := r.seen
	r.seenMutex.Unlock() // the storage may be asked for long
	log.lost, err = r.missing(ctx, seen, log)
	if err != nil || len(log.lost) > 0 {
		return err
	}
	r.seenMutex.Lock()
	defer r.seenMutex.Unlock()
	now, err := r.memories.recall()
	if err != nil || len(now.lost(log, r.Config)) > 0 {
		return nil // it was told when the repository was opened; or another process has seen more meanwhile
	}
	r.seen = now.next(log, r.Config, nil)
	if !reflect.DeepEqual(now, r.seen) {
		_ = r.memories.keep(r.seen) // a reader can do without; a backup warns
	}
	return nil
}

// missing returns what seen holds and the store does not. It asks by name for what a listing has
// left out, or what may be newer than this process has read, before it reports it.
func (r *Repository) missing(ctx context.Context, seen *recollection, log *Log) ([]string, error) {
	var missing []string
	for _, what := range seen.lost(log, r.Config) {
		there, err := r.isThere(ctx, log, seen, what)
		if err != nil {
			return nil, fmt.Errorf("look for what is missing of %s: %w", what, err)
		}
		if !there {
			missing = append(missing, what)
		}
	}
	return missing, nil
}

func (r *Repository) isThere(ctx context.Context, log *Log, seen *recollection, what string) (bool, error) {
	head, isLane := seen.Lanes[what]
	name := configName(seen.Config)
	if isLane {
		lane, _, ok := parseRecordName("log/" + what + "/" + sequence(head.Sequence))
		if !ok || log.invalid[lane][head.Sequence] {
			return false, nil
		}
		name = lane.record(head.Sequence)
	}
	data, err := r.Store.Get(ctx, name, 0, -1, nil)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return r.wasRolledSince(ctx, log, what, head)
	case err != nil:
		return false, err
	case isLane:
		return hash(data) == head.Hash, nil
	}
	_, err = parseConfig(r.Format.Repository, r.owner, seen.Config, data)
	return err == nil, nil
}

// wasRolledSince reports whether a missing record was rolled up after the log was read: another
// process of this host may have seen a newer state.
func (r *Repository) wasRolledSince(ctx context.Context, log *Log, lane string, head head) (bool, error) {
	newest, err := r.rollSince(ctx, log.rolled)
	return err == nil && newest.vouches(lane, head.Hash, head.Sequence), err
}

// lost returns what the store had and has lost since: lanes, or "config". It leaves out what was
// reported before, and what is rolled up.
func (m *recollection) lost(log *Log, config *Config) []string {
	var lost []string
	for lane, head := range m.Lanes {
		if !head.Retired && !log.has(head.Hash) && !log.rolled.vouches(lane, head.Hash, head.Sequence) {
			lost = append(lost, lane)
		}
	}
	if config.Number < m.Config {
		lost = append(lost, "config")
	}
	slices.Sort(lost)
	return lost
}

// RolledBack returns what the store had when this host last looked and has lost since: lanes of
// records, or "config". A backup reports the same and continues in new lanes; afterwards RolledBack
// no longer names it.
func (l *Log) RolledBack() []string { return l.lost }

// next returns what to remember after log and config were seen. It keeps lost lanes; a lost config
// is reported once.
func (m *recollection) next(log *Log, config *Config, lost []string) *recollection {
	next := &recollection{Address: m.Address, Owner: m.Owner, Config: max(m.Config, config.Number), Lanes: map[string]head{}}
	if slices.Contains(lost, "config") {
		next.Config = config.Number
	}
	for lane, rec := range log.heads {
		next.Lanes[lane.String()] = head{Sequence: rec.Sequence, Hash: rec.Hash.String()}
	}
	for lane, old := range m.Lanes {
		if old.Retired || !log.has(old.Hash) && !log.rolled.vouches(lane, old.Hash, old.Sequence) {
			old.Retired = true
			next.Lanes[lane] = old
		}
	}
	return next
}

// remember stores what was seen. If that fails, the backup continues.
func (r *Repository) remember(seen *recollection) {
	if err := r.memories.keep(seen); err != nil {
		r.warn("cannot tell whether the storage is rolled back: %v", err)
	}
}

// has reports whether a record of this hash exists, even if it does not count.
func (l *Log) has(hash string) bool {
	name, err := archive.ParseName(hash)
	return err == nil && l.there[name]
}
