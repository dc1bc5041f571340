package thaw

import (
	"context"
	"errors"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// Why a Gate lets nobody pass. Plan says what must be thawed.
var (
	// ErrFrozen: some packs must be thawed, and nobody has asked for that.
	ErrFrozen = errors.New("packs must be thawed first")
	// ErrThawing: the storage was asked to thaw them.
	ErrThawing = errors.New("packs are being thawed")
	// ErrNoClasses: a thaw is asked for where the storage archives nothing.
	ErrNoClasses = errors.New("the storage has no classes")
)

// Gate makes sure, before anything is changed, that what comes back can be read.
type Gate struct {
	Storage  store.Archiver // nil: it archives nothing
	Cold     bool           // packs are put where they must be thawed
	Contents func(ctx context.Context, put func([]archive.Chunk)) error
	DryRun   bool

	Ask  bool       // ask for a thaw
	How  store.Thaw // of which kind
	Wait bool       // until it is done
	// Asked is told how many packs the storage was asked to thaw, and Waiting now and then what is
	// waited for.
	Asked   func(packs int)
	Waiting func(left Plan)

	Plan  Plan                                             // what must be thawed, as far as somebody has looked
	pause func(ctx context.Context, d time.Duration) error // nil: as long as it takes
}

// Pass returns nil if all can be read, or what must be thawed is only to be told, since this is a
// dry run. Unless somebody asks for a thaw, a storage that is not cold is asked about one pack at
// most, and then only in a dry run.
func (g *Gate) Pass(ctx context.Context) error {
	switch {
	case g.Storage == nil && g.Ask:
		return ErrNoClasses
	case g.Storage == nil, !g.sure() && !g.DryRun:
		return nil
	}
	if err := g.look(ctx, g.sure()); err != nil || g.Plan.Packs == 0 || g.DryRun {
		return err
	}
	if !g.Ask {
		return ErrFrozen
	}
	asked, err := g.Plan.Ask(ctx, g.Storage, g.How)
	if asked > 0 {
		g.Asked(asked)
	}
	switch {
	case err != nil:
		return err
	case g.Wait:
		return g.Plan.Wait(ctx, g.Storage, g.await)
	}
	return ErrThawing
}

// sure tells whether it is known already that packs may have to be thawed.
func (g *Gate) sure() bool { return g.Ask || g.Cold }

// look finds out which packs of what comes back must be thawed. Unless sure is set, it asks about one
// pack first, and about the others only if that is of a class that needs a thaw.
func (g *Gate) look(ctx context.Context, sure bool) (err error) {
	var needs Needs
	if err := g.Contents(ctx, needs.Add); err != nil {
		return err
	}
	if sure {
		g.Plan, err = needs.Plan(ctx, g.Storage)
	} else {
		g.Plan, err = needs.PlanIfCold(ctx, g.Storage)
	}
	return err
}

// Explain returns ErrFrozen in the place of an error that says that a pack is archived, and finds
// out what else is.
func (g *Gate) Explain(ctx context.Context, err error) error {
	if !errors.Is(err, store.ErrArchived) || g.Storage == nil {
		return err
	}
	if failed := g.look(ctx, true); failed != nil || g.Plan.Packs == 0 {
		return errors.Join(err, failed)
	}
	return ErrFrozen
}

// between is how long a Gate waits before it looks again.
const between = 5 * time.Minute

// await waits until it is time to look again.
func (g *Gate) await(ctx context.Context, left Plan) error {
	g.Waiting(left)
	if g.pause != nil {
		return g.pause(ctx, between)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(between):
		return nil
	}
}
