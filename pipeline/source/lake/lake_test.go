package lake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/s3/bucket"
	s3server "github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/s3"
	stub "github.com/packstone/packstone/pipeline/remote/s3/s3test"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/lake"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
)

// stubKeys are for the server in memory.
var stubKeys = bucket.Options{AccessKey: stub.AccessKey, SecretKey: stub.SecretKey}

func openLake(t testing.TB, address string, keys bucket.Options, o lake.Options) *lake.Source {
	t.Helper()
	s, err := lake.New(open(t, address, keys), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func remote(e *entry.Entry) string {
	var all []string
	for _, a := range e.Remote {
		all = append(all, a.Name+"="+string(a.Value))
	}
	return strings.Join(all, "\n")
}

func TestWhatIsStoredWithAnObjectComesWithItsContent(t *testing.T) {
	server := s3server.Start(t, s3server.Options{})
	keys := bucket.Options{AccessKey: server.AccessKey, SecretKey: server.SecretKey}
	throughBoth(t, server.Endpoint, server.Bucket(t), func(t *testing.T, address string) {
		b := open(t, address, keys)
		header := map[string]string{"content-type": "application/x-parquet", "cache-control": "max-age=60", "content-encoding": "gzip",
			"x-amz-meta-job": "nightly 7", "x-amz-meta-empty": "-"}
		for _, key := range []string{"t/part", "t/folder/"} {
			if err := b.Put(context.Background(), b.DirectoryKey("")+key, s3.NewBody(nil), s3.PutOptions{Header: header, Tags: "class=gold&keep=7+years"}); err != nil {
				t.Fatal(err)
			}
		}
		s := openLake(t, address, keys, lake.Options{})
		found := sourcetest.Walk(t, s)
		file, folder := found.Find("t/part"), found.Find("t/folder")
		if _, err := sourcetest.Read(s, file); err != nil {
			t.Fatal(err)
		}
		if err := s.Detail(context.Background(), folder); err != nil {
			t.Fatal(err)
		}
		stored := "cache-control=max-age=60\ncontent-encoding=gzip\ncontent-type=application/x-parquet\n"
		if want := stored + "x-amz-meta-empty=-\nx-amz-meta-job=nightly 7\nx-amz-tagging=class=gold&keep=7+years"; remote(file) != want {
			t.Errorf("got %s\nwant %s", remote(file), want)
		}
		// The server keeps a content type of its own for what stands for a directory.
		if !strings.Contains(remote(folder), "s3-directory-object=") || !strings.HasSuffix(remote(folder), "x-amz-meta-job=nightly 7") {
			t.Errorf("the folder has %s", remote(folder))
		}
	})
}

func TestWhatJobsAreWritingIsLeftOutAndSaid(t *testing.T) {
	server := stub.Start(t)
	for _, key := range []string{"t/part-0", "t/_SUCCESS", "t/_temporary/0/task/part-1", ".spark-staging-1/x", "d/_delta_log/00.json", "d/_delta_log/.tmp-1", "d/.tmp-2", "x/_temporary"} {
		server.Put(key, []byte("1"))
	}
	var notes []string
	s := openLake(t, server.Address(), stubKeys, lake.Options{Exclude: []string{"d/.tmp*"}, Note: func(text string) { notes = append(notes, text) }})
	var got []string
	for _, e := range sourcetest.Walk(t, s).Entries {
		if e.Type == entry.File {
			got = append(got, e.Path)
		}
	}
	if want := []string{"d/_delta_log/00.json", "t/_SUCCESS", "t/part-0", "x/_temporary"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], ".spark-staging-1, d/_delta_log/.tmp-1, t/_temporary") {
		t.Errorf("got notes %q", notes)
	}
}

func TestAnObjectIsReadByOneRequest(t *testing.T) {
	server := stub.Start(t)
	throughBoth(t, server.URL, server.Bucket, func(t *testing.T, address string) {
		s := openLake(t, address, stubKeys, lake.Options{})
		for i := range 20 {
			server.Put(fmt.Sprintf("lake/output/%02d", i), make([]byte, 300_000*i))
		}
		server.Counts()
		found := sourcetest.Walk(t, s)
		for _, e := range found.Entries {
			if err := s.Detail(context.Background(), e); err != nil {
				t.Fatal(err)
			}
			if e.Type != entry.File {
				continue
			}
			size := e.Size
			if got, err := sourcetest.Read(s, e); err != nil || int64(len(got)) != size {
				t.Errorf("%s: %d bytes, %v, want %d", e.Path, len(got), err, size)
			}
		}
		requests, _ := server.Counts()
		if requests["get"] != 20 || requests["head"]+requests["tags"] > 0 || requests["list"] != 1 {
			t.Errorf("%v, want one GET for each of 20 objects, and one listing", requests)
		}
	})
}

func TestAnObjectReplacedBetweenListingAndReadingIsReadAsItIs(t *testing.T) {
	server := stub.Start(t)
	server.Put("a", []byte("old"))
	s := openLake(t, server.Address(), stubKeys, lake.Options{})
	e := sourcetest.Walk(t, s).Find("a")
	before := *e
	server.Put("a", []byte("newer"))
	got, err := sourcetest.Read(s, e)
	if err != nil || string(got) != "newer" || e.Size != 5 || entry.Unchanged(&before, e) {
		t.Errorf("got %q, %v, entry %+v", got, err, e)
	}
}

// TestAnObjectReplacedWhileItIsReadIsNeverMixed has a big object replaced after its first part.
func TestAnObjectReplacedWhileItIsReadIsNeverMixed(t *testing.T) {
	server := stub.Start(t)
	server.Put("big", make([]byte, 40<<20))
	s := openLake(t, server.Address(), stubKeys, lake.Options{})
	e := sourcetest.Walk(t, s).Find("big")
	var gets atomic.Int32
	server.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") != "" && gets.Add(1)%4 == 2 {
			server.Put("big", bytes.Repeat([]byte{byte(gets.Load())}, 40<<20))
		}
		return false
	}
	if _, err := sourcetest.Read(s, e); !errors.Is(err, source.ErrChanged) {
		t.Errorf("first: got %v, want ErrChanged", err)
	}
	gets.Store(0)
	if _, err := sourcetest.Read(s, e); err == nil || errors.Is(err, source.ErrChanged) {
		t.Errorf("second: got %v, want an error that leaves it out", err)
	}
	server.Fault = nil
	if got, err := sourcetest.Read(s, e); err != nil || bytes.Count(got, got[:1]) != 40<<20 {
		t.Errorf("at rest: got %d bytes, %v, want 40 MiB of one kind", len(got), err)
	}
}

