package storetest

import (
	"math/rand/v2"
	"slices"
)

// Mishap is what may become of one call to a Simulation.
type Mishap int

// The mishaps. A caller who repeats the call gets over the first ones, the curable.
const (
	None       Mishap = iota
	Refused           // 500, 503 or SlowDown: nothing was done
	TimedOut          // no answer, and nothing was done
	LostAnswer        // no answer, and it was done
	Late              // no answer, and it is done when others have made some more calls
	Conflict          // of a Put: the store could not decide
	BrokenOff         // of a listing: it ends with an error after some objects

	Truncated // of a Get: the end of the bytes is missing, and nothing says so
	Repeated  // of a Get: the beginning of the bytes stands in the place of their end
	Flipped   // of a Get: one bit is another
	Garbled   // of a Put: other bytes arrived, and the store refuses them by their digest

	mishaps
)

// String returns the name.
func (m Mishap) String() string {
	return [...]string{"none", "refused", "timed out", "answer lost", "done late", "conflict", "listing broken off",
		"truncated", "repeated", "flipped", "garbled"}[m]
}

// Curable are the mishaps that end well if the call is repeated.
var Curable = []Mishap{Refused, TimedOut, LostAnswer, Late, Conflict, BrokenOff}

// Silent are the mishaps of which no error tells the caller, and those that no repetition cures.
var Silent = []Mishap{Truncated, Repeated, Flipped, Garbled}

// strikes reports whether a call of op can have the mishap.
func (m Mishap) strikes(op Op) bool {
	switch m {
	case Late:
		return op == Put || op == Delete || op == Extend || op == Overwrite
	case Garbled:
		return op == Put || op == Overwrite
	case Conflict:
		return op == Put
	case BrokenOff:
		return op == List || op == Versions
	case Truncated, Repeated, Flipped:
		return op == Get
	}
	return true
}

// Weather says what becomes of the calls of one client. The zero value is calm.
type Weather struct {
	Seed uint64
	Odds int      // one call in so many goes wrong; 0: none does
	Of   []Mishap // that may happen; nil: the curable ones
	// Expires is the call, from 1, from which on the credentials are no longer valid, or the process
	// is dead; 0: none.
	Expires int
}

// at returns what becomes of call n, from 1. It depends on nothing else.
func (w Weather) at(n int, op Op) (Mishap, *rand.Rand) {
	r := rand.New(rand.NewPCG(w.Seed, uint64(n)))
	if w.Odds == 0 || r.IntN(w.Odds) > 0 {
		return None, r
	}
	all := w.Of
	if all == nil {
		all = Curable
	}
	fitting := slices.DeleteFunc(slices.Clone(all), func(m Mishap) bool { return !m.strikes(op) })
	if len(fitting) == 0 {
		return None, r
	}
	return fitting[r.IntN(len(fitting))], r
}
