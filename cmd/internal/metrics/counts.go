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

// Add stores how many snapshots a repository has, by set. Of other sets what was known stays.
func (c *Counts) Add(repository string, counted map[string]int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[repository] == nil {
		c.of[repository] = map[string]int{}
	}
	for set, n := range counted {
		c.of[repository][set] = n
	}
	return memo.Remember(c.path, c.of)
}

// Fill adds to a set how many snapshots it has in that of these repositories which has most of them.
func (c *Counts) Fill(s *health.Set, repositories []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range repositories {
		s.Snapshots = max(s.Snapshots, c.of[name][s.Name])
	}
}
