package keep

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

// Inspection is what the storage says about locks.
type Inspection struct {
	store.Protection
	Needed, Extra Count
	Asked         int       // objects that were asked about: a random sample of those that a restore needs
	Until         time.Time // the earliest end of a lock, zero if something is not locked
	Short         []string  // objects whose lock ends before the horizon less the slack, or that have none, in order
	Overwritten   int
	Wanted        time.Time // the horizon less the slack
}

// Inspect asks the storage for the locks of at most most objects that a restore needs, whatever is
// remembered. It fails with ErrUnlocked, and a Protection, if the storage does not lock objects.
func Inspect(ctx context.Context, repo *catalog.Repository, o Options, most int) (*Inspection, error) {
	if o.Mode == "" {
		o.Mode = store.Governance // none is made
	}
	k := &keeper{o: o.withDefaults(), report: &Report{}}
	found := &Inspection{}
	var err error
	if found.Protection, err = k.o.Locker.Protection(ctx); err != nil {
		return found, err
	}
	if err := k.prepare(ctx, repo); err != nil {
		return found, err
	}
	if k.report.OnlyKnown {
		return found, k.report.Doubt
	}
	k.memory = memory{}
	found.Wanted = k.until.Add(-k.o.Slack)
	sample, err := k.sample(ctx, found, most)
	if err != nil {
		return found, err
	}
	return found, k.askAll(ctx, found, sample)
}

// sample chooses objects at random, each with the same chance.
func (k *keeper) sample(ctx context.Context, found *Inspection, most int) (sample []*object, err error) {
	for o, err := range k.objects(ctx, &found.Extra, new(int)) {
		if err != nil {
			return nil, err
		}
		found.Needed.add(o.first.Size)
		if o.covered {
			found.Overwritten++
		}
		if len(sample) < most {
			sample = append(sample, o)
		} else if i := rand.IntN(found.Needed.Objects); i < most {
			sample[i] = o
		}
	}
	return sample, nil
}

func (k *keeper) askAll(ctx context.Context, found *Inspection, sample []*object) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(k.o.Parallel)
	for _, o := range sample {
		g.Go(func() error { return k.ask(gctx, o) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, o := range sample {
		if o.vanish {
			continue
		}
		found.Asked++
		if k.due(o.lock) {
			found.Short = append(found.Short, o.first.Name)
		}
		if i == 0 || o.lock.Until.Before(found.Until) {
			found.Until = o.lock.Until
		}
	}
	slices.SortFunc(found.Short, strings.Compare)
	return nil
}
