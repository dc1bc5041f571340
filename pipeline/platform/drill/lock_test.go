package drill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hold locks a file as another drill would.
func hold(t *testing.T, path string) *os.File {
	t.Helper()
	held, err := waitFor(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func TestALockThatAnotherDrillHoldsIsWaitedForAMinute(t *testing.T) {
	path := filepath.Join(t.TempDir(), doorFile)
	synctest.Test(t, func(t *testing.T) {
		defer hold(t, path).Close()
		began := time.Now()
		file, err := waitFor(t.Context(), path)
		if file != nil || !errors.Is(err, ErrBusy) {
			t.Fatalf("got %v, %v, want %v", file, err, ErrBusy)
		}
		if waited := time.Since(began); waited < lockPatience || waited > lockPatience+time.Second {
			t.Errorf("waited %v, want %v", waited, lockPatience)
		}
		if text := err.Error(); !strings.Contains(text, fmt.Sprintf("process %d", os.Getpid())) || !strings.Contains(text, path) || !strings.Contains(text, "end it") {
			t.Errorf("it does not say who holds what, and what to do: %v", err)
		}
	})
}

func TestALockThatBecomesFreeIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), doorFile)
	synctest.Test(t, func(t *testing.T) {
		held := hold(t, path)
		time.AfterFunc(lockPatience/2, func() { held.Close() })
		file, err := waitFor(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if holder := holderOf(file); !strings.Contains(holder, fmt.Sprint(os.Getpid())) {
			t.Errorf("held by %s", holder)
		}
		file.Close()
	})
}

func TestWaitingForALockEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), doorFile)
	synctest.Test(t, func(t *testing.T) {
		defer hold(t, path).Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := waitFor(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	})
}
