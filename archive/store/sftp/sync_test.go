package sftp_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	library "github.com/pkg/sftp"

	"github.com/packstone/packstone/archive/store/sftp"
)

// stalled are sessions with a server that stores everything at once, and flushes nothing before
// away is closed.
type stalled struct{ away <-chan struct{} }

func (s stalled) Do(_ context.Context, act, _ string, _ func(*library.Client, func()) error) error {
	if act == "flush" {
		<-s.away
	}
	return nil
}

func TestWhoWaitsUntilAnotherHasFlushedWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := make(chan struct{})
		s := sftp.New(stalled{away}, sftp.Options{Directory: "/x", Location: "sftp://host/x"})
		if err := s.Put(t.Context(), "packs/ab/c", nil, sha256.Sum256(nil)); err != nil {
			t.Fatal(err)
		}
		go s.Sync(t.Context())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time is over", err)
		}
		close(away)
	})
}
