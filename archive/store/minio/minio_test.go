package minio_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/minio"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/archive/store/storetest"
)

func options(server *s3test.Server, bucket string) minio.Options {
	return minio.Options{
		Bucket: bucket, Prefix: "some/prefix", Endpoint: server.Endpoint, Region: server.Region,
		AccessKey: server.AccessKey, SecretKey: server.SecretKey, CAs: server.CAs,
	}
}

func open(t testing.TB, opts minio.Options) *minio.Store {
	t.Helper()
	s, err := minio.Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func suite(t *testing.T, server *s3test.Server) {
	bucket := server.Bucket(t)
	var n atomic.Int32
	another := func(t *testing.T) store.Store {
		opts := options(server, bucket)
		opts.Prefix = fmt.Sprintf("/repository-%d/", n.Add(1))
		return open(t, opts)
	}
	storetest.Run(t, another)
	t.Run("LargeWrongDigestIsRefused", func(t *testing.T) { storetest.RefusesLarge(t, another(t)) })
}

func TestStoreHoldsTheContractOverHTTP(t *testing.T) { suite(t, s3test.Start(t, s3test.Options{})) }
func TestStoreHoldsTheContractOverTLS(t *testing.T) {
	suite(t, s3test.Start(t, s3test.Options{TLS: true}))
}

func TestIncompleteOptionsAreRefused(t *testing.T) {
	full := minio.Options{Endpoint: "https://localhost:9000", Bucket: "bucket", AccessKey: "a", SecretKey: "s"}
	for name, c := range map[string]struct {
		change func(*minio.Options)
		want   error
	}{
		"no scheme": {func(o *minio.Options) { o.Endpoint = "localhost:9000" }, store.ErrInvalid},
		"no host":   {func(o *minio.Options) { o.Endpoint = "https://" }, store.ErrInvalid},
		"a path":    {func(o *minio.Options) { o.Endpoint = "https://localhost/x" }, store.ErrInvalid},
		"no bucket": {func(o *minio.Options) { o.Bucket = "" }, store.ErrInvalid},
		"no key":    {func(o *minio.Options) { o.AccessKey = "" }, store.ErrDenied},
		"no secret": {func(o *minio.Options) { o.SecretKey = "" }, store.ErrDenied},
	} {
		opts := full
		c.change(&opts)
		if _, err := minio.Open(context.Background(), opts); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	s, err := minio.Open(context.Background(), full)
	if err != nil || s.Location() != "minio+https://localhost:9000/bucket" {
		t.Errorf("open: %v, %v", s, err)
	}
}

func TestFailuresAreTranslated(t *testing.T) {
	server := s3test.Start(t, s3test.Options{TLS: true})
	bucket := server.Bucket(t)
	for name, c := range map[string]struct {
		change func(*minio.Options)
		want   error
	}{
		"wrong key":    {func(o *minio.Options) { o.SecretKey = "wrong" }, store.ErrDenied},
		"unknown user": {func(o *minio.Options) { o.AccessKey = "nobody" }, store.ErrDenied},
		"no bucket":    {func(o *minio.Options) { o.Bucket = "nosuchbucket" }, store.ErrNotExist},
		"no server":    {func(o *minio.Options) { o.Endpoint = "https://127.0.0.1:1" }, store.ErrUnreachable},
		"no host":      {func(o *minio.Options) { o.Endpoint = "https://nowhere.invalid" }, store.ErrUnreachable},
		"wrong CA":     {func(o *minio.Options) { o.CAs = x509.NewCertPool() }, store.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(server, bucket)
			c.change(&opts)
			storetest.RunFailing(t, open(t, opts), c.want)
		})
	}
}

func benchmark(b *testing.B, opts s3test.Options, run func(*testing.B, store.Store, int)) {
	server := s3test.Start(b, opts)
	run(b, open(b, options(server, server.Bucket(b))), 32<<20)
}

func BenchmarkPut(b *testing.B)    { benchmark(b, s3test.Options{}, storetest.BenchmarkPut) }
func BenchmarkGet(b *testing.B)    { benchmark(b, s3test.Options{}, storetest.BenchmarkGet) }
func BenchmarkPutTLS(b *testing.B) { benchmark(b, s3test.Options{TLS: true}, storetest.BenchmarkPut) }
func BenchmarkGetTLS(b *testing.B) { benchmark(b, s3test.Options{TLS: true}, storetest.BenchmarkGet) }
