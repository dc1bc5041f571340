package backup

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
)

// publisher makes what a backup has uploaded known to others while the backup goes on, and learns
// what others have published. It is what lets an interrupted backup go on from there.
type publisher struct {
	usable  func(*archive.Pack) bool // whether a pack may be relied on
	session *catalog.Session
	index   *index.Index
	every   time.Duration

	mu    sync.Mutex
	fresh []archive.RunPack // uploaded and not published yet
	count int               // of chunks in them
	used  map[archive.Name]bool

	unfinished []*catalog.Unfinished // of sources that are slow to read
	slowSince  time.Time             // when the first of them began
	flush      func(context.Context) error
}

func newPublisher(usable func(*archive.Pack) bool, s *catalog.Session, index *index.Index, every time.Duration) *publisher {
	return &publisher{usable: usable, session: s, index: index, every: every, used: map[archive.Name]bool{}}
}

// add takes a pack that the store has acknowledged.
func (p *publisher) add(pack archive.RunPack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fresh = append(p.fresh, pack)
	p.count += pack.Directory.Len()
}

// take returns what is not published yet, which the caller publishes.
func (p *publisher) take() []archive.RunPack {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := p.fresh
	p.fresh, p.count = nil, 0
	return fresh
}

// giveBack undoes take.
func (p *publisher) giveBack(packs []archive.RunPack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fresh = append(packs, p.fresh...)
	for _, pack := range packs {
		p.count += pack.Directory.Len()
	}
}

// uses notes that the backup relies on a pack that was there before.
func (p *publisher) uses(pack *archive.Pack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[pack.Name] = true
}

// during runs work and publishes at intervals meanwhile. An error of either ends the other.
func (p *publisher) during(ctx context.Context, work func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	done := make(chan struct{})
	g.Go(func() error { return p.loop(ctx, done) })
	g.Go(func() error {
		defer close(done)
		return work(ctx)
	})
	return g.Wait()
}

func (p *publisher) loop(ctx context.Context, done chan struct{}) error {
	ticker := time.NewTicker(min(p.every, tick))
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-done:
			return nil
		case now := <-ticker.C:
			if now.Sub(last) < p.pause(now) && !p.hasMany() {
				continue
			}
			if err := p.publish(ctx); err != nil {
				return err
			}
			last = time.Now()
		}
	}
}

const (
	tick = 50 * time.Millisecond
	// soonest is how often at most there is a checkpoint of a source that is slow to read, and
	// worthwhile how many entries it is for at least.
	soonest    = 250 * time.Millisecond
	worthwhile = 32
	// many is how many chunks are published at once at most, or little more: an index run is
	// encoded in memory, some hundred bytes for each.
	many = 1 << 18
)

// hasMany reports whether so much has been uploaded that the next checkpoint comes at once.
func (p *publisher) hasMany() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count >= many
}

// pause is how long to wait between checkpoints. While a slow source is read, no more than a
// twentieth of its time is at stake.
func (p *publisher) pause(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.unfinished); n == 0 || p.unfinished[n-1].AtStake() < worthwhile {
		return p.every
	}
	return min(p.every, max(soonest, now.Sub(p.slowSince)/20))
}

// hurry has a slow source's entries bound to checkpoints, and those made sooner, of all that was
// read by then: flush uploads it.
func (p *publisher) hurry(u *catalog.Unfinished, flush func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.unfinished) == 0 {
		p.slowSince = time.Now()
	}
	p.unfinished, p.flush = append(p.unfinished, u), flush
}

// slow are the sources that are slow to read.
func (p *publisher) slow() ([]*catalog.Unfinished, func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unfinished, p.flush
}

// cut says that the next checkpoint is about what was captured so far.
func (p *publisher) cut() {
	all, _ := p.slow()
	for _, u := range all {
		u.Cut()
	}
}

// mark binds what was captured to the last checkpoint.
func (p *publisher) mark() {
	all, _ := p.slow()
	if name, ok := p.session.LastCheckpoint(); ok {
		for _, u := range all {
			u.Mark(name)
		}
	}
}

// close ends the use of what unfinished backups leave. committed: this one has come to its end.
func (p *publisher) close(committed bool) {
	all, _ := p.slow()
	for _, u := range all {
		u.Close(committed)
	}
}

// publish writes a checkpoint if there is anything to publish, and reads what others have.
func (p *publisher) publish(ctx context.Context) error {
	if slow, flush := p.slow(); len(slow) > 0 {
		p.cut()
		if err := flush(ctx); err != nil {
			return err
		}
	}
	packs := p.take()
	if len(packs) == 0 {
		p.mark() // what was captured lies in packs of earlier checkpoints
		return nil
	}
	if err := p.session.Checkpoint(ctx, packs, allOf(packs), p.relies); err != nil {
		p.giveBack(packs)
		return err
	}
	p.mark()
	p.index.SetFilter(p.usable)
	_, err := p.session.LoadIndex(ctx, p.index)
	return err
}

// relies tells whether the backup uses a pack that must be avoided by now. It may miss some, which
// the commit finds; what it finds need not be waited for.
func (p *publisher) relies(avoid *catalog.Avoid) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if avoid.Len() == 0 {
		return false
	}
	for name := range p.used {
		if avoid.Has(name) {
			return true
		}
	}
	return false
}

// rescueTime is how long an interrupted backup tries to publish what it has uploaded.
const rescueTime = 10 * time.Second

// rescue ends the session of a backup that has failed, so that the next one finds what was
// uploaded. It does what it can.
func (p *publisher) rescue(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rescueTime)
	defer cancel()
	packs := p.take()
	if p.session.End(ctx, packs, allOf(packs)) == nil && len(packs) > 0 {
		p.mark()
	}
}

// allOf refers to every chunk of packs.
func allOf(packs []archive.RunPack) *archive.RefSet {
	refs := &archive.RefSet{}
	for _, p := range packs {
		for ordinal := range p.Directory.Len() {
			refs.Add(p.Pack, uint32(ordinal))
		}
	}
	return refs
}
