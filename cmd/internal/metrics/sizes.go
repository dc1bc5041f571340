package metrics

import (
	"sync"
	"time"

	"github.com/packstone/packstone/cmd/internal/memo"
)

// Sizes are how large repositories were, by their names in the settings, in a file that outlives
// the process. It is safe for concurrent use.
type Sizes struct {
	path string

	mu sync.Mutex
	of map[string][]Size // oldest first
}

// OpenSizes returns the sizes in the file at path. If the file cannot be read there are none, and
// err says why; adding one replaces it.
func OpenSizes(path string) (s *Sizes, err error) {
	s = &Sizes{path: path, of: map[string][]Size{}}
	return s, memo.Recall(path, &s.of)
}

// Of returns the sizes of a repository, the oldest first. The caller does not change them.
func (s *Sizes) Of(repository string) []Size {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[repository]
}

// Add stores the size of a repository; see AddSize.
func (s *Sizes) Add(repository string, size Size) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[repository] = AddSize(s.of[repository], size)
	return memo.Remember(s.path, s.of)
}

// measureAgain is how long the size of a repository counts as known.
const measureAgain = time.Hour

// Known reports whether the size of a repository was stored within the hour before now.
func (s *Sizes) Known(repository string, now time.Time) bool {
	before := s.Of(repository)
	return len(before) > 0 && now.Sub(before[len(before)-1].At).Abs() < measureAgain
}
