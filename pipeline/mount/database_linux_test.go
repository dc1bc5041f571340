package mount

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoWaitsUntilAnotherHasMadeADatabaseWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := make(chan struct{})
		dir := t.TempDir()
		d := &databases{folder: func() (string, error) { return dir, nil }, room: 1 << 20, made: map[string]*made{}}
		write := func(file string) error {
			<-away
			return os.WriteFile(file, []byte("rows"), 0o600)
		}
		go d.get(t.Context(), "x", write)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := d.get(ctx, "x", write); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time is over", err)
		}
		close(away)
		synctest.Wait()
		if m := d.made["x"]; m.path == "" || m.users != 1 {
			t.Errorf("made at %q for %d users, want it for the one who has waited", m.path, m.users)
		}
	})
}
