package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

// drilled is what the last drill of a set has measured.
type drilled struct {
	RPO time.Duration `json:"rpo"`
	RTO time.Duration `json:"rto"`
}

// drills are what drills have measured, for metrics. Its methods are safe to call at once.
type drills struct {
	app  *app
	path string // of the file that remembers it

	mu sync.Mutex
	of map[string]drilled // by set
}

// newDrills remembers what the file at path says.
func newDrills(a *app, path string) *drills {
	d := &drills{app: a, path: path, of: map[string]drilled{}}
	if err := recall(path, &d.of); err != nil {
		a.Warn(fmt.Sprintf("cannot read what the last drills have measured, so the metrics lack it until the next ones: %v", err))
	}
	return d
}

// fill adds what the last drill of a set has measured.
func (d *drills) fill(s *health.Set) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.DrillRPO, s.DrillRTO = d.of[s.Name].RPO, d.of[s.Name].RTO
}

// add notes what a drill has measured.
func (d *drills) add(set string, measured drilled) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of[set] = measured
	if err := remember(d.path, d.of); err != nil {
		d.app.Warn(fmt.Sprintf("cannot remember what a drill has measured: %v", err))
	}
}

// sweepDrills removes what drills have left that were killed, perhaps with the daemon itself: it
// holds what was restored.
func (s *service) sweepDrills(ctx context.Context) {
	dirs, err := drillOptions{}.directories(s.settings)
	if err != nil {
		return // the directory is somebody else's, and the first drill will say so
	}
	for _, dir := range dirs {
		removed, err := drill.Clean(ctx, dir, s.scratchDatabases())
		for _, room := range removed {
			s.say("removed what a drill that was killed had left in %s", room)
		}
		if err != nil {
			s.Warn(err.Error())
		}
	}
}
