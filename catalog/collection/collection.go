// Package collection decides what a collector does next, and which packs a writer must not rely on.
// It does no I/O, and knows packs only as members of a set. So the search through every order of
// steps, in the tests of package catalog, drives the very code that deletes.
//
// In a round a collector scans what no live record needs, condemns it, lists the open sessions,
// waits for each or ends it, scans again, sweeps what is still not needed, and deletes it. A
// collector may stop at any step, for good or for a while, and others may continue its round
// meanwhile. So after each step that writes, it goes on with what is then in the store.
package collection

// Set is a set of packs. Add may change its receiver; the other methods do not.
type Set[S any] interface {
	Add(S) S
	Minus(S) S
	Empty() bool
}

// Round is what is below gc/<n>.
type Round[S Set[S]] struct {
	Condemned, Swept S
	Condemn, Sweep   bool // whether there is a condemnation, and a sweep
}

// Avoid adds to set what no writer must rely on, and returns it: packs that were swept, and packs
// that are condemned in rounds without a sweep.
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

// Collector is the state of a collector in a round. It is a value.
type Collector[S Set[S]] struct {
	Step  Step
	Packs S // to be condemned, then to be swept, then to be deleted
}

// Decided returns the state after reading what is below gc/<n>. The round may be new, abandoned by
// another collector, or in progress by another one.
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

// Scanned returns the state after the scan: which packs exist and which are needed.
func (c Collector[S]) Scanned(present, needed S) Collector[S] {
	c.Packs = present.Minus(needed)
	c.Step = Condemn
	if c.Packs.Empty() {
		c.Step = Done
	}
	return c
}

// Listed returns the state after the sessions were listed.
func (c Collector[S]) Listed() Collector[S] {
	c.Step = Drain
	return c
}

// Drained returns the state after all listed sessions have ended.
func (c Collector[S]) Drained() Collector[S] {
	c.Step = Rescan
	return c
}

// Rescanned returns the state after the second scan of what is needed.
func (c Collector[S]) Rescanned(needed S) Collector[S] {
	c.Packs, c.Step = c.Packs.Minus(needed), Sweep
	return c
}

// Swept returns the state after this collector's sweep was written.
func (c Collector[S]) Swept() Collector[S] { return c.deleting() }

// Rechecked returns the state after a scan of what is needed, before this collector deletes what
// another one has swept.
func (c Collector[S]) Rechecked(needed S) Collector[S] {
	c.Packs = c.Packs.Minus(needed)
	return c.deleting()
}

// Deleted returns the state after packs were deleted.
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
