package notice

import (
	"context"
	"fmt"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/memo"
)

// Teller sends notices beside other work, so that a server that does not answer keeps nobody
// waiting, and remembers in a file what was told. What it cannot send it warns of. Update and Ping
// are for one goroutine, and no longer for any after Close.
type Teller struct {
	path   string
	warn   func(text string) // from a goroutine of its own
	memory Memory            // of that goroutine
	queue  chan func(ctx context.Context)
	done   chan struct{}
	stop   context.CancelFunc
}

// How much may wait to be told, and for how long Close waits for it.
const (
	queued    = 64
	lastWords = 30 * time.Second
)

// NewTeller remembers what was told, as far as the file at path says. warn must be safe to call at
// any time. Close must be called.
func NewTeller(path string, warn func(text string)) *Teller {
	ctx, cancel := context.WithCancel(context.Background()) // what happens at the end is told too
	t := &Teller{path: path, warn: warn, queue: make(chan func(context.Context), queued), done: make(chan struct{}), stop: cancel}
	if err := memo.Recall(path, &t.memory); err != nil {
		warn(fmt.Sprintf("cannot remember earlier notices, so they are sent again: %v", err))
	}
	go func() {
		defer close(t.done)
		for tell := range t.queue {
			tell(ctx)
		}
	}()
	return t
}

// Close waits for what is left to be told, but for half a minute at most.
func (t *Teller) Close() {
	timer := time.AfterFunc(lastWords, t.stop)
	close(t.queue)
	<-t.done
	timer.Stop()
	t.stop()
}

// Update has told what has changed about sets, as they are at now.
func (t *Teller) Update(sender *Sender, sets []health.Set, now time.Time) {
	if !sender.Any() {
		return
	}
	t.later(func(ctx context.Context) []Delivery {
		deliveries := sender.Update(ctx, &t.memory, sets, now)
		if len(deliveries) > 0 {
			t.remember()
		}
		return deliveries
	})
}

// Ping tells who waits for pings of a set that a run of it begins or has ended; see Sender.Ping.
func (t *Teller) Ping(sender *Sender, set string, phase Phase, tail string) {
	if sender.Any() {
		t.later(func(ctx context.Context) []Delivery { return sender.Ping(ctx, set, phase, tail) })
	}
}

// later has something told when its turn comes. Where too much waits already it is left out: how
// sets are is told again each minute.
func (t *Teller) later(tell func(ctx context.Context) []Delivery) {
	select {
	case t.queue <- func(ctx context.Context) { t.complain(tell(ctx)) }:
	default:
	}
}

// complain warns of what did not arrive.
func (t *Teller) complain(deliveries []Delivery) {
	for _, d := range deliveries {
		if d.Err != nil {
			t.warn(d.String())
		}
	}
}

func (t *Teller) remember() {
	if err := memo.Remember(t.path, &t.memory); err != nil {
		t.warn(fmt.Sprintf("remember what was told: %v", err))
	}
}
