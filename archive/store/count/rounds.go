package count

import "sync/atomic"

// Rounds counts round trips one after the other: the longest chain of calls of which each began
// when the one before had ended. It is safe for concurrent use.
type Rounds struct{ longest atomic.Int64 }

// Begin returns the place of a new call in its chain, to be passed to End.
func (r *Rounds) Begin() (place int64) { return r.longest.Load() + 1 }

// End ends a call.
func (r *Rounds) End(place int64) {
	for longest := r.longest.Load(); place > longest; longest = r.longest.Load() {
		if r.longest.CompareAndSwap(longest, place) {
			return
		}
	}
}

// Longest returns the length of the longest chain.
func (r *Rounds) Longest() int64 { return r.longest.Load() }
