package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

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

// dialects opens a bucket by both SDKs, on a server that misbehaves as real ones hardly can be made
// to.
func dialects(t *testing.T, handler http.HandlerFunc) map[string]*bucket.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	bare(t, server.URL)
	all := map[string]*bucket.Client{}
	for name, address := range map[string]string{"aws": "s3://bucket/some", "minio": "minio+" + server.URL + "/bucket/some"} {
		a, err := bucket.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = bucket.Open(context.Background(), a, bucket.Options{AccessKey: "a", SecretKey: "s"}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func put(c *bucket.Client) error {
	return c.Put(context.Background(), "key", bucket.NewBody([]byte("x")), bucket.PutOptions{Absent: true})
}

func get(c *bucket.Client) error {
	_, body, err := c.Get(context.Background(), bucket.Ref{Key: "key", ETag: "e"}, 0, -1)
	if err == nil {
		_, err = io.Copy(io.Discard, body)
		body.Close()
	}
	return err
}

func list(c *bucket.Client, q bucket.Query) (keys []string, last error) {
	for o, err := range c.List(context.Background(), q) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

func tags(c *bucket.Client) error {
	_, err := c.Tags(context.Background(), bucket.Ref{Key: "key"})
	return err
}

func versioned(c *bucket.Client) error {
	_, err := c.Versioned(context.Background())
	return err
}

func TestAnswersHaveOneMeaning(t *testing.T) {
	for _, c := range []struct {
		status       int
		code         string
		put, get     error // nil for a failure that has no name
		waitingHelps bool
	}{
		{412, "PreconditionFailed", store.ErrExist, bucket.ErrChanged, false},
		{412, "", store.ErrExist, bucket.ErrChanged, false},
		{409, "ConditionalRequestConflict", store.ErrConflict, store.ErrConflict, true},
		{409, "", store.ErrConflict, store.ErrConflict, true},
		{403, "AccessDenied", fs.ErrPermission, fs.ErrPermission, false},
		{403, "", store.ErrDenied, fs.ErrPermission, false},
		{400, "ExpiredToken", bucket.ErrKeys, store.ErrDenied, false},
		{403, "SignatureDoesNotMatch", bucket.ErrKeys, bucket.ErrKeys, false},
		{404, "NoSuchKey", store.ErrNotExist, fs.ErrNotExist, false},
		{404, "", store.ErrNotExist, fs.ErrNotExist, false},
		{404, "NoSuchBucket", store.ErrNotExist, bucket.ErrNoBucket, false},
		{405, "MethodNotAllowed", store.ErrInvalid, fs.ErrNotExist, false},
		{400, "BadDigest", store.ErrCorrupt, store.ErrCorrupt, false},
		{400, "XAmzContentChecksumMismatch", store.ErrCorrupt, store.ErrCorrupt, false},
		{507, "", store.ErrFull, store.ErrFull, false},
		{507, "XMinioStorageFull", store.ErrFull, store.ErrFull, false},
		{403, "QuotaExceeded", store.ErrFull, store.ErrFull, false},
		{503, "SlowDown", store.ErrUnreachable, store.ErrUnreachable, true},
		{503, "", store.ErrUnreachable, store.ErrUnreachable, true},
		{429, "", store.ErrUnreachable, store.ErrUnreachable, true},
		{502, "", store.ErrUnreachable, store.ErrUnreachable, true},
		{400, "RequestTimeout", store.ErrUnreachable, store.ErrUnreachable, true},
		{400, "IncompleteBody", store.ErrUnreachable, store.ErrUnreachable, true},
		{301, "PermanentRedirect", store.ErrInvalid, store.ErrInvalid, false},
		{400, "InvalidArgument", store.ErrInvalid, store.ErrInvalid, false},
		{416, "InvalidRange", store.ErrInvalid, bucket.ErrRange, false},
		{501, "NotImplemented", store.ErrInvalid, bucket.ErrUnsupported, false},
		{500, "InternalError", nil, nil, true},
		{500, "", nil, nil, true},
	} {
		for name, client := range dialects(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			if c.code != "" {
				fmt.Fprintf(w, `<Error><Code>%s</Code><Message>as it says</Message></Error>`, c.code)
			}
		}) {
			for act, outcome := range map[string]struct{ got, want error }{"put": {put(client), c.put}, "get": {get(client), c.get}} {
				var failed *bucket.Error
				named := outcome.want == nil || errors.Is(outcome.got, outcome.want)
				if !errors.As(outcome.got, &failed) || !named || failed.Nameless() != (outcome.want == nil) {
					t.Errorf("%s: %s answered %d %s: %v, want %v", name, act, c.status, c.code, outcome.got, outcome.want)
				}
				if retry.Transient(outcome.got) != c.waitingHelps {
					t.Errorf("%s: %s answered %d %s: whether waiting helps is %v", name, act, c.status, c.code, !c.waitingHelps)
				}
			}
		}
	}
}

func TestServersRefuseWhatIsLockedInDifferentWords(t *testing.T) {
	for _, c := range []struct {
		status        int
		code, message string
		want          error
	}{
		{403, "AccessDenied", "Access Denied because object protected by object lock.", store.ErrLocked}, // AWS and versitygw
		{400, "InvalidRequest", "Object is WORM protected and cannot be overwritten", store.ErrLocked},   // MinIO
		{403, "ObjectLocked", "Object is locked", store.ErrLocked},
		{403, "AccessDenied", "Access Denied", store.ErrDenied},
		{400, "InvalidRequest", "Bucket is missing Object Lock Configuration", store.ErrInvalid},
	} {
		for name, client := range dialects(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			fmt.Fprintf(w, `<Error><Code>%s</Code><Message>%s</Message></Error>`, c.code, c.message)
		}) {
			for act, err := range map[string]error{
				"remove": client.Remove(t.Context(), "key"), "remove a version": client.RemoveVersion(t.Context(), bucket.Ref{Key: "key", Version: "v"}),
				"lock": client.SetLock(t.Context(), bucket.Ref{Key: "key"}, store.Lock{Mode: store.Compliance, Until: time.Now()}, false),
			} {
				if !errors.Is(err, c.want) || errors.Is(err, store.ErrLocked) != (c.want == store.ErrLocked) || retry.Transient(err) {
					t.Errorf("%s: %s answered %d %s %q: %v, want %v", name, act, c.status, c.code, c.message, err, c.want)
				}
			}
		}
	}
}

func TestABucketThatIsNotThereIsNoMissingObject(t *testing.T) {
	for name, client := range dialects(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }) {
		if _, err := list(client, bucket.Query{}); !errors.Is(err, bucket.ErrNoBucket) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: list: %v, want ErrNoBucket", name, err)
		}
		if err := client.Remove(context.Background(), "key"); err != nil {
			t.Errorf("%s: remove what is not there: %v", name, err)
		}
	}
}

