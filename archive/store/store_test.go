package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"packstone.json": true, "packs/ab/0123": true, "log/host-1.0/17": true, "a": true, "...": true, "a/tmp/b": true, "tmpx": true,
		"": false, ".": false, "..": false, "a/..": false, "a/./b": false, "/a": false, "a/": false, "a//b": false, "tmp": false,
		"tmp/a": false, "a b": false, "a\nb": false, "\xff": false, "ä": false, "a\\b": false, "a:b": false,
		strings.Repeat("a", 128): true, strings.Repeat("a", 129): false, strings.Repeat("a/", 256) + "a": false,
	} {
		if got := store.ValidName(name); got != want {
			t.Errorf("ValidName(%.40q) = %v, want %v", name, got, want)
		}
	}
}

func FuzzClip(f *testing.F) {
	f.Add(int64(3), int64(4), int64(10))
	f.Add(int64(-3), int64(-1), int64(2))
	f.Add(int64(math.MinInt64), int64(math.MaxInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, offset, length, size int64) {
		if size < 0 {
			t.Skip("no object is that small")
		}
		from, n := store.Clip(offset, length, size)
		if from < 0 || n < 0 || from > size || n > size-from || length >= 0 && n > length {
			t.Errorf("Clip(%d, %d, %d) = %d, %d, outside of the object", offset, length, size, from, n)
		}
	})
}

// firstError is what the first check that failed says.
func firstError(checks []store.Check) error {
	for _, check := range checks {
		if check.Err != nil {
			return check.Err
		}
	}
	return nil
}

func failed(checks []store.Check) []string {
	var names []string
	for _, check := range checks {
		if check.Err != nil {
			names = append(names, check.Name)
		}
	}
	return names
}

func TestProbePassesAndLeavesNothing(t *testing.T) {
	s := memory.New()
	checks := store.Probe(context.Background(), s)
	if err := firstError(checks); err != nil || len(checks) < 8 {
		t.Errorf("probe: %v after %d checks", err, len(checks))
	}
	for info := range s.List(context.Background(), "", "") {
		t.Errorf("left behind: %s", info.Name)
	}
}

// overwriting is a store that ignores what If-None-Match says.
type overwriting struct{ *memory.Store }

func (s overwriting) Put(_ context.Context, name string, data []byte, _ store.Digest) error {
	s.Set(name, data)
	return nil
}

// A store that is full, or away, at any moment of the proof breaks no contract.
func TestProbeTellsAFullStoreFromABrokenOne(t *testing.T) {
	for _, want := range []error{store.ErrFull, store.ErrUnreachable} {
		failures := 0
		for n := 1; n < 100; n++ {
			checks := store.Probe(context.Background(), &storetest.Faulty{Store: memory.New(), Before: storetest.From(n, want)})
			for _, check := range checks {
				if check.Err == nil {
					continue
				}
				if failures++; !errors.Is(check.Err, want) {
					t.Errorf("from call %d on: %s: %v, want %v", n, check.Name, check.Err, want)
				}
			}
		}
		if failures == 0 {
			t.Errorf("%v: no call failed", want)
		}
	}
}

func TestProbeNamesWhatIsBroken(t *testing.T) {
	denied := storetest.On(storetest.From(1, store.ErrDenied), storetest.Delete)
	for name, c := range map[string]struct {
		store store.Store
		want  string
	}{
		"overwrites":    {overwriting{memory.New()}, "put if absent,one winner of racing writers,wrong digest is refused"},
		"cannot delete": {&storetest.Faulty{Store: memory.New(), Before: denied}, "delete"},
		"flips bits":    {&storetest.Faulty{Store: memory.New(), Corrupt: storetest.FlipBit("")}, "read after write,put if absent,one winner of racing writers,range reads"},
	} {
		checks := store.Probe(context.Background(), c.store)
		if got := strings.Join(failed(checks), ","); !strings.HasPrefix(got, c.want) || firstError(checks) == nil {
			t.Errorf("%s: failed checks are %s, want %s", name, got, c.want)
		}
	}
	checks := store.Probe(context.Background(), &storetest.Faulty{Store: memory.New(), Before: denied})
	if err := firstError(checks); !errors.Is(err, store.ErrDenied) {
		t.Errorf("probe without the right to delete: %v, want ErrDenied", err)
	}
}

func TestALimitOfTheProcessConcernsMoreThanOneObject(t *testing.T) {
	if err := store.Unavailable(t.Context(), fmt.Errorf("open: %w", syscall.EMFILE)); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("got %v, want the error itself", err)
	}
	if err := store.Unavailable(t.Context(), store.ErrCorrupt); err != nil {
		t.Errorf("got %v of one object, want nil", err)
	}
}
