package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/cmd/internal/output"
)

// silentFor is for how long nothing is said about storage that does not answer: most failures pass sooner.
const silentFor = 2 * time.Second

// patience tells a person that storage does not answer: one line, which on a terminal counts on, until it does.
type patience struct {
	out *output.Printer
	now func() time.Time

	mu    sync.Mutex
	where string    // the storage
	since time.Time // of the first failure; zero: the storage answers
	until time.Time // when it will be given up
	err   error     // the last failure
	told  bool
	timer *time.Timer
}

// failed takes a failure of the storage that is about to be tried again.
func (p *patience) failed(where string, e retry.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.where, p.err, p.until = where, e.Err, p.now().Add(e.Left)
	if p.since.IsZero() {
		p.since = p.now()
		p.timer = time.AfterFunc(silentFor, p.tell)
	}
}

// tell says what is wrong, and again each second.
func (p *patience) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return
	}
	p.told = true
	p.out.Waiting(fmt.Sprintf("%s does not answer, trying again for %s: %v", p.where, output.Duration(p.until.Sub(p.now())), p.err))
	p.timer = time.AfterFunc(time.Second, p.tell)
}

// answered ends the waiting.
func (p *patience) answered() {
	if waited := p.stop(); waited > 0 {
		p.out.Note("the storage answers again, after %s", output.Duration(waited))
	}
}

// end takes the line away before the program ends.
func (p *patience) end() { p.stop() }

// stop takes the line away, and returns for how long there was no answer if that was told.
func (p *patience) stop() (waited time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return 0
	}
	p.timer.Stop()
	if p.told {
		p.out.Waiting("")
		waited = p.now().Sub(p.since)
	}
	p.since, p.told = time.Time{}, false
	return waited
}
