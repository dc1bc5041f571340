// Package dirty records in which directories a store has changed names that are not durable yet.
package dirty

import (
	"maps"
	"path"
	"sync"
)

// Set is the directories, relative to the store's root, whose entries have changed since the last
// Take. Its zero value is empty. It is safe for concurrent use.
type Set struct {
	mu      sync.Mutex
	changed map[string]bool
	known   map[string]bool // whose own entry in their parent is durable, or whose parent is in the set
}

// Mark records that entries of dir have changed. When it sees a directory for the first time it
// marks the parents too: whoever made them may not have flushed them.
func (s *Set) Mark(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = map[string]bool{}
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	for {
		s.changed[dir] = true
		if s.known[dir] || dir == "." {
			return
		}
		s.known[dir] = true
		dir = path.Dir(dir)
	}
}

// Made records that dir was made again, so that its parent must be flushed again.
func (s *Set) Made(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, dir)
}

// Take returns the content of the set and empties it.
func (s *Set) Take() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.changed
	s.changed = nil
	return changed
}

// GiveBack returns directories to the set that could not be flushed.
func (s *Set) GiveBack(changed map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = map[string]bool{}
	}
	maps.Copy(s.changed, changed)
}
