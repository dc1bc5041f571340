// Package sftp keeps a repository's objects in a directory of a server that speaks SFTP with two
// extensions of OpenSSH: hardlink@openssh.com and fsync@openssh.com. From a server without them it
// can only read.
//
// Put writes an object to tmp/<random>, flushes it there, and only then links it to its name: a
// link refuses a name that exists. So one writer wins, and no name ever leads to half an object,
// whenever either machine crashes. If the answer to a link is lost, the bytes under the name show
// whether it was ours. The names themselves are durable after Sync, which flushes every directory
// that has changed, if the server supports that: see Promises.
package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/sync/semaphore"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/internal/dirty"
)

// Sessions are several sessions with one server. Each serves many callers at once.
type Sessions interface {
	// Do calls f with a session, and again with another session if f returned the error of a broken
	// one; so f must be repeatable. drop breaks the session, for all its callers. Errors wrap the
	// server's answer, and sentinels: those of package store if they concern the server, those of
	// package fs if they concern the path.
	Do(ctx context.Context, act, path string, f func(c *sftp.Client, drop func()) error) error
}

// Options say where the objects are. Location is required.
type Options struct {
	Directory string // on the server; one that is relative lies below where a login begins
	Location  string // the address, for messages
	Create    bool   // make the directory where it is missing
}

const (
	tempDir  = "tmp"
	staleAge = 24 * time.Hour // of a file in tmp that no Put can still be writing
	// tidyings is how many temporary files and handles may wait for the server to give them up.
	tidyings = 16
	// grace is how long a request may go on after its context has ended, before its session is
	// broken off.
	grace = time.Second
	// slice is how many bytes are read or written between checks whether the caller still waits.
	slice = 4 << 20
)

// Store is a store.Store in one directory.
type Store struct {
	sessions Sessions
	options  Options
	tidying  *semaphore.Weighted
	clean    sync.Once

	dirty   dirty.Set           // since the last Sync
	syncing *semaphore.Weighted // held by the one Sync that runs
	flushes flushing            // whether the server flushes directories
	failed  error               // of the first Sync that failed
}

// New returns the store. It makes no request.
func New(sessions Sessions, o Options) *Store {
	return &Store{sessions: sessions, options: o, tidying: semaphore.NewWeighted(tidyings), syncing: semaphore.NewWeighted(1)}
}

// Location implements store.Store.
func (s *Store) Location() string { return s.options.Location }

// path returns where an object or directory lies on the server; "." is the store's own directory.
func (s *Store) path(name string) string { return path.Join(s.options.Directory, name) }

// do calls f with a session. If f goes on for long after ctx has ended, do breaks the session.
func (s *Store) do(ctx context.Context, act, file string, f func(c *sftp.Client) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.sessions.Do(ctx, act, file, func(c *sftp.Client, drop func()) error {
		done := make(chan struct{})
		defer close(done)
		stop := context.AfterFunc(ctx, func() {
			late := time.NewTimer(grace)
			defer late.Stop()
			select {
			case <-done:
			case <-late.C:
				drop()
			}
		})
		defer stop()
		return f(c)
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return translate(err)
}

// translate wraps an error of the server with the sentinel of package store.
func translate(err error) error {
	for _, t := range translations {
		if errors.Is(err, t.from) && !errors.Is(err, t.to) {
			return fmt.Errorf("%w: %w", t.to, err)
		}
	}
	return err
}

var translations = []struct{ from, to error }{
	{fs.ErrNotExist, store.ErrNotExist},
	{fs.ErrPermission, store.ErrDenied},
	{sftp.ErrSSHFxOpUnsupported, store.ErrInvalid},
}

// isAnswer reports whether err is an answer of the server, and not the error of a broken session.
func isAnswer(err error) bool {
	var status *sftp.StatusError
	if errors.As(err, &status) {
		return status.FxCode() != sftp.ErrSSHFxConnectionLost && status.FxCode() != sftp.ErrSSHFxNoConnection
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// check returns an error if name is invalid or ctx has ended.
func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !store.ValidName(name) {
		return store.ErrInvalid
	}
	return nil
}

// tidy calls give, which frees something on the server, while the caller continues. Only a few such
// calls may wait at a time; tidy skips the rest.
func (s *Store) tidy(ctx context.Context, give func()) {
	if err := s.tidying.Acquire(ctx, 1); err != nil {
		return // removeStale gets what this leaves
	}
	go func() {
		defer s.tidying.Release(1)
		give()
	}()
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return fmt.Errorf("delete %q: %w", name, err)
	}
	err := s.do(ctx, "delete", s.path(name), func(c *sftp.Client) error { return c.Remove(s.path(name)) })
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	s.dirty.Mark(path.Dir(name))
	return nil
}
