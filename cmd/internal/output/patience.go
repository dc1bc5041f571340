package output

import (
	"fmt"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store/retry"
)

// silentFor is for how long nothing is said about storage that does not answer: most failures pass
// sooner.
const silentFor = 2 * time.Second

// Patience tells a person that storage does not answer: one line, which on a terminal counts on,
// until it does.
type Patience struct {
	Out *Printer

	mu    sync.Mutex
	where string    // the storage
	since time.Time // of the first failure; zero: the storage answers
	until time.Time // when it will be given up
	err   error     // the last failure
	told  bool
	timer *time.Timer
}

// Failed takes a failure of the storage that is about to be tried again.
func (p *Patience) Failed(where string, e retry.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.where, p.err, p.until = where, e.Err, time.Now().Add(e.Left)
	if p.since.IsZero() {
		p.since = time.Now()
		p.timer = time.AfterFunc(silentFor, p.tell)
	}
}

// tell says what is wrong, and again each second.
func (p *Patience) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return
	}
	p.told = true
	p.Out.Waiting(fmt.Sprintf("%s does not answer, trying again for %s: %v", p.where, Duration(time.Until(p.until)), p.err))
	p.timer = time.AfterFunc(time.Second, p.tell)
}

// Answered ends the waiting.
func (p *Patience) Answered() {
	if waited := p.stop(); waited > 0 {
		p.Out.Note("the storage answers again, after %s", Duration(waited))
	}
}

// End takes the line away before the program ends.
func (p *Patience) End() { p.stop() }

// stop takes the line away, and returns for how long there was no answer if that was told.
func (p *Patience) stop() (waited time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return 0
	}
	p.timer.Stop()
	if p.told {
		p.Out.Waiting("")
		waited = time.Since(p.since)
	}
	p.since, p.told = time.Time{}, false
	return waited
}
