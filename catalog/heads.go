package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/packstone/packstone/archive"
)

// headsFile is the cache's file of what this host has seen last.
const headsFile = "heads.json"

// recollection is what this host has seen last of a repository: the newest config and the last record of each lane. A store that knows
// less was rolled back.
type recollection struct {
	Config uint64          `json:"config"`
	Lanes  map[string]head `json:"lanes"`
}

// head is the last record of a lane.
type head struct {
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"`
	// Retired: the store has lost it. The lane is never written to again, since its records would have the names of those lost.
	Retired bool `json:"retired,omitempty"`
}

// recall reads the memory, which is empty on a host that has none or whose file is damaged.
func recall(cache *Cache) (*recollection, error) {
	m := &recollection{Lanes: map[string]head{}}
	data, err := cache.Read(headsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was seen last: %w", err)
	}
	if json.Unmarshal(data, m) != nil || m.Lanes == nil {
		return &recollection{Lanes: map[string]head{}}, nil
	}
	return m, nil
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
	next := &recollection{Config: config.Number, Lanes: map[string]head{}}
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

// remember keeps m. A cache that cannot be written to stops no backup.
func (r *Repository) remember(m *recollection) {
	data, err := json.Marshal(m)
	if err == nil {
		err = r.Cache.Write(headsFile, data)
	}
	if err != nil {
		r.warn("a roll-back of the storage would go unnoticed: %v", err)
	}
}

// has tells whether a record of this hash is there, whether or not it counts.
func (l *Log) has(hash string) bool {
	name, err := archive.ParseName(hash)
	return err == nil && l.there[name]
}
