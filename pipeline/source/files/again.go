package files

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive/disk"
)

// pauses come before the second try of what has failed, the third, and so on: two and a half
// seconds in all, in which a server restarts its service or a cluster moves an export.
var pauses = []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}

// patience is the number of entries that may take all pauses in vain, one after the other. After
// that one new look-up must do, so that a million files of a broken disk take no month.
const patience = 32

// passing tells whether err may go away with a new look-up.
func passing(err error) bool { return disk.Passing(err) || errors.Is(err, unix.EIO) }

// again calls try until it succeeds or fails with what no look-up cures. After a failure,
// directories are opened anew: the one at dir, and from the second failure on all, from the roots.
// In the end it says if a root itself is gone.
func (s *Source) again(ctx context.Context, dir string, try func() error) error {
	err := try()
	for i := 0; i < len(pauses) && passing(err); i++ {
		hasty := s.vain.Load() >= patience
		if hasty && i > 0 || !hasty && pause(ctx, pauses[i]) != nil {
			break
		}
		if i > 0 || hasty {
			dir = ""
		}
		s.tree.Forget(dir)
		err = try()
	}
	switch {
	case err == nil:
		s.vain.Store(0)
	case passing(err):
		s.vain.Add(1)
	}
	return s.explain(translate(err))
}

// injected is the fault that a test wants a call to have.
func (s *Source) injected(op, path string) error {
	if s.inject == nil {
		return nil
	}
	return s.inject(op, path)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait runs what may hang: a call to a server that is gone lasts until the server is back, and no
// signal but the last ends it. When ctx ends first, do is left to itself: what it uses must be its
// own.
func wait(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
