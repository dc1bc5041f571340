package awss3_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/awss3"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/archive/store/storetest"
)

func options(server *s3test.Server, bucket string) awss3.Options {
	return awss3.Options{
		Bucket: bucket, Prefix: "some/prefix", Endpoint: server.Endpoint, Region: server.Region,
		AccessKey: server.AccessKey, SecretKey: server.SecretKey, CAs: server.CAs,
	}
}

func open(t testing.TB, opts awss3.Options) *awss3.Store {
	t.Helper()
	s, err := awss3.Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bare hides the machine's own AWS settings.
func bare(t testing.TB) {
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func suite(t *testing.T, server *s3test.Server) {
	bare(t)
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

func TestSettingsOfTheEnvironmentCount(t *testing.T) {
	bare(t)
	server := s3test.Start(t, s3test.Options{TLS: true})
	t.Setenv("AWS_ENDPOINT_URL_S3", server.Endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	t.Setenv("AWS_CA_BUNDLE", server.CAFile)
	s := open(t, awss3.Options{Bucket: server.Bucket(t)})
	data := []byte("x")
	if err := s.Put(context.Background(), "a", data, sha256.Sum256(data)); err != nil {
		t.Error(err)
	}
	if want := " at " + server.Endpoint; !strings.HasSuffix(s.Location(), want) {
		t.Errorf("location = %s, want it to end in %q", s.Location(), want)
	}
}

func TestWithoutCredentialsOpenIsDenied(t *testing.T) {
	bare(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "") // empty counts as unset
	if _, err := awss3.Open(context.Background(), awss3.Options{Bucket: "b"}); !errors.Is(err, store.ErrDenied) {
		t.Errorf("open: %v, want ErrDenied", err)
	}
}

func TestFailuresAreTranslated(t *testing.T) {
	bare(t)
	server := s3test.Start(t, s3test.Options{TLS: true})
	bucket := server.Bucket(t)
	for name, c := range map[string]struct {
		change func(*awss3.Options)
		want   error
	}{
		"wrong key":    {func(o *awss3.Options) { o.SecretKey = "wrong" }, store.ErrDenied},
		"unknown user": {func(o *awss3.Options) { o.AccessKey = "nobody" }, store.ErrDenied},
		"no bucket":    {func(o *awss3.Options) { o.Bucket = "nosuchbucket" }, store.ErrNotExist},
		"no server":    {func(o *awss3.Options) { o.Endpoint = "https://127.0.0.1:1" }, store.ErrUnreachable},
		"no host":      {func(o *awss3.Options) { o.Endpoint = "https://nowhere.invalid" }, store.ErrUnreachable},
		"wrong CA":     {func(o *awss3.Options) { o.CAs = x509.NewCertPool() }, store.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(server, bucket)
			c.change(&opts)
			storetest.RunFailing(t, open(t, opts), c.want)
		})
	}
}

func benchmark(b *testing.B, opts s3test.Options, run func(*testing.B, store.Store, int)) {
	bare(b)
	server := s3test.Start(b, opts)
	run(b, open(b, options(server, server.Bucket(b))), 32<<20)
}

func BenchmarkPut(b *testing.B)    { benchmark(b, s3test.Options{}, storetest.BenchmarkPut) }
func BenchmarkGet(b *testing.B)    { benchmark(b, s3test.Options{}, storetest.BenchmarkGet) }
func BenchmarkPutTLS(b *testing.B) { benchmark(b, s3test.Options{TLS: true}, storetest.BenchmarkPut) }
func BenchmarkGetTLS(b *testing.B) { benchmark(b, s3test.Options{TLS: true}, storetest.BenchmarkGet) }

func TestAppendOnlyUserCanPutAndNoMore(t *testing.T) {
	bare(t)
	server := s3test.Start(t, s3test.Options{TLS: true})
	bucket := server.Bucket(t)
	server.AddUser(t, "writer", "writer-secret")
	server.SetPolicy(t, bucket,
		s3test.Grant{AccessKey: "writer", Actions: []string{"s3:PutObject"}, Objects: []string{"packs/*", "log/*"}},
		s3test.Grant{AccessKey: "writer", Actions: []string{"s3:ListBucket"}})
	opts := options(server, bucket)
	opts.Prefix, opts.AccessKey, opts.SecretKey = "", "writer", "writer-secret"
	s, ctx := open(t, opts), context.Background()
	put := func(name string, size int) error {
		return s.Put(ctx, name, make([]byte, size), sha256.Sum256(make([]byte, size)))
	}
	if err := put("packs/ab/c", 8<<20); err != nil {
		t.Errorf("put: %v", err)
	}
	if err := put("packs/ab/c", 8<<20); !errors.Is(err, store.ErrExist) {
		t.Errorf("second put: %v, want ErrExist", err)
	}
	if err := put("config/1", 1000); !errors.Is(err, store.ErrDenied) {
		t.Errorf("put elsewhere: %v, want ErrDenied", err)
	}
	if _, err := s.Get(ctx, "packs/ab/c", 0, -1, nil); !errors.Is(err, store.ErrDenied) {
		t.Errorf("get: %v, want ErrDenied", err)
	}
	if err := s.Delete(ctx, "packs/ab/c"); !errors.Is(err, store.ErrDenied) {
		t.Errorf("delete: %v, want ErrDenied", err)
	}
	seen := 0
	for _, err := range s.List(ctx, "", "") {
		if seen++; err != nil {
			t.Errorf("list: %v", err)
		}
	}
	if seen != 1 {
		t.Errorf("listed %d objects, want 1", seen)
	}
}