// TestAnObjectThatIsNotReadToItsEndIsNotRead: what ends early would become a whole file.
func TestAnObjectThatIsNotReadToItsEndIsNotRead(t *testing.T) {
	server := stub.Start(t)
	server.Put("a", []byte("content"))
	s := openLake(t, server.Address(), stubKeys, lake.Options{})
	e := sourcetest.Walk(t, s).Find("a")
	for n, whole := range map[int]bool{0: false, 3: false, 7: true} {
		f, err := s.Open(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(f, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if err := f.Finish(e); whole && err != nil || !whole && !errors.Is(err, source.ErrChanged) {
			t.Errorf("after %d of 7 bytes: got %v", n, err)
		}
		f.Close()
	}
}

func TestABucketWithVersionsIsReadAsOfOneMoment(t *testing.T) {
	server := stub.Start(t)
	server.KeepVersions()
	server.Put("a", []byte("before"))
	server.Put("gone", []byte("x"))
	server.Delete("gone")
	s := openLake(t, server.Address(), stubKeys, lake.Options{})
	found := &sourcetest.Recorder{}
	changed := false
	err := s.Walk(context.Background(), visitorFunc(func(e *entry.Entry) error {
		if !changed { // a writer at work, after the moment
			changed = true
			server.PutVersion("a", &stub.Version{Data: []byte("after"), Modified: time.Now().Add(time.Second)})
		}
		return found.Visit(e)
	}))
	if err != nil || len(found.Entries) != 2 {
		t.Fatalf("got %d entries, %v, want the root and a", len(found.Entries), err)
	}
	got, err := sourcetest.Read(s, found.Find("a"))
	if err != nil || string(got) != "before" {
		t.Errorf("got %q, %v, want before", got, err)
	}
	if d := time.Since(s.Moment()); d < -time.Second || d > time.Minute {
		t.Errorf("the moment is %v ago", d)
	}
}

// TestWhatWasThereBeforeIsReadWhateverTheClockOfTheServer: versitygw renews the date that it sends once
// a second, an answer may take long, and clocks differ. When the listing begins, the moment is over.
func TestWhatWasThereBeforeIsReadWhateverTheClockOfTheServer(t *testing.T) {
	for name, c := range map[string]struct{ ahead, old, slow time.Duration }{
		"fresh":                 {},
		"renewed once a second": {old: time.Second},
		"slow":                  {slow: 2 * time.Second},
		"a little ahead":        {ahead: 600 * time.Millisecond, old: time.Second},
		"ahead":                 {ahead: 5 * time.Second, old: time.Second},
		"a little behind":       {ahead: -600 * time.Millisecond},
		"behind":                {ahead: -5 * time.Second, old: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stub.Start(t)
			server.KeepVersions()
			now := func() time.Time { return time.Now().Add(c.ahead) }
			var listed atomic.Pointer[time.Time]
			server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Date", now().Add(-c.old).UTC().Format(http.TimeFormat))
				if at := now(); r.URL.Query().Has("versions") {
					listed.CompareAndSwap(nil, &at)
				}
				time.Sleep(c.slow)
				return false
			}
			s := openLake(t, server.Address(), stubKeys, lake.Options{})
			server.PutVersion("a", &stub.Version{Data: []byte("just written"), Modified: now()})
			if found := sourcetest.Walk(t, s); found.Find("a") == nil {
				t.Error("what was written before is not read")
			}
			if at := listed.Load(); at == nil || at.Before(s.Moment()) {
				t.Errorf("the listing begins at %v, before %v", at, s.Moment())
			}
		})
	}
}

