package target

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote"
)

// FromRemote wraps an error of a connection to a server with the matching sentinel of this package.
func FromRemote(err error) error {
	for _, pair := range []struct{ is, means error }{
		{remote.ErrUnreachable, ErrUnreachable}, {remote.ErrDenied, ErrDenied}, {remote.ErrUntrusted, ErrDenied}, {remote.ErrFull, ErrFull},
	} {
		if errors.Is(err, pair.is) && !errors.Is(err, pair.means) {
			return fmt.Errorf("%w: %w", pair.means, err)
		}
	}
	return err
}

// Unlisted returns a function that turns what a walk of a server could not list into remarks for a
// visitor.
func Unlisted(v Visitor) func(path string, err error) {
	return func(path string, err error) { v.Remark(path, fmt.Errorf("%w: %w", ErrUnlisted, err)) }
}

// RemoveSeveral removes entries: first, several at once, those that are not directories, then the
// directories one after the other, content before directory. remove must be safe for concurrent
// use.
func RemoveSeveral(ctx context.Context, parallel int, all []*entry.Entry, remove func(ctx context.Context, e *entry.Entry) error,
	failed func(e *entry.Entry, err error)) error {
	var mu sync.Mutex
	one := func(ctx context.Context, e *entry.Entry) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := remove(ctx, e)
		if err == nil || isFatal(err) {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		failed(e, err)
		return nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, parallel))
	for _, e := range all {
		if e.Type != entry.Directory {
			g.Go(func() error { return one(gctx, e) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, e := range all {
		if e.Type != entry.Directory {
			continue
		}
		if err := one(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// isFatal reports whether an error concerns the server as a whole.
func isFatal(err error) bool {
	return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrDenied) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded)
}
