package hedge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

func TestKeepsToTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return New(memory.New()) })
}

// uneven takes 50 ms for a Get, and every so many of them for an hour.
type uneven struct {
	store.Store
	every, gets atomic.Int64
	fail        error // what the slow ones end with, in 10 s
}

func (s *uneven) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	wait, err := 50*time.Millisecond, error(nil)
	if every := s.every.Load(); every > 0 && s.gets.Add(1)%every == 0 {
		if wait = time.Hour; s.fail != nil {
			wait, err = 10*time.Second, s.fail
		}
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return dst, ctx.Err()
	}
	if err != nil {
		return dst, err
	}
	return s.Store.Get(ctx, name, offset, length, dst)
}

// read gets an object so often, each into the same memory, and returns how long that took.
func read(t *testing.T, s store.Store, data []byte, times int) time.Duration {
	t.Helper()
	begun, into := time.Now(), make([]byte, 0, len(data))
	for range times {
		got, err := s.Get(t.Context(), "packs/aa/a", 0, int64(len(data)), into[:0])
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	return time.Since(begun)
}

func newUneven(t *testing.T) (*uneven, []byte) {
	data := bytes.Repeat([]byte("0123456789"), 1000)
	s := &uneven{Store: memory.New()}
	if err := s.Put(t.Context(), "packs/aa/a", data, sha256.Sum256(data)); err != nil {
		t.Fatal(err)
	}
	return s, data
}

func TestOneThatIsSlowIsAskedForAgain(t *testing.T) {
	for name, fail := range map[string]error{"it does not come": nil, "it fails": errors.New("broken")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow, data := newUneven(t)
				slow.fail = fail
				s := New(slow)
				read(t, s, data, 200)
				slow.every.Store(60)
				if took := read(t, s, data, 600); took > 600*50*time.Millisecond+time.Second && fail == nil {
					t.Errorf("600 Gets of 50 ms took %v though one in 60 is slow", took)
				}
				if n := s.Hedged(); n < 9 || n > 800/share {
					t.Errorf("%d of 800 were asked for twice, want 10 to %d", n, 800/share)
				}
			})
		})
	}
}

func TestNoMoreThanOneInFiftyIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, data := newUneven(t)
		s := New(slow)
		read(t, s, data, 100)
		slow.every.Store(2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 20 {
			_, _ = s.Get(ctx, "packs/aa/a", 0, int64(len(data)), nil)
		}
		if n := s.Hedged(); n != 2 {
			t.Errorf("%d of 120 were asked for twice, want 2", n)
		}
		synctest.Wait()
	})
}
