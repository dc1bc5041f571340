package keep

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive/store"
)

// batch is how many objects are extended before their locks are remembered.
const batch = 512

// extendAll lists again, extends what ends too early, and remembers it.
func (k *keeper) extendAll(ctx context.Context) error {
	listed, waiting := 0, make([]*object, 0, batch)
	written, err := k.memory.create()
	if err != nil {
		return err
	}
	defer written.close()
	for o, err := range k.objects(ctx, new(Count), &listed) {
		if err != nil {
			return err
		}
		if waiting = append(waiting, o); len(waiting) == batch {
			if err := k.extendSome(ctx, waiting, written); err != nil {
				return err
			}
			waiting = waiting[:0]
		}
	}
	k.report.Lists += 1 + listed/listPage
	if err := k.extendSome(ctx, waiting, written); err != nil {
		return err
	}
	return written.finish(k.report, k.now)
}

// extendSome extends what ends too early among some objects, at once, and remembers them in their
// order. What was done before a failure is remembered too.
func (k *keeper) extendSome(ctx context.Context, some []*object, to *writing) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(k.o.Parallel)
	for _, o := range some {
		if k.withhold && o.pack && !o.known {
			continue
		}
		g.Go(func() error { return k.keep(gctx, o) })
	}
	failed := g.Wait()
	for _, o := range some {
		k.count(o)
		if o.lock.Until.IsZero() || o.vanish {
			continue
		}
		if err := to.add(o.first.Name, o.first.ID, o.lock); err != nil {
			return errors.Join(failed, err)
		}
	}
	return errors.Join(failed, to.flush())
}

// keep makes sure that one object is locked for long enough.
func (k *keeper) keep(ctx context.Context, o *object) error {
	if !o.known || k.o.Ask {
		if err := k.ask(ctx, o); err != nil || o.vanish {
			return err
		}
	}
	if !k.due(o.lock) {
		return nil
	}
	err := k.extend(ctx, o)
	if errors.Is(err, store.ErrDenied) && !o.asked { // what was remembered may be wrong
		if failed := k.ask(ctx, o); failed != nil || o.vanish || !k.due(o.lock) {
			return failed
		}
		err = k.extend(ctx, o)
	}
	if errors.Is(err, store.ErrNotExist) {
		o.vanish = true // pruned since it was listed
		return nil
	}
	return err
}

// ask reads the lock of an object from the storage.
func (k *keeper) ask(ctx context.Context, o *object) error {
	lock, err := k.o.Locker.LockOf(ctx, o.first.Name, o.first.ID)
	o.asked = true
	if errors.Is(err, store.ErrNotExist) {
		o.vanish = true
		return nil
	}
	if err == nil {
		o.lock = lock
	}
	return err
}

// extend locks an object. A lock that is in force keeps its mode, which only a right that a keeper
// lacks could change.
func (k *keeper) extend(ctx context.Context, o *object) error {
	to := store.Lock{Mode: k.mode, Until: k.until}
	if o.lock.Mode != "" && o.lock.Until.After(k.now) {
		to.Mode = o.lock.Mode
	}
	if err := k.o.Locker.Extend(ctx, o.first.Name, o.first.ID, to); err != nil {
		return fmt.Errorf("extend the lock of %s: %w", o.first.Name, err)
	}
	o.lock, o.grown = to, true
	return nil
}

// count adds an object that was dealt with to the report.
func (k *keeper) count(o *object) {
	r := k.report
	if o.asked {
		r.Asked++
	}
	switch {
	case o.vanish:
		r.Gone.add(o.first.Size)
		return
	case k.due(o.lock): // withheld, or the run ended before its turn
		return
	case o.grown:
		r.Extended.add(o.first.Size)
	default:
		r.Kept.add(o.first.Size)
	}
	if r.Until.IsZero() || o.lock.Until.Before(r.Until) {
		r.Until = o.lock.Until
	}
	k.o.Progress.Done.Add(1)
	k.o.Progress.Bytes.Add(o.first.Size)
}
