// Package thaw finds out which packs the storage has archived of those that somebody wants to read,
// asks the storage to thaw them, and waits for it. Metadata is never archived, so that a plan reads
// no pack.
package thaw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// atOnce is how many requests are in flight.
const atOnce = 16

// Needs are the packs that hold what somebody wants to read. The zero value has none.
type Needs struct {
	packs map[archive.Name]*archive.Pack
}

// Add adds the packs of some chunks.
func (n *Needs) Add(chunks []archive.Chunk) {
	if n.packs == nil {
		n.packs = map[archive.Name]*archive.Pack{}
	}
	for _, c := range chunks {
		if p := c.Place.Pack; p != nil && p.Kind == archive.Data {
			n.packs[p.Name] = p
		}
	}
}

// Sample reports whether one of the packs lies in a class whose objects must be thawed.
func (n *Needs) Sample(ctx context.Context, storage store.Archiver) (bool, error) {
	for _, p := range n.packs {
		all, err := standingsOf(ctx, storage, []*archive.Pack{p})
		return err == nil && (all[0].Frozen || all[0].Class.NeedsThaw()), err
	}
	return false, nil
}

// Plan returns what of it must be thawed. It asks the storage about each pack.
func (n *Needs) Plan(ctx context.Context, storage store.Archiver) (Plan, error) {
	var all []*archive.Pack
	for _, p := range n.packs {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *archive.Pack) int { return slices.Compare(a.Name[:], b.Name[:]) })
	return planOf(ctx, storage, all)
}

// PlanIfCold is Plan where one of the packs lies in a class whose objects must be thawed; else nothing
// must be, and it asks about no other.
func (n *Needs) PlanIfCold(ctx context.Context, storage store.Archiver) (Plan, error) {
	if cold, err := n.Sample(ctx, storage); !cold || err != nil {
		return Plan{}, err
	}
	return n.Plan(ctx, storage)
}

// Plan is what must be thawed before something can be read. The zero value is nothing.
type Plan struct {
	Packs   int   // that cannot be read now
	Bytes   int64 // of these
	Thawing int   // of these, which the storage is thawing already
	Classes []store.Class

	frozen  []*archive.Pack
	unasked []*archive.Pack // of frozen
}

// String tells the packs: "12 packs (GLACIER)".
func (p Plan) String() string {
	names := make([]string, len(p.Classes))
	for i, class := range p.Classes {
		names[i] = class.String()
	}
	unit := "packs"
	if p.Packs == 1 {
		unit = "pack"
	}
	return fmt.Sprintf("%d %s (%s)", p.Packs, unit, strings.Join(names, ", "))
}

// planOf asks how packs lie. A pack that is not there is no matter of a thaw.
func planOf(ctx context.Context, storage store.Archiver, packs []*archive.Pack) (Plan, error) {
	var plan Plan
	standings, err := standingsOf(ctx, storage, packs)
	for i, s := range standings {
		if !s.Frozen {
			continue
		}
		plan.Packs++
		plan.Bytes += int64(packs[i].Size)
		plan.frozen = append(plan.frozen, packs[i])
		if s.Thawing {
			plan.Thawing++
		} else {
			plan.unasked = append(plan.unasked, packs[i])
		}
		if !slices.Contains(plan.Classes, s.Class) {
			plan.Classes = append(plan.Classes, s.Class)
		}
	}
	return plan, err
}

func standingsOf(ctx context.Context, storage store.Archiver, packs []*archive.Pack) ([]store.Standing, error) {
	all := make([]store.Standing, len(packs))
	err := each(ctx, packs, func(ctx context.Context, i int) (err error) {
		all[i], err = storage.Standing(ctx, packs[i].Kind.Object(packs[i].Name))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find out what must be thawed: %w", err)
	}
	return all, nil
}

// Ask asks the storage to thaw what it is not thawing yet, and returns for how many packs it has
// asked. What was asked for before an error stays so; asking again asks for the rest.
func (p Plan) Ask(ctx context.Context, storage store.Archiver, how store.Thaw) (asked int, err error) {
	var mu sync.Mutex
	err = each(ctx, p.unasked, func(ctx context.Context, i int) error {
		if err := storage.Thaw(ctx, p.unasked[i].Kind.Object(p.unasked[i].Name), how); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		asked++
		return nil
	})
	return asked, err
}

// Wait returns when all can be read. Between two looks it calls pause with what is left; an error of
// pause ends it.
func (p Plan) Wait(ctx context.Context, storage store.Archiver, pause func(ctx context.Context, left Plan) error) error {
	for p.Packs > 0 {
		if err := pause(ctx, p); err != nil {
			return err
		}
		left, err := planOf(ctx, storage, p.frozen)
		if err != nil {
			return err
		}
		p = left
	}
	return nil
}

// each calls do for each pack, several at once. It passes over packs that are not there, which
// whoever reads them tells.
func each(ctx context.Context, packs []*archive.Pack, do func(ctx context.Context, i int) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range packs {
		g.Go(func() error {
			if gctx.Err() != nil {
				return context.Cause(gctx)
			}
			if err := do(gctx, i); err != nil && !errors.Is(err, store.ErrNotExist) {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}
