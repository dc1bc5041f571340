package inflight

import "time"

// Sample is what one request shows about the connection.
type Sample struct {
	Ended   time.Duration // since some moment that is the same for all samples
	Took    time.Duration
	Bytes   int64
	Full    bool // as many requests were in flight as the limit allows
	Refused bool // the other side has too much to do, or did not answer in time
}

// Controller finds the best number of requests in flight. It doubles the number while that moves
// more. Then it tries a quarter more or a fifth less from time to time, and keeps the smallest
// number that moves about as much. It does not try a number that was refused again for a time,
// which grows.
//
// It decides in rounds. In each round about as many requests end as are in flight; it ignores
// rounds with fewer requests than the limit allows. It has no clock and does no I/O.
type Controller struct {
	limit, most int
	round       round
	best        float64       // work a second at the limit that is kept
	kept        int           // the limit that a trial is compared with; 0 where there was none yet
	trial       trial         //
	rounds      int           // that the trial has had
	calm        int           // rounds until the next trial
	patience    int           // rounds between trials, doubled while they are in vain
	ceiling     int           // was refused; 0: none
	shut        time.Duration // until then no trial goes to the ceiling
	penance     time.Duration // how long that was the last time
	started     bool
	changed     time.Duration // when the limit was: what began before tells how it was then
}

// trial is what the current round tests.
type trial int

const (
	doubling trial = iota
	keeping
	more
	less
)

// round is what ended since the last decision.
type round struct {
	begun      time.Duration
	ends, full int
	work       int64
}

const (
	// perRequest is the work that a request is in addition to its bytes, so that small requests
	// count too.
	perRequest = 64 << 10
	// shortestRound prevents decisions by chance.
	shortestRound = 50 * time.Millisecond

	gainOfDoubling = 1.25 // that makes the next doubling worth while; 2 at best
	gainOfMore     = 1.08 // of a quarter more
	lossOfLess     = 0.97 // at most, of a fifth less
	firstPatience  = 4
	mostPatience   = 64
	firstPenance   = 2 * time.Second
	mostPenance    = 2 * time.Minute
)

// NewController makes a controller that begins with first requests and never allows more than most.
func NewController(first, most int) *Controller {
	return &Controller{limit: max(1, min(first, most)), most: max(1, most), patience: firstPatience}
}

// Limit returns how many requests may be in flight.
func (c *Controller) Limit() int { return c.limit }

// Add accounts for a request that has ended, and returns the new limit.
func (c *Controller) Add(s Sample) int {
	if s.Refused {
		c.refused(s)
		return c.limit
	}
	r := &c.round
	switch {
	case !c.started:
		c.started, r.begun = true, s.Ended-s.Took
	case c.trial != doubling && s.Ended-s.Took < c.changed:
		*r = round{begun: s.Ended} // it tells how it was before
		return c.limit
	}
	r.ends++
	r.work += s.Bytes + perRequest
	if s.Full {
		r.full++
	}
	if r.ends < c.limit || s.Ended-r.begun < max(shortestRound, s.Took) {
		return c.limit
	}
	full, rate := 2*r.full > r.ends, float64(r.work)/(s.Ended-r.begun).Seconds()
	c.round = round{begun: s.Ended}
	if full {
		c.decide(rate, s.Ended)
	}
	return c.limit
}

// refused lowers the limit, once for all requests that were in flight together.
func (c *Controller) refused(s Sample) {
	if s.Ended-s.Took < c.changed && c.trial == keeping {
		return
	}
	c.ceiling = c.limit
	c.penance = min(max(firstPenance, 2*c.penance), mostPenance)
	c.shut = s.Ended + c.penance
	next := c.limit * 7 / 10
	if c.trial == more && c.kept < c.limit {
		next = c.kept // which was not refused
	}
	c.hold(max(1, next), s.Ended)
	c.best = 0
}

// hold keeps a limit until the next trial.
func (c *Controller) hold(limit int, now time.Duration) {
	c.kept, c.trial, c.calm = limit, keeping, c.patience
	c.change(limit, now)
}

func (c *Controller) change(limit int, now time.Duration) {
	if limit != c.limit {
		c.limit, c.changed = limit, now
	}
}

// decide compares the rate of the last round with the best one, and chooses what the next round
// tests.
func (c *Controller) decide(rate float64, now time.Duration) {
	switch c.trial {
	case doubling:
		c.doubled(rate, now)
	case keeping:
		c.best = mixed(c.best, rate)
		if c.calm--; c.calm <= 0 {
			c.try(now)
		}
	case more:
		c.judge(rate, rate >= c.best*gainOfMore, now)
	case less:
		c.judge(rate, rate >= c.best*lossOfLess, now)
	}
}

// mixed averages old and measured, so that the result follows the measurements slowly.
func mixed(old, measured float64) float64 {
	if old == 0 {
		return measured
	}
	return old + (measured-old)/4
}

func (c *Controller) doubled(rate float64, now time.Duration) {
	if c.kept > 0 && rate < c.best*gainOfDoubling {
		limit := c.limit
		if rate < c.best*lossOfLess {
			limit = c.kept // more is worse
		}
		c.best = max(c.best, rate)
		c.hold(limit, now)
		c.calm = 1 // maybe fewer do as well
		return
	}
	c.kept, c.best = c.limit, rate
	if c.limit == c.most {
		c.hold(c.limit, now)
		return
	}
	c.change(min(2*c.limit, c.most), now)
}

// try begins a trial, in turns with more and with fewer requests.
func (c *Controller) try(now time.Duration) {
	up := min(c.limit+max(1, c.limit/4), c.most)
	if c.ceiling > 0 && up >= c.ceiling && now < c.shut {
		up = c.ceiling - 1
	}
	c.rounds++
	if c.rounds%2 == 0 && up > c.limit {
		c.trial = more
		c.change(up, now)
	} else if c.limit > 1 {
		c.trial = less
		c.change(c.limit-max(1, c.limit/5), now)
	}
}

// judge ends a trial.
func (c *Controller) judge(rate float64, good bool, now time.Duration) {
	if good {
		c.patience, c.best = firstPatience, rate
		c.hold(c.limit, now)
		c.calm = 1
		return
	}
	c.patience = min(2*c.patience, mostPatience)
	c.hold(c.kept, now)
}
