package metrics

import (
	"sync"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/memo"
)

// Counts are how many snapshots the sets of this host had when they were last counted, by repository
// and set, in a file that outlives the process. It is safe for concurrent use.
type Counts struct {
	path string

	mu sync.Mutex
	of map[string]map[string]int
}

// OpenCounts returns what the file at path says. If it cannot be read nothing is known, and err says
// why; the next count replaces it.
func OpenCounts(path string) (c *Counts, err error) {
	c = &Counts{path: path, of: map[string]map[string]int{}}
	return c, memo.Recall(path, &c.of)
}

// Replace stores how many snapshots a repository has, by set. Of other sets nothing is known any more.
func (c *Counts) Replace(repository string, counted map[string]int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[repository] = counted
	return memo.Remember(c.path, c.of)
}

// Fill adds to a set how many snapshots it has in that of these repositories which has most of them. A
// set that was counted in none stays as it is.
func (c *Counts) Fill(s *health.Set, repositories []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range repositories {
		if n, known := c.of[name][s.Name]; known {
			s.Snapshots, s.Counted = max(s.Snapshots, n), true
		}
	}
}