func TestOneRequestIsOneTry(t *testing.T) {
	var requests atomic.Int32
	for name, client := range dialects(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}) {
		requests.Store(0)
		if err := put(client); !errors.Is(err, store.ErrUnreachable) || requests.Load() != 1 {
			t.Errorf("%s: put: %v after %d requests, want ErrUnreachable after 1", name, err, requests.Load())
		}
	}
}

func TestPutSendsItsDigestOnceAndNoTrailer(t *testing.T) {
	body := bucket.NewBody(make([]byte, 3<<20))
	var seen *http.Request
	for name, client := range dialects(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"e"`)
		seen = r
	}) {
		for _, sent := range []struct {
			body   bucket.Body
			header string
		}{{body, "Content-Md5"}, {bucket.Body{Data: body.Data, SHA: body.SHA}, "X-Amz-Checksum-Sha256"}} {
			if err := client.Put(context.Background(), "packs/ab/c", sent.body, bucket.PutOptions{Absent: true}); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got, want := seen.Header.Get("X-Amz-Content-Sha256"), fmt.Sprintf("%x", body.SHA); got != want {
				t.Errorf("%s: payload hash = %s, want %s", name, got, want)
			}
			if seen.Header.Get(sent.header) == "" || seen.Header.Get("If-None-Match") != "*" ||
				len(seen.Trailer) > 0 || seen.ContentLength != int64(len(body.Data)) {
				t.Errorf("%s: headers %v, trailer %v, length %d", name, seen.Header, seen.Trailer, seen.ContentLength)
			}
		}
	}
}

func TestGetAsksForItsRange(t *testing.T) {
	var asked string
	for name, client := range dialects(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Range")
		w.WriteHeader(http.StatusNotFound)
	}) {
		for _, c := range []struct {
			offset, length int64
			want           string
		}{
			{0, -1, ""}, {0, 10, "bytes=0-9"}, {5, 10, "bytes=5-14"}, {5, -1, "bytes=5-"}, {-5, -1, "bytes=-5"}, {-5, 2, "bytes=-5"},
			{0, 0, "bytes=0-0"}, {7, 0, "bytes=7-7"}, {5, 1<<63 - 1, "bytes=5-"}, {0, 1<<63 - 1, "bytes=0-9223372036854775806"},
		} {
			_, _, _ = client.Get(context.Background(), bucket.Ref{Key: "key"}, c.offset, c.length)
			if asked != c.want {
				t.Errorf("%s: Get at %d of %d asks for %q, want %q", name, c.offset, c.length, asked, c.want)
			}
		}
	}
}

func TestBrokenBodyIsUnreachable(t *testing.T) {
	for name, client := range dialects(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", "Fri, 20 Nov 2026 14:00:00 GMT")
		_, _ = w.Write(make([]byte, 500)) // and the connection ends
	}) {
		if err := get(client); !errors.Is(err, store.ErrUnreachable) {
			t.Errorf("%s: get: %v, want ErrUnreachable", name, err)
		}
		if _, err := list(client, bucket.Query{}); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: a listing that is none of S3: %v, want ErrInvalid", name, err)
		}
	}
}

// TestAListingThatBreaksOffMayBeAskedForAgain is about an answer of S3 whose connection ends in the
// middle.
func TestAListingThatBreaksOffMayBeAskedForAgain(t *testing.T) {
	for name, client := range dialects(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `<ListBucketResult><Contents><Key>a</Key>`)
	}) {
		if _, err := list(client, bucket.Query{}); !errors.Is(err, store.ErrUnreachable) || !retry.Transient(err) {
			t.Errorf("%s: %v, want ErrUnreachable", name, err)
		}
	}
}

func TestPageWithoutAWayToTheNextIsAnError(t *testing.T) {
	var requests atomic.Int32
	for name, client := range dialects(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		fmt.Fprint(w, `<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`)
	}) {
		requests.Store(0)
		if _, err := list(client, bucket.Query{}); err == nil || retry.Transient(err) || requests.Load() != 1 {
			t.Errorf("%s: list: %v after %d requests, want an error after 1", name, err, requests.Load())
		}
	}
}

func TestEndedContextEndsARequestUnderWay(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	clients := dialects(t, func(_ http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	t.Cleanup(func() { close(release) })
	for name, client := range clients {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-arrived
			cancel()
		}()
		if _, _, err := client.Get(ctx, bucket.Ref{Key: "key"}, 0, -1); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: get: %v, want context.Canceled", name, err)
		}
	}
}

func TestSilenceIsUnreachableAndSaysWhatToDo(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	bare(t, server.URL)
	for _, address := range []string{"s3://bucket", "minio+" + server.URL + "/bucket"} {
		a, err := bucket.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		client, err := bucket.Open(context.Background(), a, bucket.Options{AccessKey: "a", SecretKey: "s"})
		if err != nil {
			t.Fatal(err)
		}
		var failed *bucket.Error
		if err := put(client); !errors.As(err, &failed) || !failed.Silent() || !errors.Is(err, store.ErrUnreachable) ||
			!strings.HasPrefix(err.Error(), "storage unreachable: dial tcp ") || !strings.HasSuffix(err.Error(), "; check the address and that the server runs") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// endless answers with the beginning of an answer and then with piece again and again, until the
// client goes away; it counts what it could send.
func endless(sent *atomic.Int64, status int, begin, piece string) http.HandlerFunc {
	piece = strings.Repeat(piece, 1+(64<<10)/len(piece))
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", "Fri, 20 Nov 2026 14:00:00 GMT")
		w.WriteHeader(status)
		fmt.Fprint(w, begin)
		for range 1 << 30 / len(piece) { // as if without end
			n, err := io.WriteString(w, piece)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}
}

// TestAnAnswerWithoutEndIsCutOff has a hostile server send a gigabyte where a few kilobytes belong.
func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	const entry = `<Contents><Key>a</Key><Size>1</Size><LastModified>2026-11-20T14:00:00.000Z</LastModified></Contents>`
	listing := func(q bucket.Query) func(*bucket.Client) error {
		return func(c *bucket.Client) error { _, err := list(c, q); return err }
	}
	answers := map[string]struct {
		begin, piece string
		ask          func(*bucket.Client) error
	}{
		"a listing of many objects": {`<ListBucketResult>`, entry, listing(bucket.Query{})},
		"a listing of one long key": {`<ListBucketResult><Contents><Key>`, `a`, listing(bucket.Query{})},
		"a listing of prefixes":     {`<ListBucketResult><CommonPrefixes><Prefix>`, `a/`, listing(bucket.Query{Delimited: true})},
		"a listing of versions":     {`<ListVersionsResult><Version><Key>`, `a`, listing(bucket.Query{Versions: true})},
		"versioning":                {`<VersioningConfiguration><Status>`, `a`, versioned},
		"tags":                      {`<Tagging><TagSet><Tag><Key>`, `a`, tags},
		"the answer to a put":       {``, `x`, func(c *bucket.Client) error { _ = put(c); return nil }},
		"an upload that begins": {`<InitiateMultipartUploadResult><UploadId>`, `x`, func(c *bucket.Client) error {
			_, err := c.Begin(context.Background(), "key", bucket.PutOptions{})
			return err
		}},
		"a removal": {`<DeleteResult><Deleted><Key>`, `a`, func(c *bucket.Client) error {
			return c.Remove(context.Background(), "a", "b")
		}},
	}
	const most = 64 << 20 // of what may lie in buffers of the network on both sides
	for _, what := range slices.Sorted(maps.Keys(answers)) {
		a := answers[what]
		var sent atomic.Int64
		for name, client := range dialects(t, endless(&sent, http.StatusOK, a.begin, a.piece)) {
			sent.Store(0)
			begun := time.Now()
			err := a.ask(client)
			again := err != nil && retry.Transient(err) && !errors.Is(err, net.ErrClosed) // an SDK may end the connection of its own accord
			if sent.Load() > most || again || err == nil && what != "the answer to a put" {
				t.Errorf("%s: %s: %v after %d bytes in %v, want a final error after a few", name, what, err, sent.Load(), time.Since(begun))
			}
		}
	}
}

func TestAnErrorWithoutEndIsCutOff(t *testing.T) {
	for _, c := range []struct {
		status int
		begin  string
		want   error
	}{
		{403, `<Error><Code>AccessDenied</Code><Message>`, store.ErrDenied},
		{404, `<Error><Code>NoSuchKey</Code><Message>`, store.ErrNotExist},
		{404, `<html>`, store.ErrInvalid},
		{503, `<Error><Code>SlowDown</Code><Message>`, store.ErrUnreachable},
	} {
		var sent atomic.Int64
		for name, client := range dialects(t, endless(&sent, c.status, c.begin, "no and no again ")) {
			sent.Store(0)
			for act, err := range map[string]error{"get": get(client), "put": put(client)} {
				if !errors.Is(err, c.want) || len(err.Error()) > 200<<10 {
					t.Errorf("%s: %s: %.200v, want %v", name, act, err, c.want)
				}
			}
			if sent.Load() > 64<<20 {
				t.Errorf("%s: %d: %d bytes were taken", name, c.status, sent.Load())
			}
		}
	}
}

func TestTheEarliestExpiryOfAVersionCounts(t *testing.T) {
	const rule = `<Rule><Status>%s</Status>%s<NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays></NoncurrentVersionExpiration></Rule>`
	filter := func(prefix string) string { return "<Filter><Prefix>" + prefix + "</Prefix></Filter>" }
	for _, c := range []struct {
		rules []string
		want  int
	}{
		{nil, 0},
		{[]string{fmt.Sprintf(rule, "Enabled", filter(""), 40), fmt.Sprintf(rule, "Enabled", filter("some/packs/"), 20)}, 20},
		{[]string{fmt.Sprintf(rule, "Disabled", filter(""), 1), fmt.Sprintf(rule, "Enabled", filter("other/"), 2)}, 0},
		{[]string{fmt.Sprintf(rule, "Enabled", "<Prefix>some/</Prefix>", 7)}, 7},
		{[]string{fmt.Sprintf(rule, "Enabled", "<Filter><And><Prefix>so</Prefix><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></And></Filter>", 9)}, 9},
		{[]string{`<Rule><Status>Enabled</Status><Filter/><Expiration><Days>3</Days></Expiration></Rule>`}, 0},
	} {
		for name, client := range dialects(t, func(w http.ResponseWriter, _ *http.Request) {
			if c.rules == nil {
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprint(w, `<Error><Code>NoSuchLifecycleConfiguration</Code></Error>`)
				return
			}
			fmt.Fprintf(w, `<LifecycleConfiguration>%s</LifecycleConfiguration>`, strings.Join(c.rules, ""))
		}) {
			if got, err := client.Expiry(context.Background()); err != nil || got != c.want {
				t.Errorf("%s: %v: %d days, %v, want %d", name, c.rules, got, err, c.want)
			}
		}
	}
	for name, client := range dialects(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }) {
		if _, err := client.Expiry(context.Background()); !errors.Is(err, store.ErrDenied) {
			t.Errorf("%s: %v, want ErrDenied", name, err)
		}
	}
}
