package proxy_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store/s3"
	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/archive/store/s3test/proxy"
)

func TestRequestsAreCountedAndSignaturesHold(t *testing.T) {
	server := s3test.Start(t, s3test.Options{TLS: true})
	p, err := proxy.New(proxy.Options{Target: server.Endpoint, CAs: server.CAs, Latency: time.Millisecond, BytesPerSecond: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(p)
	defer front.Close()
	ctx := context.Background()
	address := bucket.Address{Endpoint: front.URL, Bucket: server.Bucket(t), Prefix: "a/b/"}
	s, err := s3.Open(ctx, address, bucket.Options{AccessKey: server.AccessKey, SecretKey: server.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 3<<20)
	for range 2 { // the second is refused
		_ = s.Put(ctx, "packs/ab/c", data, sha256.Sum256(data))
	}
	if got, err := s.Get(ctx, "packs/ab/c", 100, 1000, nil); err != nil || len(got) != 1000 {
		t.Errorf("get: %d bytes, %v", len(got), err)
	}
	for _, err := range s.List(ctx, "", "") {
		if err != nil {
			t.Error(err)
		}
	}
	front.Close() // waits until every request is counted
	counts := p.Counts()
	if len(counts) != 3 {
		t.Fatalf("counts = %+v, want a listing, gets and puts", counts)
	}
	counts[0].Received = 0 // XML of the server's choice
	put := counts[2]
	if put.Method != "PUT" || put.Kind != "packs" || put.Requests != 2 || put.Refused != 1 || put.Sent < 3<<20 {
		t.Errorf("puts = %+v", put)
	}
	want := []proxy.Count{{Method: "GET", Kind: "list", Requests: 1, AtOnce: 1}, {Method: "GET", Kind: "packs", Requests: 1, AtOnce: 1, Received: 1000}}
	if !slices.Equal(counts[:2], want) {
		t.Errorf("gets = %+v\nwant  %+v", counts[:2], want)
	}
	if p.Requests("", "packs") != 3 || p.Requests("PUT", "") != 2 {
		t.Errorf("requests about packs: %d, puts: %d, want 3 and 2", p.Requests("", "packs"), p.Requests("PUT", ""))
	}
	if p.Reset(); len(p.Counts()) != 0 {
		t.Errorf("counts after a reset: %v", p.Counts())
	}
}

func TestLatencyPassesBeforeTheTargetIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := proxy.New(proxy.Options{Target: "http://127.0.0.1:1", Latency: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 49*time.Millisecond)
		defer cancel()
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/bucket/packs/ab/c", nil))
		if n := p.Requests("", ""); n != 0 {
			t.Errorf("%d requests were passed on before their time", n)
		}
	})
}

func TestKindIsTheObjectsDirectory(t *testing.T) {
	for target, want := range map[string]string{
		"/bucket/packs/ab/c": "packs", "/bucket/a/b/log/w.0/1": "log", "/bucket/?list-type=2&prefix=packs/": "list",
		"/bucket/packstone.json": "packstone.json", "/bucket": "other",
	} {
		if got := proxy.Kind(httptest.NewRequest(http.MethodGet, target, nil)); got != want {
			t.Errorf("kind of %s = %s, want %s", target, got, want)
		}
	}
}

func TestTargetMustBeAURL(t *testing.T) {
	for _, target := range []string{"", "localhost:9000", "://"} {
		if _, err := proxy.New(proxy.Options{Target: target}); err == nil {
			t.Errorf("target %q is accepted", target)
		}
	}
}
