package thaw_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/pipeline/thaw"
)

// cold is a storage that has archived some packs. fail may refuse a call.
type cold struct {
	mu   sync.Mutex
	lies map[string]store.Standing
	fail func(call, name string) error
}

func (c *cold) Standing(_ context.Context, name string) (store.Standing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.lies[name]
	if !ok {
		return s, store.ErrNotExist
	}
	return s, c.failed("standing", name)
}

func (c *cold) Thaw(_ context.Context, name string, _ store.Thaw) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failed("thaw", name); err != nil {
		return err
	}
	s := c.lies[name]
	s.Thawing = true
	c.lies[name] = s
	return nil
}

func (c *cold) failed(call, name string) error {
	if c.fail == nil {
		return nil
	}
	return c.fail(call, name)
}

// finish ends the thaw of n packs.
func (c *cold) finish(n int) {
	for name, s := range c.lies {
		if s.Thawing && n > 0 {
			c.lies[name] = store.Standing{Class: s.Class}
			n--
		}
	}
}

// world has ten packs of a hundred bytes: five that are archived, one of which is thawing, three
// that are not, and one that is missing; and a pack of trees, which nobody asks about.
func world() (*cold, *thaw.Needs) {
	c, needs := &cold{lies: map[string]store.Standing{}}, &thaw.Needs{}
	for i := range 10 {
		p := &archive.Pack{Name: archive.Name{byte(i)}, Kind: archive.Data, Size: 100}
		chunk := archive.Chunk{Place: archive.Place{Pack: p}}
		needs.Add([]archive.Chunk{chunk, chunk, {Length: 5}})
		s := store.Standing{Class: "STANDARD"}
		if i < 5 {
			s = store.Standing{Class: "GLACIER", Frozen: true, Thawing: i == 0}
		}
		if i < 8 {
			c.lies[archive.Data.Object(p.Name)] = s
		}
	}
	needs.Add([]archive.Chunk{{Place: archive.Place{Pack: &archive.Pack{Name: archive.Name{99}, Kind: archive.Trees, Size: 7}}}})
	return c, needs
}

func TestAPlanCountsWhatIsArchivedAndAsksForTheRest(t *testing.T) {
	c, needs := world()
	plan, err := needs.Plan(t.Context(), c)
	if err != nil || plan.Packs != 5 || plan.Bytes != 500 || plan.Thawing != 1 || plan.String() != "5 packs (GLACIER)" {
		t.Errorf("plan = %v, %d packs, %d bytes, %d thawing, %v", plan, plan.Packs, plan.Bytes, plan.Thawing, err)
	}
	if asked, err := plan.Ask(t.Context(), c, store.Thaw{Days: 1}); asked != 4 || err != nil {
		t.Errorf("asked for %d, %v, want 4", asked, err)
	}
	if plan, err = needs.Plan(t.Context(), c); plan.Thawing != 5 || err != nil {
		t.Errorf("then %d are thawing, %v, want 5", plan.Thawing, err)
	}
}

func TestAskingAgainAfterAFailureAsksForTheRest(t *testing.T) {
	c, needs := world()
	plan, err := needs.Plan(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	refused := archive.Data.Object(archive.Name{3})
	c.fail = func(call, name string) error {
		if call == "thaw" && name == refused {
			return store.ErrUnreachable
		}
		return nil
	}
	if _, err := plan.Ask(t.Context(), c, store.Thaw{}); !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("a refused thaw: %v", err)
	}
	c.fail = nil
	if plan, err = needs.Plan(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Ask(t.Context(), c, store.Thaw{}); err != nil {
		t.Fatal(err)
	}
	if plan, err = needs.Plan(t.Context(), c); plan.Thawing != 5 || err != nil {
		t.Errorf("%d are thawing, %v, want 5", plan.Thawing, err)
	}
}

func TestWaitingEndsWhenAllIsThawed(t *testing.T) {
	c, needs := world()
	plan, err := needs.Plan(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Ask(t.Context(), c, store.Thaw{}); err != nil {
		t.Fatal(err)
	}
	var left []int
	err = plan.Wait(t.Context(), c, func(_ context.Context, p thaw.Plan) error {
		left = append(left, p.Packs)
		c.finish(2)
		return nil
	})
	if fmt.Sprint(left) != "[5 3 1]" || err != nil {
		t.Errorf("waited for %v, %v, want [5 3 1]", left, err)
	}
}

func TestFailuresEndThePlanAndTheWaiting(t *testing.T) {
	c, needs := world()
	plan, err := needs.Plan(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	if err := plan.Wait(t.Context(), c, func(context.Context, thaw.Plan) error { return stop }); err != stop {
		t.Errorf("a pause that ends it: %v", err)
	}
	c.fail = func(string, string) error { return store.ErrDenied }
	if err := plan.Wait(t.Context(), c, func(context.Context, thaw.Plan) error { return nil }); !errors.Is(err, store.ErrDenied) {
		t.Errorf("waiting where the storage refuses to answer: %v", err)
	}
	if _, err := needs.Plan(t.Context(), c); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a plan where the storage refuses to answer: %v", err)
	}
}

func TestASampleTellsWhetherPacksMustBeThawed(t *testing.T) {
	c, needs := &cold{lies: map[string]store.Standing{}}, &thaw.Needs{}
	if archived, err := needs.Sample(t.Context(), c); archived || err != nil {
		t.Errorf("of nothing: %v, %v", archived, err)
	}
	p := &archive.Pack{Name: archive.Name{1}, Kind: archive.Data}
	needs.Add([]archive.Chunk{{Place: archive.Place{Pack: p}}})
	for class, want := range map[store.Class]bool{"": false, "STANDARD": false, "GLACIER_IR": false, "GLACIER": true, "DEEP_ARCHIVE": true} {
		c.lies[archive.Data.Object(p.Name)] = store.Standing{Class: class}
		if archived, err := needs.Sample(t.Context(), c); archived != want || err != nil {
			t.Errorf("of class %q: %v, %v, want %v", class, archived, err, want)
		}
	}
}
