package files

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive/disk"
)

// pauses are the times before the second try, the third, and so on: two and a half seconds in
// total, in which a server restarts its service or a cluster moves an export.
var pauses = []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}

// patience is the number of entries that may use all pauses in vain, one after the other.
// Afterwards each entry gets only one more look-up, so that a million files on a broken disk do not
// take a month.
const patience = 32

// passing reports whether a new look-up may cure err.
func passing(err error) bool {
	return disk.Passing(err) || errors.Is(err, unix.EIO) || exhausted(err)
}

// again calls try until it succeeds, or fails in a way that no look-up cures. After a failure it
// opens the directory at dir anew, and from the second failure on all directories, beginning at the
// roots. In the end it says if a root itself is gone.
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

// injected returns the fault that a test has set for a call.
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

// wait calls do, which may hang: a call to a server that is gone lasts until the server is back,
// and only SIGKILL ends it. If ctx ends first, wait abandons do, which must own everything that it
// uses.
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
