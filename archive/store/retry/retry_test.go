package retry_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/s3"
	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/archive/store/storetest"
)

var errFlaky = fmt.Errorf("%w: the network went away", store.ErrUnreachable)

// patient waits for nothing, and so never runs out of time.
func patient(s store.Store) *retry.Store {
	return retry.New(s, retry.Options{Total: time.Hour, First: 1, Most: 1})
}

func put(s store.Store, name, body string) error {
	return s.Put(context.Background(), name, []byte(body), sha256.Sum256([]byte(body)))
}

func TestStoreHoldsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return patient(memory.New()) })
}

// everyThird fails each call twice before it passes.
func everyThird() storetest.Fault {
	calls := 0
	return func(storetest.Op, string) error {
		if calls++; calls%3 != 0 {
			return errFlaky
		}
		return nil
	}
}

func TestFlakyStoreIsUsable(t *testing.T) {
	flaky := &storetest.Faulty{Store: memory.New(), Before: storetest.On(everyThird(), storetest.Put, storetest.Get, storetest.List, storetest.Delete)}
	s := patient(flaky)
	if err := put(s, "a", "x"); err != nil {
		t.Error(err)
	}
	if got, err := s.Get(context.Background(), "a", 0, -1, []byte("y")); err != nil || string(got) != "yx" {
		t.Errorf("get: %q, %v", got, err)
	}
	seen := 0
	for _, err := range s.List(context.Background(), "", "") {
		if seen++; err != nil {
			t.Error(err)
		}
	}
	if err := s.Delete(context.Background(), "a"); err != nil {
		t.Error(err)
	}
	if seen != 1 || len(flaky.Calls()) != 12 {
		t.Errorf("listed %d, calls %v, want 1 object and each of 4 calls three times", seen, flaky.Calls())
	}
}

func TestRepeatedPutMeetsItsOwnObject(t *testing.T) {
	s := patient(&storetest.Faulty{Store: memory.New(), After: storetest.Nth(1, errFlaky)})
	if err := put(s, "a", "x"); !errors.Is(err, store.ErrExist) {
		t.Errorf("put whose first answer was lost: %v, want ErrExist", err)
	}
}

// TestAProbeBearsLostAnswers loses every third request, and the answer to every third Put that
// arrives.
func TestAProbeBearsLostAnswers(t *testing.T) {
	flaky := &storetest.Faulty{Store: memory.New(), Before: sometimes(), After: storetest.On(sometimes(), storetest.Put)}
	for _, check := range store.Probe(context.Background(), patient(flaky)) {
		if check.Err != nil {
			t.Errorf("%s: %v", check.Name, check.Err)
		}
	}
}

// sometimes fails every third call.
func sometimes() storetest.Fault {
	var calls atomic.Int32
	return func(storetest.Op, string) error {
		if calls.Add(1)%3 == 0 {
			return errFlaky
		}
		return nil
	}
}

func TestDoTellsTheLastFailureAndBeginsAnewAfterProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, tries := time.Now(), 0
		err := retry.Do(context.Background(), retry.Options{}, "work", func() error {
			if tries++; time.Since(begun) < 3*time.Minute {
				return retry.Progress(errFlaky)
			}
			return errFlaky
		})
		if took := time.Since(begun); !errors.Is(err, errFlaky) || took < 3*time.Minute+50*time.Second || took > 4*time.Minute+10*time.Second {
			t.Errorf("gave up after %v with %v, want a minute after the last progress", took, err)
		}
	})
}

// TestALongCallMayBeTriedAgain is about a body that takes longer than all the time for tries.
func TestALongCallMayBeTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := retry.Do(context.Background(), retry.Options{}, "work", func() error {
			time.Sleep(5 * time.Minute)
			if tries++; tries == 1 {
				return errFlaky
			}
			return nil
		})
		if err != nil || tries != 2 {
			t.Errorf("%d tries, %v, want two", tries, err)
		}
	})
}

