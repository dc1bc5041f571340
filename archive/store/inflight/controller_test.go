package inflight

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// link is a network and a server as far as requests notice them.
type link struct {
	roundTrip  time.Duration
	connection float64 // bytes a second that one connection moves at most
	all        float64 // bytes a second that all move together at most; 0: no bound
	refuses    int     // requests above so many are refused; 0: none
	overloaded int     // requests above so many make all slower than that many would be; 0: none
	jitter     float64 // share of a request's time by which it varies
}

// took is how long a request takes while so many are in flight.
func (l *link) took(bytes int64, busy int, r *rand.Rand) time.Duration {
	rate := l.connection
	if l.all > 0 {
		rate = min(rate, l.all/float64(busy))
	}
	seconds := l.roundTrip.Seconds() + float64(bytes)/rate
	if over := float64(busy) / float64(l.overloaded); l.overloaded > 0 && over > 1 {
		seconds *= over * over
	}
	return time.Duration(seconds * (1 + l.jitter*r.Float64()) * float64(time.Second))
}

// request is one in flight in a simulation.
type request struct {
	begun, ends time.Duration
	refused     bool
}

type requests []request

func (r requests) Len() int           { return len(r) }
func (r requests) Less(i, j int) bool { return r[i].ends < r[j].ends }
func (r requests) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *requests) Push(x any)        { *r = append(*r, x.(request)) }
func (r *requests) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}

// outcome is what a simulation has found.
type outcome struct {
	took              time.Duration
	limit, most       int
	requests, refused int // after the first minute
}

// move simulates the transfer of so many requests of a size, as many at once as limit says.
func (l *link) move(count int, bytes int64, limit func(Sample) int, first int) outcome {
	r, now, allowed := rand.New(rand.NewPCG(1, uint64(count))), time.Duration(0), first
	var flying requests
	var out outcome
	served := 0
	for left := count; left > 0 || len(flying) > 0; {
		for left > 0 && len(flying) < allowed {
			left--
			refused := l.refuses > 0 && served >= l.refuses
			took := l.roundTrip
			if !refused {
				served++
				took = l.took(bytes, served, r)
			}
			heap.Push(&flying, request{now, now + took, refused})
			out.most = max(out.most, len(flying))
		}
		done := heap.Pop(&flying).(request)
		now = done.ends
		if now > time.Minute {
			out.requests++
		}
		if done.refused {
			left++
			if now > time.Minute {
				out.refused++
			}
		}
		moved := int64(0)
		if !done.refused {
			served--
			moved = bytes
		}
		allowed = limit(Sample{Ended: now, Took: done.ends - done.begun, Bytes: moved, Full: len(flying)+1 >= allowed, Refused: done.refused})
	}
	out.took, out.limit = now, allowed
	return out
}

func (l *link) fixed(n, count int, bytes int64) outcome {
	return l.move(count, bytes, func(Sample) int { return n }, n)
}

func (l *link) adapted(count int, bytes int64) outcome {
	c := NewController(first, Most)
	return l.move(count, bytes, c.Add, c.Limit())
}

// best is the fixed number that is the fastest, of some.
func (l *link) best(count int, bytes int64) (n int, took time.Duration) {
	for _, try := range []int{1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, Most} {
		if out := l.fixed(try, count, bytes); n == 0 || out.took < took {
			n, took = try, out.took
		}
	}
	return n, took
}

var links = map[string]link{
	"a region away":            {roundTrip: 50 * time.Millisecond, connection: 20e6},
	"a region away, 1 Gbit":    {roundTrip: 50 * time.Millisecond, connection: 20e6, all: 125e6},
	"another continent":        {roundTrip: 200 * time.Millisecond, connection: 5e6},
	"in the same room":         {roundTrip: 2 * time.Millisecond, connection: 400e6, all: 800e6},
	"a thin line":              {roundTrip: 30 * time.Millisecond, connection: 5e6, all: 5e6},
	"a line that varies":       {roundTrip: 50 * time.Millisecond, connection: 20e6, all: 200e6, jitter: 1},
	"slow to answer each":      {roundTrip: 20 * time.Millisecond, connection: 1e9},
	"overloaded above 10":      {roundTrip: 50 * time.Millisecond, connection: 20e6, overloaded: 10},
	"refuses above 20":         {roundTrip: 50 * time.Millisecond, connection: 20e6, refuses: 20},
	"refuses above 3":          {roundTrip: 50 * time.Millisecond, connection: 20e6, refuses: 3},
	"refuses above 20, varies": {roundTrip: 50 * time.Millisecond, connection: 20e6, refuses: 20, jitter: 0.5},
}

func TestAnyLinkIsUsedNearlyAsWellAsByTheBestFixedNumber(t *testing.T) {
	for name, l := range links {
		for _, size := range []int64{20_000, 1 << 20, 4 << 20} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				count := 2000 + int(200<<20/size)
				n, best := l.best(count, size)
				got := l.adapted(count, size)
				t.Logf("%v, %d at the end, %d at most; best is %d with %v: %.2f", got.took, got.limit, got.most, n, best, got.took.Seconds()/best.Seconds())
				if got.took > best*3/2 {
					t.Errorf("took %v, more than 1.5 times %v, which %d take", got.took, best, n)
				}
			})
		}
	}
}

func TestLittleIsRefusedAfterAMinute(t *testing.T) {
	for name, l := range links {
		if l.refuses == 0 {
			continue
		}
		for _, size := range []int64{20_000, 1 << 20, 4 << 20} {
			got := l.adapted(60_000, size)
			if got.requests == 0 || got.refused*100 > got.requests*3 {
				t.Errorf("%s, %d bytes: %d of %d requests were refused after a minute, want at most 3 %%", name, size, got.refused, got.requests)
			}
			t.Logf("%s, %d bytes: %d of %d refused, limit %d", name, size, got.refused, got.requests, got.limit)
		}
	}
}
