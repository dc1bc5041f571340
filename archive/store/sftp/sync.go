package sftp

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/pkg/sftp"
	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive/store"
)

// flushing is what is known of how a server flushes directories.
type flushing struct{ done, never atomic.Bool }

// Sync implements store.Store. After the server has failed, every later Sync fails too: a kernel
// reports a failed write only once, and then forgets it. If the server was unreachable, Sync may be
// repeated. A server that has never been able to flush a directory is not asked again.
func (s *Store) Sync(ctx context.Context) error {
	if err := s.syncing.Acquire(ctx, 1); err != nil { // a second Sync must wait for the first: its directories may be among the first's
		return fmt.Errorf("sync: %w", err)
	}
	defer s.syncing.Release(1)
	if err := s.tidying.Acquire(ctx, tidyings); err != nil { // temporary files are gone then, too
		return fmt.Errorf("sync: %w", err)
	}
	s.tidying.Release(tidyings)
	if s.failed != nil {
		return fmt.Errorf("sync after an earlier failure: %w", s.failed)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	changed := s.dirty.Take()
	for dir := range changed {
		g.Go(func() error { return s.flush(gctx, dir) })
	}
	err := g.Wait()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("sync: %w", err)
	if isAnswer(err) {
		s.failed = err
	}
	s.dirty.GiveBack(changed)
	return err
}

// flush makes the entries of a directory durable, if the server supports that.
func (s *Store) flush(ctx context.Context, dir string) error {
	if s.flushes.never.Load() {
		return nil
	}
	err := s.do(ctx, "flush", s.path(dir), func(c *sftp.Client) error { return flushDirectory(c, s.path(dir)) })
	switch {
	case err == nil:
		s.flushes.done.Store(true)
		return nil
	case errors.Is(err, store.ErrNotExist):
		return nil // someone removed it, and what was in it
	case isAnswer(err) && !s.flushes.done.Load():
		s.flushes.never.Store(true)
		return nil
	}
	return err
}

// flushDirectory opens a directory like a file, as the system call demands, and flushes it.
func flushDirectory(c *sftp.Client, dir string) error {
	d, err := c.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	_ = d.Close() // nothing was written
	return err
}

// Promises returns what the server cannot promise and packstone cannot make up for. It writes
// nothing.
func (s *Store) Promises(ctx context.Context) (doubts []string, err error) {
	err = s.do(ctx, "look at", s.path("."), func(c *sftp.Client) error {
		doubts = nil
		for _, name := range extensions {
			if _, ok := c.HasExtension(name); !ok {
				doubts = append(doubts, fmt.Sprintf("the server has no %s: it is good for reading alone", name))
			}
		}
		if len(doubts) > 0 {
			return nil
		}
		err := flushDirectory(c, s.path("."))
		if err != nil && !isAnswer(err) {
			return err
		}
		if err != nil {
			doubts = append(doubts, "the server does not flush directories: when its power fails, objects that were stored last may be gone")
		}
		return nil
	})
	return doubts, err
}

// Space returns how many bytes are free where the objects are, and how many there are in total. It
// fails with store.ErrInvalid if the server does not tell.
func (s *Store) Space(ctx context.Context) (free, total uint64, err error) {
	err = s.do(ctx, "look at", s.path("."), func(c *sftp.Client) error {
		if _, ok := c.HasExtension("statvfs@openssh.com"); !ok {
			return store.ErrInvalid
		}
		room, err := c.StatVFS(s.path("."))
		if err == nil {
			free, total = room.Bavail*room.Frsize, room.Blocks*room.Frsize
		}
		return err
	})
	return free, total, err
}