func TestListGoesOnBehindWhatItHasYielded(t *testing.T) {
	inner := memory.New()
	for _, name := range []string{"a", "b", "c", "d"} {
		inner.Set(name, nil)
	}
	// The first listing fails at its end, after all four objects.
	s := patient(&storetest.Faulty{Store: inner, After: storetest.Nth(1, errFlaky)})
	var got []string
	for info, err := range s.List(context.Background(), "", "a") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
	}
	if fmt.Sprint(got) != "[b c d]" {
		t.Errorf("list: %v, want each of [b c d] once", got)
	}
}

func TestFinalErrorsAreNotRepeated(t *testing.T) {
	for _, final := range []error{store.ErrDenied, store.ErrExist, store.ErrNotExist, store.ErrCorrupt, store.ErrFull,
		store.ErrInvalid, &os.PathError{Op: "open", Err: syscall.EMFILE}, &os.PathError{Op: "write", Err: syscall.EFBIG}, context.Canceled, &tls.CertificateVerificationError{Err: errors.New("unknown authority")}} {
		faulty := &storetest.Faulty{Store: memory.New(), Before: storetest.From(1, final)}
		if err := put(patient(faulty), "a", "x"); !errors.Is(err, final) || faulty.Count(storetest.Put) != 1 {
			t.Errorf("%v: put returned %v after %d tries, want 1", final, err, faulty.Count(storetest.Put))
		}
	}
}

func TestWaitsGrowUpToABoundAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []retry.Event
		faulty := &storetest.Faulty{Store: memory.New(), Before: storetest.From(1, errFlaky)}
		s := retry.New(faulty, retry.Options{Retrying: func(e retry.Event) { events = append(events, e) }})
		begun := time.Now()
		if err := put(s, "a", "x"); !errors.Is(err, store.ErrUnreachable) {
			t.Errorf("put: %v, want ErrUnreachable", err)
		}
		if took := time.Since(begun); took < 50*time.Second || took > time.Minute {
			t.Errorf("gave up after %v, want it to use most of a minute", took)
		}
		if len(events) != faulty.Count(storetest.Put)-1 {
			t.Errorf("%d events for %d tries, want one before each but the first", len(events), faulty.Count(storetest.Put))
		}
		for i, e := range events {
			bound := min(10*time.Second, 200*time.Millisecond<<min(i, 10))
			if e.Wait > bound || e.Try != i+1 || e.Call != "put a" || !errors.Is(e.Err, errFlaky) {
				t.Errorf("event %d: %+v, want a wait of at most %v", i, e, bound)
			}
		}
	})
}

func TestNegativeTotalNeverRepeats(t *testing.T) {
	faulty := &storetest.Faulty{Store: memory.New(), Before: storetest.From(1, errFlaky)}
	err := put(retry.New(faulty, retry.Options{Total: -1}), "a", "x")
	if !errors.Is(err, errFlaky) || faulty.Count(storetest.Put) != 1 {
		t.Errorf("put: %v after %d tries, want 1", err, faulty.Count(storetest.Put))
	}
}

func TestEndedContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s := retry.New(&storetest.Faulty{Store: memory.New(), Before: storetest.From(1, errFlaky)}, retry.Options{Total: time.Hour})
		err := s.Delete(ctx, "a")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errFlaky) {
			t.Errorf("delete: %v, want context.DeadlineExceeded and the failure before it", err)
		}
	})
}

func TestSyncIsRepeatedOnlyWhereTheStorageWasUnreachable(t *testing.T) {
	for _, failure := range []error{errFlaky, errors.New("input/output error")} {
		faulty := &storetest.Faulty{Store: memory.New(), Before: storetest.Nth(1, failure)}
		err, want := patient(faulty).Sync(context.Background()), 2
		if failure != errFlaky {
			want = 1
		}
		if errors.Is(err, failure) != (want == 1) || faulty.Count(storetest.Sync) != want {
			t.Errorf("%v: sync: %v after %d tries, want %d", failure, err, faulty.Count(storetest.Sync), want)
		}
	}
}

