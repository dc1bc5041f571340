package database

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAServerThatSaysNothingIsUnreachableAfterAWhile(t *testing.T) {
	silent := func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	if _, err := LogIn(t.Context(), time.Millisecond, silent); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want that it is unreachable", err)
	}
	ofItsOwn := func(context.Context) (int, error) { return 0, fmt.Errorf("dial: %w", context.DeadlineExceeded) }
	if _, err := LogIn(t.Context(), time.Hour, ofItsOwn); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "see whether the server is well") {
		t.Errorf("a client with a clock of its own: %v, want what to do", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := LogIn(ended, time.Millisecond, silent); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want that it was interrupted", err)
	}
	refused := errors.New("no such user")
	if _, err := LogIn(t.Context(), time.Hour, func(context.Context) (int, error) { return 0, refused }); err != refused {
		t.Errorf("got %v, want %v", err, refused)
	}
	if got, err := LogIn(t.Context(), time.Hour, func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
}
