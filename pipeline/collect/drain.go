package collect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/sabotage"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// pollTime is the interval between checks whether sessions have ended.
const pollTime = 5 * time.Second

// drain waits until all listed sessions have ended. It ends dead ones: those of this host in which
// no process runs, and old ones. It fails with ErrBusy if others stay open.
func (c *collector) drain(ctx context.Context, listed []catalog.OpenSession) error {
	for waited := time.Duration(0); len(listed) > 0 && !sabotage.Has(sabotage.NoDrain); waited += pollTime {
		left, err := c.stillOpen(ctx, listed)
		if err != nil || len(left) == 0 {
			return err
		}
		if waited >= c.o.Wait {
			return c.busy(left)
		}
		if waited == 0 {
			c.warn("waiting for %s, running or killed: %s", entry.Plural(len(left), "backup"), objects(left))
		}
		if err := c.o.Pause(ctx, pollTime); err != nil {
			return err
		}
		listed = left
	}
	return nil
}

// stillOpen ends the dead sessions, and returns those that are open afterwards.
func (c *collector) stillOpen(ctx context.Context, listed []catalog.OpenSession) ([]catalog.OpenSession, error) {
	left, err := c.open(ctx, listed)
	if err != nil {
		return nil, err
	}
	dead := slices.DeleteFunc(slices.Clone(left), func(s catalog.OpenSession) bool { return !c.isDead(s) })
	if len(dead) == 0 {
		return left, nil
	}
	log, err := c.readLog(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range dead {
		if _, open := log.OpenSession(s.Object); !open {
			continue
		}
		if err := c.repo.EndSession(ctx, c.o.By, log, s); err != nil {
			return nil, err
		}
		c.report.Ended = append(c.report.Ended, s.Object)
	}
	return c.open(ctx, left)
}

// open returns the sessions that nothing has ended.
func (c *collector) open(ctx context.Context, listed []catalog.OpenSession) (left []catalog.OpenSession, err error) {
	log, err := c.readLog(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range listed {
		if _, open := log.OpenSession(s.Object); open {
			left = append(left, s)
		}
	}
	return left, nil
}

func (c *collector) isDead(s catalog.OpenSession) bool {
	return c.term.Now.Sub(s.Since) >= c.o.DeadAfter || c.repo.Dead(s)
}

func (c *collector) busy(left []catalog.OpenSession) error {
	return fmt.Errorf("%w: %s, since %s; stopped deleting; the next run continues", ErrBusy, objects(left), left[0].Since.Format(time.RFC3339))
}

func objects(open []catalog.OpenSession) string {
	var names []string
	for _, s := range open {
		names = append(names, s.Object)
	}
	return strings.Join(names, ", ")
}

func (c *collector) warn(format string, args ...any) {
	if c.o.Warn != nil {
		c.o.Warn(fmt.Sprintf(format, args...))
	}
}
