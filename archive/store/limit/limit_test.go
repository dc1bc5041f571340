package limit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/limit"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

func limits(t *testing.T, up, down int64) *limit.Limits {
	t.Helper()
	l, err := limit.New(limit.Options{Upload: up, Download: down})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestStoreHoldsTheContract(t *testing.T) {
	l := limits(t, 1<<34, 1<<34)
	storetest.Run(t, func(*testing.T) store.Store { return l.Store(memory.New()) })
}

func TestNegativeLimitsAreRefused(t *testing.T) {
	if _, err := limit.New(limit.Options{Upload: -1}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("new: %v, want ErrInvalid", err)
	}
}

func TestWithoutLimitsNothingIsWrapped(t *testing.T) {
	l, s := limits(t, 0, 0), memory.New()
	if l.Store(s) != store.Store(s) || l.Transport(http.DefaultTransport) != http.DefaultTransport {
		t.Error("a store or a transport is wrapped although there is nothing to limit")
	}
}

// took runs act where time passes only by waiting, and compares what it took with the time that n
// bytes take at a rate, up to what may pass at once.
func took(t *testing.T, n, perSecond int64, act func()) {
	t.Helper()
	begun := time.Now()
	act()
	got, want := time.Since(begun), time.Duration(n)*time.Second/time.Duration(perSecond)
	if got > want || got < want-want/10 {
		t.Errorf("%d bytes at %d/s took %v, want about %v", n, perSecond, got, want)
	}
}

const size = 20 << 20

func TestStoreTakesTheTimeThatItsBytesTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := limits(t, 1<<20, 2<<20).Store(memory.New())
		data := make([]byte, size)
		took(t, size, 1<<20, func() {
			if err := s.Put(context.Background(), "a", data, sha256.Sum256(data)); err != nil {
				t.Error(err)
			}
		})
		took(t, size, 2<<20, func() {
			if _, err := s.Get(context.Background(), "a", 0, -1, nil); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestCallsShareOneLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := limits(t, 1<<20, 0).Store(memory.New())
		data := make([]byte, size/4)
		took(t, size, 1<<20, func() {
			var wg sync.WaitGroup
			for _, name := range []string{"a", "b", "c", "d"} {
				wg.Go(func() {
					if err := s.Put(context.Background(), name, data, sha256.Sum256(data)); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		})
	})
}

// echo answers with the body that it was sent.
type echo struct{ largest int }

func (e *echo) RoundTrip(request *http.Request) (*http.Response, error) {
	var sent bytes.Buffer
	buf := make([]byte, 1<<20)
	for {
		n, err := request.Body.Read(buf)
		e.largest = max(e.largest, n)
		sent.Write(buf[:n])
		if err == io.EOF {
			return &http.Response{Body: io.NopCloser(&sent)}, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func TestTransportPacesBothBodiesInSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &echo{}
		transport := limits(t, 1<<20, 2<<20).Transport(server)
		request, err := http.NewRequest(http.MethodPut, "http://host/", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		var response *http.Response
		took(t, size, 1<<20, func() { response, err = transport.RoundTrip(request) })
		if err != nil || server.largest > 128<<10 {
			t.Fatalf("round trip: %v, %d bytes at once", err, server.largest)
		}
		took(t, size, 2<<20, func() {
			if body, err := io.ReadAll(response.Body); err != nil || len(body) != size {
				t.Errorf("read %d bytes, %v, want %d", len(body), err, size)
			}
		})
		if again, err := request.GetBody(); err != nil || request.Body == again {
			t.Errorf("the request was changed: %v", err)
		}
	})
}

func TestABoundThatChangesHoldsForWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		l, err := limit.New(limit.Options{Upload: 4 << 20, Now: func() (up, down int64) {
			switch since := time.Since(begun); {
			case since < 10*time.Second:
				return 1 << 20, 0
			case since < 20*time.Second:
				return 0, 0 // the other bound counts
			}
			return 1 << 18, 1
		}})
		if err != nil {
			t.Fatal(err)
		}
		s, data := l.Store(memory.New()), make([]byte, 52<<20) // 10 s of 1 MiB, 10 s of 4 MiB, and 8 s of 256 KiB
		if err := s.Put(context.Background(), "a", data, sha256.Sum256(data)); err != nil {
			t.Error(err)
		}
		if got := time.Since(begun); got < 27*time.Second || got > 29*time.Second {
			t.Errorf("it took %v, want about 28 s", got)
		}
	})
}

func TestEndedContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Minute, cancel)
		data := make([]byte, size)
		s := limits(t, 1<<10, 0).Store(memory.New()) // the Put would take more than five hours
		if err := s.Put(ctx, "a", data, sha256.Sum256(data)); !errors.Is(err, context.Canceled) {
			t.Errorf("put: %v, want context.Canceled", err)
		}
	})
}
