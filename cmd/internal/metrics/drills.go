package metrics

import (
	"sync"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/memo"
)

// Drilled is what the last drill of a set has measured that came to its end.
type Drilled struct {
	RPO time.Duration `json:"rpo"` // how old the newest of what came back was
	RTO time.Duration `json:"rto"` // how long it took
}

// Drills are what drills have measured, by set, in a file that outlives the process. It is safe for
// concurrent use.
type Drills struct {
	path string

	mu sync.Mutex
	of map[string]Drilled
}

// OpenDrills returns what the file at path says. If it cannot be read nothing is known, and err
// says why; adding a drill replaces it.
func OpenDrills(path string) (d *Drills, err error) {
	d = &Drills{path: path, of: map[string]Drilled{}}
	return d, memo.Recall(path, &d.of)
}

// Add stores what a drill of a set has measured.
func (d *Drills) Add(set string, measured Drilled) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of[set] = measured
	return memo.Remember(d.path, d.of)
}

// Fill adds to a set what its last drill has measured.
func (d *Drills) Fill(s *health.Set) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.DrillRPO, s.DrillRTO = d.of[s.Name].RPO, d.of[s.Name].RTO
}