type visitorFunc func(*entry.Entry) error

func (f visitorFunc) Visit(e *entry.Entry) error { return f(e) }
func (f visitorFunc) Problem(string, error)      {}

func TestRefusalsAreTranslatedAndNameHostAndCure(t *testing.T) {
	server := s3server.Start(t, s3server.Options{})
	good := bucket.Options{AccessKey: server.AccessKey, SecretKey: server.SecretKey}
	name := server.Bucket(t)
	for what, c := range map[string]struct {
		address string
		keys    bucket.Options
		want    error
		cure    string
	}{
		"wrong key":    {"minio+" + server.Endpoint + "/" + name, bucket.Options{AccessKey: "nobody", SecretKey: "nothing-at-all"}, source.ErrFailed, "check the access key"},
		"wrong secret": {"minio+" + server.Endpoint + "/" + name, bucket.Options{AccessKey: server.AccessKey, SecretKey: "nothing-at-all"}, source.ErrFailed, "check the access key"},
		"no bucket":    {"minio+" + server.Endpoint + "/nosuchbucket", good, source.ErrFailed, "check the bucket's name"},
		"no server":    {"minio+http://127.0.0.1:1/" + name, bucket.Options{AccessKey: "a", SecretKey: "b"}, source.ErrUnreachable, "check the address and that the server runs"},
		"empty":        {"minio+" + server.Endpoint + "/" + name + "/nothing", good, source.ErrEmpty, ""},
	} {
		err := openLake(t, c.address, c.keys, lake.Options{}).Walk(context.Background(), new(sourcetest.Recorder))
		host := strings.Split(strings.SplitN(c.address, "://", 2)[1], "/")[0]
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.cure) || !strings.Contains(fmt.Sprint(err), host) {
			t.Errorf("%s: got %v, want %v that names %s and says %q", what, err, c.want, host, c.cure)
		}
	}
}

// TestAServerThatIsKilledAndStartedAgain is killed at five moments of a listing and of reading.
func TestAServerThatIsKilledAndStartedAgain(t *testing.T) {
	server := s3server.Start(t, s3server.Options{})
	keys := bucket.Options{AccessKey: server.AccessKey, SecretKey: server.SecretKey}
	throughBoth(t, server.Endpoint, server.Bucket(t), func(t *testing.T, address string) {
		want := map[string][]byte{"big": sourcetest.Content(30<<20, 1)}
		for i := range 3000 {
			want[fmt.Sprintf("d%d/f%04d", i%7, i)] = nil
		}
		var tree sourcetest.Tree
		for path, content := range want {
			tree = append(tree, sourcetest.File(path, content))
		}
		place(t, open(t, address, keys), tree)
		for moment := 1; moment <= 5; moment++ {
			var requests atomic.Int32
			o := keys
			o.Wrap = func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					if requests.Add(1) == int32(2*moment) {
						server.Kill()
						time.AfterFunc(300*time.Millisecond, func() { server.Restart(t) })
					}
					return next.RoundTrip(r)
				})
			}
			s := openLake(t, address, o, lake.Options{})
			found := sourcetest.Walk(t, s)
			files := 0
			for _, e := range found.Entries {
				if e.Type == entry.File {
					files++
				}
			}
			got, err := sourcetest.Read(s, found.Find("big"))
			if files != len(want) || err != nil || !bytes.Equal(got, want["big"]) {
				t.Errorf("killed at request %d: %d files, %d bytes of the big one, %v", 2*moment, files, len(got), err)
			}
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
