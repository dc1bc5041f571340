package sftp

import (
	"context"
	"errors"
	"fmt"

	"github.com/pkg/sftp"

	"github.com/packstone/packstone/archive/store"
)

// Sessions are the connections of a Server as a store uses them, with errors of package store.
type Sessions struct{ server *Server }

// Sessions returns the server's connections for use by a store alone, with sessions of
// github.com/pkg/sftp.
func (s *Server) Sessions() Sessions {
	s.library.Store(true)
	return Sessions{s}
}

// Do calls f with a session, and again with another one while sessions break. drop breaks f's
// session, for all its callers.
func (s Sessions) Do(ctx context.Context, act, path string, f func(c *sftp.Client, drop func()) error) error {
	err := s.server.Do(ctx, act, path, func(c *Conn) error { return f(c.client, func() { s.server.pool.Drop(c) }) })
	for _, t := range []struct{ from, to error }{
		{ErrUnreachable, store.ErrUnreachable}, {ErrDenied, store.ErrDenied}, {ErrUntrusted, store.ErrDenied},
		{ErrFull, store.ErrFull}, {ErrUnsupported, store.ErrInvalid},
	} {
		if errors.Is(err, t.from) { // what else it wraps is not of the path: a file of keys that is not here is not missing there
			return fmt.Errorf("%w: %v", t.to, err)
		}
	}
	return err
}
