package fetch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/catalog/index"
)

func TestWhoWaitsForPlacesThatAnotherLoadsWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := make(chan struct{})
		find := onceLoaded(func(context.Context) (*index.Index, error) {
			<-away
			return index.New(index.Options{}), nil
		})
		go find(t.Context())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := find(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time is over", err)
		}
		close(away)
	})
}
