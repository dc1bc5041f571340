package s3_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/s3"
	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/archive/store/storetest"
)

// place is a bucket, and how to reach it.
type place struct {
	address bucket.Address
	options bucket.Options
}

func open(t testing.TB, p place) *s3.Store {
	t.Helper()
	s, err := s3.Open(context.Background(), p.address, p.options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bare hides the machine's own AWS settings, and names an endpoint for s3://.
func bare(t testing.TB, endpoint string) {
	t.Helper()
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ENDPOINT_URL_S3", endpoint)
}

// places are a bucket for either SDK.
func places(t testing.TB, server *s3test.Server) map[string]place {
	t.Helper()
	bare(t, server.Endpoint)
	name := server.Bucket(t)
	o := bucket.Options{AccessKey: server.AccessKey, SecretKey: server.SecretKey, Region: server.Region, CAs: server.CAs}
	return map[string]place{
		"aws":   {bucket.Address{Bucket: name}, o},
		"minio": {bucket.Address{Endpoint: server.Endpoint, Bucket: name}, o},
	}
}

func suite(t *testing.T, server *s3test.Server) {
	for sdk, p := range places(t, server) {
		t.Run(sdk, func(t *testing.T) {
			var n atomic.Int32
			another := func(t *testing.T) store.Store {
				p.address.Prefix = fmt.Sprintf("repository-%s-%d/", sdk, n.Add(1))
				return open(t, p)
			}
			storetest.Run(t, another)
			t.Run("LargeWrongDigestIsRefused", func(t *testing.T) { storetest.RefusesLarge(t, another(t)) })
		})
	}
}

func TestStoreHoldsTheContractOverHTTP(t *testing.T) { suite(t, s3test.Start(t, s3test.Options{})) }
func TestStoreHoldsTheContractOverTLS(t *testing.T) {
	suite(t, s3test.Start(t, s3test.Options{TLS: true}))
}

// TestLocksHoldTheContract runs over both SDKs, against a bucket with locks and without a default.
func TestLocksHoldTheContract(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	for sdk, p := range places(t, server) {
		p.address.Bucket = server.LockingBucket(t)
		n := 0
		t.Run(sdk, func(t *testing.T) {
			storetest.RunLocker(t, func(t *testing.T) storetest.Lockable {
				n++
				p.address.Prefix = fmt.Sprintf("repository-%d/", n)
				return open(t, p)
			})
		})
		t.Run(sdk+" in a bucket without", func(t *testing.T) {
			p.address.Bucket = server.Bucket(t)
			s := open(t, p)
			if found, err := s.Protection(t.Context()); err != nil || found != (store.Protection{}) {
				t.Errorf("protection = %+v, %v, want none", found, err)
			}
		})
	}
}

func TestSettingsOfTheEnvironmentCount(t *testing.T) {
	server := s3test.Start(t, s3test.Options{TLS: true})
	bare(t, server.Endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	t.Setenv("AWS_CA_BUNDLE", server.CAFile)
	s := open(t, place{bucket.Address{Bucket: server.Bucket(t)}, bucket.Options{}})
	data := []byte("x")
	if err := s.Put(context.Background(), "a", data, sha256.Sum256(data)); err != nil {
		t.Error(err)
	}
	if want := " at " + server.Endpoint; !strings.HasSuffix(s.Location(), want) {
		t.Errorf("location = %s, want it to end in %q", s.Location(), want)
	}
}

func TestIncompleteAddressesAndKeysAreRefused(t *testing.T) {
	bare(t, "")
	t.Setenv("AWS_ACCESS_KEY_ID", "") // empty counts as unset
	o := bucket.Options{AccessKey: "a", SecretKey: "s"}
	for name, c := range map[string]struct {
		place
		want error
	}{
		"no scheme":      {place{bucket.Address{Endpoint: "localhost:9000", Bucket: "bucket"}, o}, store.ErrInvalid},
		"no host":        {place{bucket.Address{Endpoint: "https://", Bucket: "bucket"}, o}, store.ErrInvalid},
		"a path":         {place{bucket.Address{Endpoint: "https://localhost/x", Bucket: "bucket"}, o}, store.ErrInvalid},
		"no bucket":      {place{bucket.Address{Endpoint: "https://localhost:9000"}, o}, store.ErrInvalid},
		"no key":         {place{bucket.Address{Endpoint: "https://localhost:9000", Bucket: "bucket"}, bucket.Options{SecretKey: "s"}}, store.ErrDenied},
		"no secret":      {place{bucket.Address{Endpoint: "https://localhost:9000", Bucket: "bucket"}, bucket.Options{AccessKey: "a"}}, store.ErrDenied},
		"no credentials": {place{bucket.Address{Bucket: "bucket"}, bucket.Options{}}, store.ErrDenied},
	} {
		if _, err := s3.Open(context.Background(), c.address, c.options); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	s, err := s3.Open(context.Background(), bucket.Address{Endpoint: "https://localhost:9000", Bucket: "bucket", Prefix: "x/"}, o)
	if err != nil || s.Location() != "minio+https://localhost:9000/bucket/x" {
		t.Errorf("open: %v, %v", s, err)
	}
}

func TestFailuresAreTranslated(t *testing.T) {
	server := s3test.Start(t, s3test.Options{TLS: true})
	all := places(t, server)
	for name, c := range map[string]struct {
		change func(*place)
		server string
		want   error
	}{
		"wrong key":    {func(p *place) { p.options.SecretKey = "wrong" }, server.Endpoint, store.ErrDenied},
		"unknown user": {func(p *place) { p.options.AccessKey = "nobody" }, server.Endpoint, store.ErrDenied},
		"no bucket":    {func(p *place) { p.address.Bucket = "nosuchbucket" }, server.Endpoint, store.ErrNotExist},
		"no server":    {func(*place) {}, "https://127.0.0.1:1", store.ErrUnreachable},
		"no host":      {func(*place) {}, "https://nowhere.invalid", store.ErrUnreachable},
		"wrong CA":     {func(p *place) { p.options.CAs = x509.NewCertPool() }, server.Endpoint, store.ErrUnreachable},
	} {
		for sdk, p := range all {
			t.Run(sdk+" "+name, func(t *testing.T) {
				t.Setenv("AWS_ENDPOINT_URL_S3", c.server)
				if p.address.Endpoint != "" {
					p.address.Endpoint = c.server
				}
				c.change(&p)
				storetest.RunFailing(t, open(t, p), c.want)
			})
		}
	}
}

// stub opens the store by both SDKs on a server of its own.
func stub(t *testing.T, handler http.HandlerFunc) map[string]*s3.Store {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	bare(t, server.URL)
	o := bucket.Options{AccessKey: "a", SecretKey: "s"}
	return map[string]*s3.Store{
		"aws":   open(t, place{bucket.Address{Bucket: "bucket"}, o}),
		"minio": open(t, place{bucket.Address{Endpoint: server.URL, Bucket: "bucket"}, o}),
	}
}

func TestListingOutOfOrderIsRefused(t *testing.T) {
	const object = `<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-11-20T14:00:00.000Z</LastModified></Contents>`
	for name, s := range stub(t, func(w http.ResponseWriter, _ *http.Request) {
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

func TestKeysThatAreNoNamesAreNotListed(t *testing.T) {
	const object = `<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-11-20T14:00:00.000Z</LastModified></Contents>`
	for name, s := range stub(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `<ListBucketResult>%s</ListBucketResult>`, fmt.Sprintf(strings.Repeat(object, 5), "a/", "a/b", "a/b c", "b//c", "tmp/b"))
	}) {
		for info, err := range s.List(context.Background(), "", "") {
			if err != nil || info.Name != "a/b" {
				t.Errorf("%s: listed %q, %v, want a/b alone", name, info.Name, err)
			}
		}
	}
}

// TestAPutWithoutAnAnswerIsALostRaceIfTheObjectIsThere has a server cut the connection before it
// answers, and list what another writer has put.
func TestAPutWithoutAnAnswerIsALostRaceIfTheObjectIsThere(t *testing.T) {
	const object = `<ListBucketResult><Contents><Key>ab</Key><LastModified>2026-11-20T14:00:00.000Z</LastModified></Contents></ListBucketResult>`
	for sdk, s := range stub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, object)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}) {
		for name, want := range map[string]error{"ab": store.ErrExist, "a": store.ErrUnreachable} {
			if err := s.Put(context.Background(), name, nil, sha256.Sum256(nil)); !errors.Is(err, want) {
				t.Errorf("%s: put %s: %v, want %v", sdk, name, err, want)
			}
		}
	}
}

func TestAppendOnlyUserCanPutAndNoMore(t *testing.T) {
	server := s3test.Start(t, s3test.Options{TLS: true})
	server.AddUser(t, "writer", "writer-secret")
	for sdk, p := range places(t, server) {
		server.SetPolicy(t, p.address.Bucket,
			s3test.Grant{AccessKey: "writer", Actions: []string{"s3:PutObject"}, Objects: []string{"*/packs/*", "*/log/*"}},
			s3test.Grant{AccessKey: "writer", Actions: []string{"s3:ListBucket"}})
		p.address.Prefix, p.options.AccessKey, p.options.SecretKey = sdk+"/", "writer", "writer-secret"
		mayPutAndNoMore(t, open(t, p))
	}
}

func mayPutAndNoMore(t *testing.T, s *s3.Store) {
	ctx := context.Background()
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

func benchmark(b *testing.B, opts s3test.Options, run func(*testing.B, store.Store, int)) {
	for sdk, p := range places(b, s3test.Start(b, opts)) {
		b.Run(sdk, func(b *testing.B) { run(b, open(b, p), 32<<20) })
	}
}

func BenchmarkPut(b *testing.B)    { benchmark(b, s3test.Options{}, storetest.BenchmarkPut) }
func BenchmarkGet(b *testing.B)    { benchmark(b, s3test.Options{}, storetest.BenchmarkGet) }
func BenchmarkPutTLS(b *testing.B) { benchmark(b, s3test.Options{TLS: true}, storetest.BenchmarkPut) }
func BenchmarkGetTLS(b *testing.B) { benchmark(b, s3test.Options{TLS: true}, storetest.BenchmarkGet) }
