package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// memories are where this host keeps what it has seen of the repositories at one address: a file for each.
type memories struct {
	dir   *Cache
	file  string // of the repository that is open
	older *Cache // where earlier versions kept it, whatever the address
}

func openMemories(o Options, repository string) *memories {
	m := &memories{dir: OpenCache(o.Memory), file: repository + memoryFile, older: OpenCache(o.CacheDir)}
	if o.Memory == "" {
		m.dir = OpenCache(m.older.Path("seen"))
	}
	return m
}

const (
	memoryFile = ".json"
	olderFile  = "heads.json"
)

// recollection is what this host has seen last of a repository: its owner, the newest config and the last record of each lane. A store
// that knows less was rolled back.
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
	// Retired: the store has lost it. The lane is never written to again, since its records would have the names of those lost.
	Retired bool `json:"retired,omitempty"`
}

// recall reads the memory of the repository, which is empty on a host that has none or whose file is damaged.
func (m *memories) recall() (*recollection, error) {
	seen, err := readRecollection(m.dir, m.file)
	if err != nil || seen.Lanes != nil {
		return seen, err
	}
	older, err := readRecollection(m.older, olderFile)
	if err != nil {
		return nil, err
	}
	seen.Config, seen.Lanes = older.Config, older.Lanes
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

// keep replaces the memory of the repository.
func (m *memories) keep(seen *recollection) error {
	data, err := json.Marshal(seen)
	if err != nil {
		return fmt.Errorf("remember what was seen: %w", err)
	}
	return m.dir.Write(m.file, data)
}

// known are the repositories that this host has seen at the address, and their owners. What cannot be read pins nobody.
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

// meet remembers the owner of a repository that was found to be trusted. known are those that this host had seen at the address.
func (r *Repository) meet(known []crypto.OwnerPin) {
	if r.seen.Owner == r.owner.Text() {
		return
	}
	if len(known) > 0 {
		r.warn("there is another repository at this address than before: %s, of an owner who is trusted", r.Format.Repository)
	}
	r.seen.Owner, r.seen.Address = r.owner.Text(), r.Store.Location()
	if err := r.memories.keep(r.seen); err != nil && len(r.options.Keys.pins()) == 0 {
		r.warn("the repository's owner is not remembered, and has to be named again: %v", err)
	}
}

// lost names what the store had and has no more: lanes, or the config. What was found lost before is not named again. No roll-up or
// collection removes the head of a lane.
func (m *recollection) lost(log *Log, config *Config) []string {
	var lost []string
	for lane, head := range m.Lanes {
		if !head.Retired && !log.has(head.Hash) {
			lost = append(lost, lane)
		}
	}
	if config.Number < m.Config {
		lost = append(lost, "config")
	}
	slices.Sort(lost)
	return lost
}

// RolledBack names what the store had when this host last backed up, and has no more: lanes of records, or "config". A backup finds the
// same, goes on in new lanes, and from then on it is not named any more.
func (r *Repository) RolledBack(log *Log) []string { return r.seen.lost(log, r.Config) }

// next is the memory after log and config were seen. Lanes that are lost stay in it.
func (m *recollection) next(log *Log, config *Config) *recollection {
	next := &recollection{Address: m.Address, Owner: m.Owner, Config: config.Number, Lanes: map[string]head{}}
	for lane, rec := range log.heads {
		next.Lanes[lane.String()] = head{Sequence: rec.Sequence, Hash: rec.Hash.String()}
	}
	for lane, old := range m.Lanes {
		if old.Retired || !log.has(old.Hash) {
			old.Retired = true
			next.Lanes[lane] = old
		}
	}
	return next
}

// remember keeps what was seen. A memory that cannot be written to stops no backup.
func (r *Repository) remember(seen *recollection) {
	if err := r.memories.keep(seen); err != nil {
		r.warn("a roll-back of the storage would go unnoticed: %v", err)
	}
}

// has tells whether a record of this hash is there, whether or not it counts.
func (l *Log) has(hash string) bool {
	name, err := archive.ParseName(hash)
	return err == nil && l.there[name]
}
