// Package dirty records the directories in which a store has changed names that are not durable
// yet.
package dirty

import (
	"maps"
	"path"
	"sync"
)

// Set is the directories, relative to the store's root, whose entries changed since they were
// taken. Its zero value is empty. It may be used from several goroutines.
type Set struct {
	mu      sync.Mutex
	changed map[string]bool
	known   map[string]bool // whose own entry in their parent is durable, or whose parent is in the set
}

// Mark notes that entries of dir changed. The first time it sees a directory it notes the parents
// too: whoever made them may not have flushed them.
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

// Made notes that dir was made anew, so that its parent has to be flushed again.
func (s *Set) Made(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, dir)
}

// Take empties the set and returns what was in it.
func (s *Set) Take() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.changed
	s.changed = nil
	return changed
}

// GiveBack puts back what was taken and could not be flushed.
func (s *Set) GiveBack(changed map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = map[string]bool{}
	}
	maps.Copy(s.changed, changed)
}
