package lake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/s3/bucket"
	s3server "github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/s3"
	stub "github.com/packstone/packstone/pipeline/remote/s3/s3test"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/lake"
)

// stubKeys are for the server in memory.
var stubKeys = bucket.Options{AccessKey: stub.AccessKey, SecretKey: stub.SecretKey}

func attributes(pairs ...string) []entry.Attribute {
	var all []entry.Attribute
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, entry.Attribute{Name: pairs[i], Value: []byte(pairs[i+1])})
	}
	return all
}

// write restores a file in pieces of a size.
func write(tg target.Target, e *entry.Entry, content []byte, piece int) error {
	f, err := tg.Create(context.Background(), e)
	if err != nil {
		return err
	}
	defer f.Abort()
	for at := 0; at < len(content); at += piece {
		if _, err := f.WriteAt(content[at:min(at+piece, len(content))], int64(at)); err != nil {
			return err
		}
	}
	return f.Commit(context.Background())
}

func content(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*31 + i>>9)
	}
	return b
}

func TestWhatWasStoredWithAnObjectComesBack(t *testing.T) {
	server := s3server.Start(t, s3server.Options{})
	keys := bucket.Options{AccessKey: server.AccessKey, SecretKey: server.SecretKey}
	throughBoth(t, server.Endpoint, server.Bucket(t), func(t *testing.T, address string) {
		b := open(t, address, keys)
		tg := lake.New(b, lake.Options{})
		for path, size := range map[string]int{"small": 10, "large": 20 << 20} {
			e := &entry.Entry{Path: path, Type: entry.File, Size: int64(size), Identity: "x-3", Remote: attributes("cache-control", "no-store",
				"content-type", "text/csv", "x-amz-meta-job", "nightly 7", "x-amz-tagging", "class=gold", "x-amz-version-id", "gone")}
			if err := write(tg, e, content(size), 1<<20); err != nil {
				t.Fatal(err)
			}
			got, err := b.Head(context.Background(), s3.Ref{Key: b.Key(path)})
			tags, tagsErr := b.Tags(context.Background(), s3.Ref{Key: b.Key(path)})
			if err != nil || tagsErr != nil || got.Header["content-type"] != "text/csv" || got.Header["cache-control"] != "no-store" ||
				got.Header["x-amz-meta-job"] != "nightly 7" || got.Size != int64(size) || tags != "class=gold" || got.Header["x-amz-meta-mtime"] != "" {
				t.Errorf("%s: got %+v, tags %q, %v, %v", path, got, tags, err, tagsErr)
			}
		}
	})
}

func TestPartsGiveTheETagOfTheSource(t *testing.T) {
	for _, c := range []struct {
		size  int
		parts int // 0: put whole
		part  int
	}{{30 << 20, 4, 8 << 20}, {30 << 20, 2, 16 << 20}, {30 << 20, 6, 5 << 20}, {20 << 20, 0, 0}, {9 << 20, 0, 0}, {1000, 1, 8 << 20}} {
		server := stub.Start(t)
		tg := lake.New(open(t, server.Address(), stubKeys), lake.Options{})
		e := &entry.Entry{Path: "f", Type: entry.File, Size: int64(c.size), Identity: "0123456789abcdef0123456789abcdef"}
		if c.parts > 0 {
			e.Identity += fmt.Sprintf("-%d", c.parts)
		}
		want := content(c.size)
		if err := write(tg, e, want, 777_777); err != nil {
			t.Fatal(err)
		}
		got := server.Get("f")
		suffix := ""
		if c.parts > 0 {
			suffix = fmt.Sprintf("-%d", c.parts)
		}
		if !bytes.Equal(got.Data, want) || got.ETag[32:] != suffix || server.Uploads() != 0 {
			t.Errorf("%+v: got %d bytes with the ETag %s, %d uploads left", c, len(got.Data), got.ETag, server.Uploads())
		}
		if requests, _ := server.Counts(); requests["head"] > 0 || c.parts == 0 && requests["put"] != 1 {
			t.Errorf("%+v: requests %v, want no HEAD, and one PUT of what is put whole", c, requests)
		}
	}
}

func TestAnObjectIsComparedByOneRequest(t *testing.T) {
	server := stub.Start(t)
	tg := lake.New(open(t, server.Address(), stubKeys), lake.Options{})
	for name, size := range map[string]int{"empty": 0, "small": 1000, "a MiB": 1 << 20} {
		want := content(size)
		server.Put(name, want)
		server.Counts()
		r, err := tg.Open(context.Background(), name)
		if err != nil || r == nil {
			t.Fatalf("%s: %v, %v", name, r, err)
		}
		got := make([]byte, size+10)
		n := 0
		for n < size {
			m, err := r.ReadAt(got[n:min(n+300_000, len(got))], int64(n))
			if n += m; err != nil && err != io.EOF {
				t.Fatalf("%s: %v", name, err)
			}
		}
		r.Close()
		requests, _ := server.Counts()
		if requests["get"] > 2 || requests["head"] > 0 || size > 0 && requests["get"] != 1 || !bytes.Equal(got[:n], want) {
			t.Errorf("%s: %d bytes by %v, want %d by one GET", name, n, requests, size)
		}
	}
	if r, err := tg.Open(context.Background(), "nothing"); r != nil || err != nil {
		t.Errorf("nothing: %v, %v, want none", r, err)
	}
}

