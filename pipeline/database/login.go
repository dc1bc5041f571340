package database

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// LoginTime is how long a server may take to let somebody in, unless its URL says another time.
const LoginTime = time.Minute

// LogIn connects. A server that accepts the connection and then says nothing for as long as limit is
// ErrUnreachable; the context of connect ends then, unless the client has a clock of its own. What
// connect returns outlives that context.
func LogIn[C any](ctx context.Context, limit time.Duration, connect func(context.Context) (C, error)) (C, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := connect(limited)
	if err != nil && ctx.Err() == nil && (limited.Err() != nil || errors.Is(err, context.DeadlineExceeded)) {
		err = fmt.Errorf("%w: it has not answered in %v: see whether the server is well, and whether it is the one at that port: %w", ErrUnreachable, limit, err)
	}
	return conn, err
}
