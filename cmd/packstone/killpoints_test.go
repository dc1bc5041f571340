package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
)

// Each verb that writes is run once, and before and after each of its calls of the storage its
// whole machine is copied: as it would be if the program were killed there. Calls that change
// nothing leave the machine as it was, so many points share a copy. Each copy is then used as
// somebody would: the verb is typed again, then there are a backup and prunes, and everything must
// be as if nothing had happened.

// camera copies a place as it is at each point, unless it is as it was at the last one.
type camera struct {
	place  *place
	mu     sync.Mutex
	points int
	states []string
	last   [32]byte
}

func (c *camera) shoot() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.points++
	sum := c.place.sum()
	if sum == c.last {
		return
	}
	c.last = sum
	to := filepath.Join(filepath.Dir(c.place.dir), fmt.Sprintf("state%d", len(c.states)))
	c.place.copyTo(to)
	c.states = append(c.states, to)
}

// through is what stands between the program and its storage.
func (c *camera) through(s store.Store) store.Store {
	shoot := func(storetest.Op, string) error { c.shoot(); return nil }
	return &oneAtATime{Store: &storetest.Faulty{Store: s, Before: shoot, After: shoot}}
}

// oneAtATime lets one call begin when the last one has ended, so that there is a moment between any
// two.
type oneAtATime struct {
	store.Store
	mu sync.Mutex
}

func (s *oneAtATime) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Put(ctx, name, data, digest)
}

func (s *oneAtATime) Overwrite(ctx context.Context, name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Overwrite(ctx, s.Store, name, data)
}

func (s *oneAtATime) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Get(ctx, name, offset, length, dst)
}

func (s *oneAtATime) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		infos, err := s.listed(ctx, prefix, after)
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Info{}, err)
		}
	}
}

func (s *oneAtATime) listed(ctx context.Context, prefix, after string) (all []store.Info, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for info, err := range s.Store.List(ctx, prefix, after) {
		if err != nil {
			return all, err
		}
		all = append(all, info)
	}
	return all, nil
}

func (s *oneAtATime) Delete(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Delete(ctx, name)
}

func (s *oneAtATime) Sync(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Sync(ctx)
}

// resumes uses a place after a kill.
func (p *place) resumes(v killed) {
	if v.loses != nil {
		v.loses(p)
	}
	if !v.broken {
		p.isWhole()
	}
	again := v.again
	if again == nil {
		again = v.verb
	}
	if code, stdout, stderr := p.run(p.words(again)...); code != 0 && !slices.Contains(v.codes, code) {
		p.t.Errorf("%v again ends with %d\n%s%s", again, code, stdout, stderr)
	} else if code != 0 {
		p.t.Logf("%v again ends with %d: %s", again, code, strings.TrimSpace(stderr))
	}
	if v.kept != nil {
		v.kept(p)
	}
	p.must("backup", "set")
	p.isTidy()
	p.isWhole()
}

func TestSoakWhatIsKilledAtAnyCallOfTheStorageGoesOn(t *testing.T) {
	base := withSnapshots(t)
	saved := filepath.Join(filepath.Dir(base.dir), "base")
	base.copyTo(saved)
	points, states := 0, 0
	for i, v := range killedVerbs {
		t.Run(v.name, func(t *testing.T) {
			c := photographed(t, base, saved, v)
			for n, state := range c.states {
				if n%killStride == i%killStride || n == len(c.states)-1 && n < i%killStride {
					states++
					t.Run(fmt.Sprint(n), func(t *testing.T) { c.place.in(t, state).resumes(v) })
				}
			}
			points += c.points
			t.Logf("kill points %-28s %4d, in %3d different states", v.name, c.points, len(c.states))
		})
	}
	t.Logf("counted: kill points of %d verbs: %d; resumed %d states", len(killedVerbs), points, states)
}

// prepared is a copy of a place with what a verb needs.
func prepared(t *testing.T, base *place, saved string, v killed) *place {
	t.Helper()
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(base.dir), "state*")) // of a verb that has failed
	for _, dir := range append(left, saved+".next") {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	again := *base
	again.t, again.dir = t, saved
	again.copyTo(saved + ".next")
	p := base.in(t, saved+".next")
	if v.before != nil {
		v.before(p)
	}
	return p
}

// photographed runs a verb in a copy of a place.
func photographed(t *testing.T, base *place, saved string, v killed) *camera {
	t.Helper()
	p := prepared(t, base, saved, v)
	c := &camera{place: p}
	c.shoot()
	p.through = c.through
	p.must(p.words(v.verb)...)
	p.through = nil
	c.shoot()
	return c
}
