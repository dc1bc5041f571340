package count

import "sync/atomic"

// Rounds counts round trips that were waited for one after the other: the longest chain of calls
// each of which began when the one before it had ended. It may be used from several goroutines.
type Rounds struct{ longest atomic.Int64 }

// Begin tells the place of a call that begins now in its chain, for End.
func (r *Rounds) Begin() (place int64) { return r.longest.Load() + 1 }

// End ends a call.
func (r *Rounds) End(place int64) {
	for longest := r.longest.Load(); place > longest; longest = r.longest.Load() {
		if r.longest.CompareAndSwap(longest, place) {
			return
		}
	}
}

// Longest is how many calls the longest chain has.
func (r *Rounds) Longest() int64 { return r.longest.Load() }
