// Package collection decides what a collector does next, and which packs a writer must not rely on.
// It is pure, and knows packs as members of a set only, so that the search through every order of
// steps (in the tests of package catalog) drives the very code that deletes.
//
// A round goes so: scan what no live record needs, condemn it, list the sessions that are open,
// wait for each or end it, scan again, sweep what is still not needed, delete. A collector may stop
// anywhere, for good or for a while, and others may go on with its round meanwhile. So whatever it
// puts, what lies there afterwards counts.
package collection

// Set is a set of packs. Add may change the set that it is called on; the others do not.
type Set[S any] interface {
	Add(S) S
	Minus(S) S
	Empty() bool
}

// Round is what lies below gc/<n>.
type Round[S Set[S]] struct {
	Condemned, Swept S
	Condemn, Sweep   bool // whether there is a condemnation, and a sweep
}

// Avoid adds to a set what no writer must rely on: what was swept, and what is condemned where no
// sweep has decided yet. It returns the set.
func Avoid[S Set[S]](set S, rounds ...Round[S]) S {
	for _, r := range rounds {
		switch {
		case r.Sweep:
			set = set.Add(r.Swept)
		case r.Condemn:
			set = set.Add(r.Condemned)
		}
	}
	return set
}

// Step is what a collector does next.
type Step uint8

// The steps, in their order.
const (
	Scan    Step = iota // read what is there and what is needed, then Scanned
	Condemn             // put the condemnation, then Decided by what lies there
	List                // read the config again, list the sessions, then Listed
	Drain               // wait until each of them has ended, or end it, then Drained
	Rescan              // read the config again and what is needed, then Rescanned
	Sweep               // put the sweep, then Swept or, if another's lies there, Decided by it
	Recheck             // read the config again and what is needed, then Rechecked
	Delete              // delete pack after pack, each then Deleted
	Done
)

// Collector is where a collector stands in a round. It is a value.
type Collector[S Set[S]] struct {
	Step  Step
	Packs S // to be condemned, then to be swept, then to be deleted
}

// Decided is how a collector goes on by what lies below gc/<n>: with a round that nobody has begun,
// or with one that somebody else has left, or is at work at too.
func (c Collector[S]) Decided(r Round[S]) Collector[S] {
	var none S
	switch {
	case r.Sweep:
		return Collector[S]{Recheck, r.Swept}
	case r.Condemn:
		return Collector[S]{List, r.Condemned}
	}
	return Collector[S]{Scan, none}
}

// Scanned takes in what is there and what is needed.
func (c Collector[S]) Scanned(present, needed S) Collector[S] {
	c.Packs = present.Minus(needed)
	c.Step = Condemn
	if c.Packs.Empty() {
		c.Step = Done
	}
	return c
}

// Listed goes on to wait.
func (c Collector[S]) Listed() Collector[S] {
	c.Step = Drain
	return c
}

// Drained goes on when none of the sessions that were listed is open any more.
func (c Collector[S]) Drained() Collector[S] {
	c.Step = Rescan
	return c
}

// Rescanned takes in what is needed by now.
func (c Collector[S]) Rescanned(needed S) Collector[S] {
	c.Packs, c.Step = c.Packs.Minus(needed), Sweep
	return c
}

// Swept goes on when the sweep that this collector has put lies there.
func (c Collector[S]) Swept() Collector[S] { return c.deleting() }

// Rechecked takes in what is needed, before what another has swept is deleted.
func (c Collector[S]) Rechecked(needed S) Collector[S] {
	c.Packs = c.Packs.Minus(needed)
	return c.deleting()
}

// Deleted takes in that packs are gone.
func (c Collector[S]) Deleted(packs S) Collector[S] {
	c.Packs = c.Packs.Minus(packs)
	return c.deleting()
}

func (c Collector[S]) deleting() Collector[S] {
	c.Step = Delete
	if c.Packs.Empty() {
		c.Step = Done
	}
	return c
}