func TestTimesOfFilesFromElsewhereAreKept(t *testing.T) {
	server := stub.Start(t)
	for _, at := range []time.Time{time.Unix(1_700_000_000, 123456789), time.Unix(-5, 5), time.Unix(0, 7)} {
		e := &entry.Entry{Path: "f", Type: entry.File, Size: 3, ModTime: entry.TimeOf(at)}
		if err := write(lake.New(open(t, server.Address(), stubKeys), lake.Options{}), e, []byte("abc"), 3); err != nil {
			t.Fatal(err)
		}
		var got *entry.Entry
		tg := lake.New(open(t, server.Address(), stubKeys), lake.Options{Times: true})
		if err := tg.Walk(context.Background(), nil, target.Entries(func(e *entry.Entry) error { got = e; return nil })); err != nil {
			t.Fatal(err)
		}
		if got.ModTime != entry.TimeOf(at) {
			t.Errorf("got %v, want %v", got.ModTime.Time(), at)
		}
	}
}

func TestAbsentKeepsWhatHasComeMeanwhile(t *testing.T) {
	server := stub.Start(t)
	server.Put("f", []byte("theirs"))
	tg := lake.New(open(t, server.Address(), stubKeys), lake.Options{Absent: true})
	for _, size := range []int64{5, 20 << 20} {
		e := &entry.Entry{Path: "f", Type: entry.File, Size: size}
		if err := write(tg, e, content(int(size)), 1<<20); !errors.Is(err, s3.ErrExist) {
			t.Errorf("%d bytes: got %v, want ErrExist", size, err)
		}
	}
	if got := server.Get("f"); string(got.Data) != "theirs" || server.Uploads() != 0 {
		t.Errorf("got %q, %d uploads left", got.Data, server.Uploads())
	}
}

// TestAKeyThatDoesNotFitIsRefusedAtOnce asks the server nothing, so that the error is the entry's
// and not the server's.
func TestAKeyThatDoesNotFitIsRefusedAtOnce(t *testing.T) {
	server := stub.Start(t)
	requests := 0
	o := stubKeys
	o.Wrap = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { requests++; return next.RoundTrip(r) })
	}
	tg := lake.New(open(t, server.Address()+"/prefix", o), lake.Options{})
	long := strings.Repeat("long/", 204)
	for _, path := range []string{long + "12345", "latin-\xe9"} {
		for _, e := range []*entry.Entry{{Path: path, Type: entry.File, Size: 1}, {Path: path, Type: entry.Directory, Remote: attributes("s3-directory-object", "etag")}} {
			err := tg.Make(context.Background(), e)
			if e.Type == entry.File {
				_, err = tg.Create(context.Background(), e)
			}
			if !errors.Is(err, s3.ErrKey) || errors.Is(err, target.ErrUnreachable) {
				t.Errorf("%q: got %v, want ErrKey", path, err)
			}
		}
	}
	if requests != 0 {
		t.Errorf("%d requests were sent", requests)
	}
	if err := write(lake.New(open(t, server.Address(), o), lake.Options{}), &entry.Entry{Path: long + "1234", Type: entry.File, Size: 1}, []byte("x"), 1); err != nil {
		t.Errorf("a key of 1024 bytes: %v", err)
	}
}

func TestKeysThatAreNoPathsComeBack(t *testing.T) {
	server := stub.Start(t)
	tg := lake.New(open(t, server.Address(), stubKeys), lake.Options{})
	for path := range map[string]string{"a/~s3-empty/b": "a//b", "a/~s3-dotdot/b": "a/../b", "a/~s3-object": "a", "n/~s3-empty": "n/"} {
		if err := write(tg, &entry.Entry{Path: path, Type: entry.File, Size: 1}, []byte("x"), 1); err != nil {
			t.Fatal(err)
		}
	}
	folder := &entry.Entry{Path: "folder", Type: entry.Directory, Remote: attributes("s3-directory-object", "etag")}
	gone := []*entry.Entry{{Path: "a/~s3-object", Type: entry.File}, {Path: "n", Type: entry.Directory}}
	if err := errors.Join(tg.Make(context.Background(), folder), tg.Remove(context.Background(), gone, func(e *entry.Entry, err error) {
		t.Errorf("remove %s: %v", e.Path, err)
	})); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%q", server.Keys()); got != `["a/../b" "a//b" "folder/" "n/"]` {
		t.Errorf("got %s", got)
	}
}

// TestAServerThatIsKilledAndStartedAgain is killed at five moments of an upload in parts.
func TestAServerThatIsKilledAndStartedAgain(t *testing.T) {
	server := s3server.Start(t, s3server.Options{})
	keys := bucket.Options{AccessKey: server.AccessKey, SecretKey: server.SecretKey}
	throughBoth(t, server.Endpoint, server.Bucket(t), func(t *testing.T, address string) {
		want := content(30 << 20)
		for moment := 1; moment <= 5; moment++ {
			var requests atomic.Int32
			o := keys
			o.Wrap = func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					if requests.Add(1) == int32(moment+1) {
						server.Kill()
						time.AfterFunc(300*time.Millisecond, func() { server.Restart(t) })
					}
					return next.RoundTrip(r)
				})
			}
			tg := lake.New(open(t, address, o), lake.Options{})
			path := fmt.Sprintf("big-%d", moment)
			err := write(tg, &entry.Entry{Path: "small", Type: entry.File, Size: 3}, []byte("abc"), 3)
			if err == nil {
				err = write(tg, &entry.Entry{Path: path, Type: entry.File, Size: int64(len(want))}, want, 1<<20)
			}
			if err != nil {
				t.Fatalf("killed at request %d: %v", moment+1, err)
			}
			r, err := tg.Open(context.Background(), path)
			if err != nil || r == nil {
				t.Fatalf("open: %v, %v", r, err)
			}
			got := make([]byte, len(want))
			if n, err := r.ReadAt(got, 0); n != len(want) || !bytes.Equal(got, want) {
				t.Errorf("killed at request %d: %d bytes, %v, want %d others", moment+1, n, err, len(want))
			}
			r.Close()
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
