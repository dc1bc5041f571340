package pipeline_test

import (
	"fmt"
	"slices"
	"sync"
)

// lived is what a history came to.
type lived struct {
	Operations, Refused, Faults, Calls int
	Set                                bool // a host had a set of sources
}

// lived says what the history came to.
func (h *chronicle) lived(set bool) *lived {
	l := &lived{Operations: h.steps, Refused: h.refused, Calls: h.sim.Calls() + h.second.Calls(), Set: set}
	for _, n := range h.sim.Mishaps() {
		l.Faults += n
	}
	return l
}

// tally counts what all histories have come to. It is safe for concurrent use.
type tally struct {
	mu                 sync.Mutex
	operations, faults []int // of each history
	refused, calls     int
	sets               int
}

// add counts a history that has ended.
func (c *tally) add(l *lived) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.operations, c.faults = append(c.operations, l.Operations), append(c.faults, l.Faults)
	c.refused += l.Refused
	c.calls += l.Calls
	if l.Set {
		c.sets++
	}
}

// String says it in one line.
func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%d histories (%d with a database and a lake), %d operations (median %d), %d of them refused or interrupted, "+
		"%d faults (median %d), %d calls of the storage", len(c.operations), c.sets, sum(c.operations), median(c.operations), c.refused,
		sum(c.faults), median(c.faults), c.calls)
}

func sum(all []int) (n int) {
	for _, one := range all {
		n += one
	}
	return n
}

func median(all []int) int {
	if len(all) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
