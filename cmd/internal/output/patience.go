package output

import (
	"fmt"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store/retry"
)

// silentFor is how long unanswered requests are not reported: most failures pass sooner.
const silentFor = 2 * time.Second

// Patience reports that storage does not answer, in one line that counts on a terminal, until it
// answers.
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

// Failed records a failure of the storage that will be retried.
func (p *Patience) Failed(where string, e retry.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.where, p.err, p.until = where, e.Err, time.Now().Add(e.Left)
	if p.since.IsZero() {
		p.since = time.Now()
		p.timer = time.AfterFunc(silentFor, p.tell)
	}
}

// tell reports what is wrong, and again each second.
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

// End removes the line before the program ends.
func (p *Patience) End() { p.stop() }

// stop removes the line, and returns how long there was no answer, if that was reported.
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
