package catalog

import (
	"slices"
	"sync"
	"time"

	"github.com/packstone/packstone/archive"
)

// remembered holds the records that this process has read and accepted under one config, and the
// snapshots that it has opened, since a collector and a page read the log several times. A nil one
// remembers nothing.
type remembered struct {
	mu        sync.Mutex
	config    string // hash
	records   map[string]Record
	snapshots map[archive.Name]Snapshot // as their writers have sealed them
}

// rememberRecords returns nil if every reading must look at the storage itself.
func rememberRecords(o Options) *remembered {
	if o.Bypass {
		return nil
	}
	return &remembered{records: map[string]Record{}, snapshots: map[archive.Name]Snapshot{}}
}

// snapshot returns a snapshot as its writer has sealed it, nil if it was not opened yet. The caller
// may change it, but not what is below its sources.
func (m *remembered) snapshot(hash archive.Name) *Snapshot {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, known := m.snapshots[hash]
	if !known {
		return nil
	}
	s.Sources = slices.Clone(s.Sources)
	return &s
}

// keepSnapshot remembers a snapshot as its writer has sealed it.
func (m *remembered) keepSnapshot(hash archive.Name, s *Snapshot) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	sealed := *s
	sealed.Sources = slices.Clone(s.Sources)
	m.snapshots[hash] = sealed
}

// record returns the record with a name as it was accepted under a config, nil if it was not read
// yet.
func (m *remembered) record(config *Config, name string, stored time.Time) *Record {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, known := m.records[name]
	if !known || m.config != config.hash {
		return nil
	}
	rec.Stored = stored
	return &rec
}

// keep remembers a record that was accepted under a config. The record must not be dated yet.
func (m *remembered) keep(config *Config, rec *Record) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.config != config.hash {
		m.config = config.hash
		m.records = map[string]Record{}
	}
	m.records[rec.Name()] = *rec
}