// TestServerKilledInMidPut kills the server while bodies are on their way, and starts it again:
// every object is there afterwards, whole.
func TestServerKilledInMidPut(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	address := bucket.Address{Endpoint: server.Endpoint, Bucket: server.Bucket(t)}
	inner, err := s3.Open(context.Background(), address, bucket.Options{
		Region: server.Region, AccessKey: server.AccessKey, SecretKey: server.SecretKey, Wrap: killAfter(server, 5<<20),
	})
	if err != nil {
		t.Fatal(err)
	}
	failures := 0
	s := retry.New(inner, retry.Options{
		First: 10 * time.Millisecond, Most: 20 * time.Millisecond,
		Retrying: func(e retry.Event) {
			if failures++; failures == 3 { // a few tries meet no server at all
				server.Restart(t)
			}
		},
	})
	data := make([]byte, 16<<20)
	data[len(data)-1] = 1
	if err := s.Put(context.Background(), "packs/ab/c", data, sha256.Sum256(data)); err != nil {
		t.Fatal(err)
	}
	if failures < 3 {
		t.Errorf("only %d failures, so the server was not killed in mid-Put", failures)
	}
	got, err := s.Get(context.Background(), "packs/ab/c", 0, -1, nil)
	if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
		t.Errorf("get: %d bytes, %v, or they differ", len(got), err)
	}
}

// silent waits for ever.
type silent struct{ store.Store }

func (s silent) Get(ctx context.Context, _ string, _, _ int64, dst []byte) ([]byte, error) {
	<-ctx.Done()
	return dst, ctx.Err()
}

func TestAStoreThatHasNeverAnsweredIsGivenUpEarlier(t *testing.T) {
	options := retry.Options{Reach: 10 * time.Second}
	for name, s := range map[string]store.Store{
		"refuses":      &storetest.Faulty{Store: memory.New(), Before: storetest.From(1, errFlaky)},
		"says nothing": silent{memory.New()},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			_, err := retry.New(s, options).Get(t.Context(), "a", 0, -1, nil)
			if took := time.Since(begun); !errors.Is(err, store.ErrUnreachable) || took != 10*time.Second {
				t.Errorf("one that %s: got %v after %v, want ErrUnreachable after 10s", name, err, took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := retry.New(&storetest.Faulty{Store: memory.New(), Before: storetest.From(2, errFlaky)}, options)
		_, err := s.Get(t.Context(), "a", 0, -1, nil)
		if !errors.Is(err, store.ErrNotExist) {
			t.Errorf("got %v, want an answer", err)
		}
		begun := time.Now()
		err = put(s, "a", "x")
		if took := time.Since(begun); !errors.Is(err, store.ErrUnreachable) || took != time.Minute {
			t.Errorf("one that has answered once: got %v after %v, want ErrUnreachable after 1m", err, took)
		}
		begun = time.Now() // it is known to be away by now
		if err := put(s, "b", "x"); !errors.Is(err, store.ErrUnreachable) || time.Since(begun) != 0 {
			t.Errorf("the next call: got %v after %v, want ErrUnreachable at once", err, time.Since(begun))
		}
	})
}

func TestASlowReaderOfAListIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		for i := range 5 {
			inner.Set(fmt.Sprint(i), nil)
		}
		s, n := retry.New(inner, retry.Options{Reach: time.Second}), 0
		for _, err := range s.List(t.Context(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			n++
		}
		if n != 5 {
			t.Errorf("got %d objects, want 5", n)
		}
	})
}

func TestAnAnswerAfterSilenceIsTold(t *testing.T) {
	answered := 0
	faulty := &storetest.Faulty{Store: memory.New(), Before: everyThird()}
	s := retry.New(faulty, retry.Options{Total: time.Hour, First: 1, Most: 1, Answered: func() { answered++ }})
	for i := range 4 {
		if err := put(s, fmt.Sprint(i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if answered != 4 {
		t.Errorf("was told of %d answers, want 4", answered)
	}
}
