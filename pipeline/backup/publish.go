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

// publisher makes what a backup has uploaded known to others while the backup goes on, and learns what others have published. It is
// what lets an interrupted backup go on from there.
type publisher struct {
	usable  func(*archive.Pack) bool // whether a pack may be relied on
	session *catalog.Session
	index   *index.Index
	every   time.Duration

	mu    sync.Mutex
	fresh []archive.RunPack // uploaded and not published yet
	used  map[archive.Name]bool
}

func newPublisher(usable func(*archive.Pack) bool, s *catalog.Session, index *index.Index, every time.Duration) *publisher {
	return &publisher{usable: usable, session: s, index: index, every: every, used: map[archive.Name]bool{}}
}

// add takes a pack that the store has acknowledged.
func (p *publisher) add(pack archive.RunPack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fresh = append(p.fresh, pack)
}

// take returns what is not published yet, which the caller publishes.
func (p *publisher) take() []archive.RunPack {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := p.fresh
	p.fresh = nil
	return fresh
}

// giveBack undoes take.
func (p *publisher) giveBack(packs []archive.RunPack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fresh = append(packs, p.fresh...)
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
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-done:
			return nil
		case <-ticker.C:
			if err := p.publish(ctx); err != nil {
				return err
			}
		}
	}
}

// publish writes a checkpoint if there is anything to publish, and reads what others have.
func (p *publisher) publish(ctx context.Context) error {
	packs := p.take()
	if len(packs) == 0 {
		return nil
	}
	if err := p.session.Checkpoint(ctx, packs, allOf(packs), p.relies); err != nil {
		p.giveBack(packs)
		return err
	}
	p.index.SetFilter(p.usable)
	_, err := p.session.LoadIndex(ctx, p.index)
	return err
}

// relies tells whether the backup uses a pack that must be avoided by now. It may miss some, which the commit finds; what it finds need not be
// waited for.
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

// rescue ends the session of a backup that has failed, so that the next one finds what was uploaded. It does what it can.
func (p *publisher) rescue(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rescueTime)
	defer cancel()
	packs := p.take()
	_ = p.session.End(ctx, packs, allOf(packs))
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
