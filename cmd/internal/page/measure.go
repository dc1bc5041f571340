package page

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/browse"
)

// measureTime bounds how long it is measured what each set takes.
const measureTime = 10 * time.Minute

var errMeasureTime = errors.New("it took more than ten minutes; packstone stats takes its time")

// measured is what was measured last of a repository, and what is being measured. It is safe for
// concurrent use.
type measured struct {
	mu sync.Mutex
	is weights
}

// weights are what sets take.
type weights struct {
	begun  time.Time // of the one at work; zero: none is
	at     time.Time // when the snapshots were read that were measured
	shares map[series]browse.Share
	frees  uint64
	err    error // why the last one failed
}

func (m *measured) state() weights {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.is
}

// start begins to measure, unless somebody does so already.
func (m *measured) start(p *Page, k *known, order []series) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.is.begun.IsZero() {
		return
	}
	m.is.begun, m.is.err = p.Now(), nil
	go func() {
		next, err := p.weigh(k, order)
		m.mu.Lock()
		defer m.mu.Unlock()
		if err != nil {
			next = m.is
			next.begun, next.err = time.Time{}, err
		}
		m.is = next
	}()
}

// weigh measures; one at a time, because it holds some bytes for each chunk.
func (p *Page) weigh(k *known, order []series) (m weights, err error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), measureTime, errMeasureTime)
	defer cancel()
	select {
	case p.weighing <- struct{}{}:
		defer func() { <-p.weighing }()
	case <-ctx.Done():
		return m, context.Cause(ctx)
	}
	var sets [][]*catalog.Snapshot
	for _, of := range order {
		sets = append(sets, k.of(of.set, of.host))
	}
	staying, going := k.parted()
	shares, _, err := browse.WeighBy(ctx, k.repo, sets, [][]*catalog.Snapshot{staying, going})
	if ctx.Err() != nil {
		return m, context.Cause(ctx)
	}
	if err != nil {
		return m, err
	}
	m = weights{at: k.at, shares: map[series]browse.Share{}, frees: shares[1][1].Alone}
	for i, of := range order {
		m.shares[of] = shares[0][i]
	}
	return m, nil
}
