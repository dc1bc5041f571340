package s3http_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/awss3"
	"github.com/packstone/packstone/archive/store/minio"
)

// adapters opens both adapters on a server that misbehaves as real ones hardly can be made to.
func adapters(t *testing.T, handler http.HandlerFunc) map[string]store.Store {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	ctx := context.Background()
	a, err := awss3.Open(ctx, awss3.Options{Bucket: "bucket", Endpoint: server.URL, Region: "r", AccessKey: "a", SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := minio.Open(ctx, minio.Options{Bucket: "bucket", Endpoint: server.URL, AccessKey: "a", SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]store.Store{"awss3": a, "minio": m}
}

func TestOneRequestIsOneTry(t *testing.T) {
	var requests atomic.Int32
	for name, s := range adapters(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}) {
		requests.Store(0)
		err := s.Put(context.Background(), "a", []byte("x"), sha256.Sum256([]byte("x")))
		if !errors.Is(err, store.ErrUnreachable) || requests.Load() != 1 {
			t.Errorf("%s: put: %v after %d requests, want ErrUnreachable after 1", name, err, requests.Load())
		}
	}
}

func TestPutSendsItsDigestOnceAndNoTrailer(t *testing.T) {
	data := make([]byte, 3<<20)
	digest := sha256.Sum256(data)
	var seen *http.Request
	for name, s := range adapters(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen = r
	}) {
		if err := s.Put(context.Background(), "packs/ab/c", data, digest); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := seen.Header.Get("X-Amz-Content-Sha256"), fmt.Sprintf("%x", digest); got != want {
			t.Errorf("%s: payload hash = %s, want %s", name, got, want)
		}
		if seen.Header.Get("X-Amz-Checksum-Sha256") == "" || seen.Header.Get("If-None-Match") != "*" ||
			len(seen.Trailer) > 0 || seen.ContentLength != int64(len(data)) {
			t.Errorf("%s: headers %v, trailer %v, length %d", name, seen.Header, seen.Trailer, seen.ContentLength)
		}
	}
}

func TestBrokenBodyIsUnreachable(t *testing.T) {
	for name, s := range adapters(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Last-Modified", "Fri, 20 Nov 2026 14:00:00 GMT")
		_, _ = w.Write(make([]byte, 500)) // and the connection ends
	}) {
		got, err := s.Get(context.Background(), "a", 0, -1, []byte("x"))
		if !errors.Is(err, store.ErrUnreachable) || string(got) != "x" {
			t.Errorf("%s: get: %d bytes, %v, want dst as it was and ErrUnreachable", name, len(got), err)
		}
	}
}

func TestListingOutOfOrderIsRefused(t *testing.T) {
	const object = `<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-11-20T14:00:00.000Z</LastModified></Contents>`
	for name, s := range adapters(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		_, _ = fmt.Fprintf(w, `<ListBucketResult>%s</ListBucketResult>`, fmt.Sprintf(strings.Repeat(object, 3), "a", "c", "b"))
	}) {
		var names []string
		var last error
		for info, err := range s.List(context.Background(), "", "") {
			if last = err; err == nil {
				names = append(names, info.Name)
			}
		}
		if !errors.Is(last, store.ErrInvalid) || fmt.Sprint(names) != "[a c]" {
			t.Errorf("%s: list: %v, %v, want [a c] and ErrInvalid", name, names, last)
		}
	}
}

func TestPageWithoutAWayToTheNextIsAnError(t *testing.T) {
	var requests atomic.Int32
	for name, s := range adapters(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/xml")
		_, _ = fmt.Fprint(w, `<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`)
	}) {
		requests.Store(0)
		var last error
		for _, err := range s.List(context.Background(), "", "") {
			last = err
		}
		if last == nil || requests.Load() != 1 {
			t.Errorf("%s: list: %v after %d requests, want an error after 1", name, last, requests.Load())
		}
	}
}

func TestEndedContextEndsARequestUnderWay(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	stores := adapters(t, func(_ http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	t.Cleanup(func() { close(release) })
	for name, s := range stores {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-arrived
			cancel()
		}()
		if _, err := s.Get(ctx, "a", 0, -1, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: get: %v, want context.Canceled", name, err)
		}
	}
}
