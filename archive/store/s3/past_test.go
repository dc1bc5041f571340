package s3_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/s3"
	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/archive/store/storetest"
)

// future is after everything that a test puts.
var future = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)

// readPast writes to a bucket as it is and reads it by versions, so that the suite of all stores
// tests what a Past reads. It deletes all versions, since versitygw refuses to put what a delete
// marker hides.
type readPast struct {
	*s3.Store
	destroy func(name string)
}

func (s readPast) Delete(ctx context.Context, name string) error {
	if err := s.Store.Delete(ctx, name); err != nil {
		return err
	}
	s.destroy(name)
	return nil
}

func (s readPast) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	return s.AsOf(future).Get(ctx, name, offset, length, dst)
}

func (s readPast) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return s.AsOf(future).List(ctx, prefix, after)
}

// keepVersions turns on the versioning of a bucket, or suspends it.
func keepVersions(t testing.TB, server *s3test.Server, name string, status types.BucketVersioningStatus) {
	t.Helper()
	_, err := server.Client().PutBucketVersioning(t.Context(), &sdk.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatAPastReadsHoldsTheContract(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	for sdk, p := range places(t, server) {
		keepVersions(t, server, p.address.Bucket, types.BucketVersioningStatusEnabled)
		t.Run(sdk, func(t *testing.T) {
			var n atomic.Int32
			storetest.Run(t, func(t *testing.T) store.Store {
				p.address.Prefix = fmt.Sprintf("past-%s-%d/", sdk, n.Add(1))
				at := p.address
				s := readPast{open(t, p), func(name string) { destroy(t, server, at, name) }}
				return retry.New(s, retry.Options{}) // versitygw fails to list a version that is just being destroyed
			})
		})
	}
}

func mustPut(t *testing.T, s *s3.Store, name, text string) {
	t.Helper()
	if err := s.Put(t.Context(), name, []byte(text), sha256.Sum256([]byte(text))); err != nil {
		t.Fatal(err)
	}
}

// now returns a time between what was done before and what will be done after, by a clock that
// counts in units: milliseconds in the version ids of versitygw, and seconds in its LastModified.
// The clock of a file system is up to ten milliseconds late.
func now(unit time.Duration) time.Time {
	const late = 20 * time.Millisecond
	at := time.Now()
	time.Sleep(time.Until(at.Truncate(unit).Add(unit + late)))
	return at
}

// content lists a store and reads all objects.
func content(t *testing.T, s store.Store) string {
	t.Helper()
	var all []string
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), info.Name, 0, -1, nil)
		if err != nil || int64(len(got)) != info.Size {
			t.Errorf("get %s: %d bytes of %d, %v", info.Name, len(got), info.Size, err)
		}
		all = append(all, info.Name+"="+string(got))
	}
	return strings.Join(all, " ")
}

// TestAPastShowsWhatWasThere destroys everything as a thief of the bucket's credentials would, and
// then suspends the versioning.
func TestAPastShowsWhatWasThere(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	for sdk, p := range places(t, server) {
		keepVersions(t, server, p.address.Bucket, types.BucketVersioningStatusEnabled)
		p.address.Prefix = sdk + "/"
		s := open(t, p)
		empty := now(time.Millisecond)
		for _, name := range []string{"a", "b/1", "b/2", "b/3", "c/1"} {
			mustPut(t, s, name, "old "+name)
		}
		if err := s.Delete(t.Context(), "b/2"); err != nil {
			t.Fatal(err)
		}
		before := now(time.Millisecond)
		for _, name := range []string{"a", "b/1", "b/1", "b/2"} {
			if err := s.Overwrite(t.Context(), name, []byte("garbage")); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"b/1", "b/3", "c/1"} {
			if err := s.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		mustPut(t, s, "d", "garbage")
		after := now(time.Second)
		keepVersions(t, server, p.address.Bucket, types.BucketVersioningStatusSuspended)
		if err := s.Overwrite(t.Context(), "c/1", []byte("later")); err != nil {
			t.Fatal(err)
		}
		for at, want := range map[time.Time]string{
			empty:  "",
			before: "a=old a b/1=old b/1 b/3=old b/3 c/1=old c/1",
			after:  "a=garbage b/2=garbage d=garbage",
			future: "a=garbage b/2=garbage c/1=later d=garbage",
		} {
			if got := content(t, s.AsOf(at)); got != want {
				t.Errorf("%s: as of %v there is %q, want %q", sdk, at, got, want)
			}
		}
		if _, err := s.AsOf(before).Get(t.Context(), "b/2", 0, -1, nil); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("%s: get what was deleted then: %v, want ErrNotExist", sdk, err)
		}
	}
}

func TestAPastCannotBeChanged(t *testing.T) {
	for sdk, s := range stub(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the server is asked for %s %s", r.Method, r.URL)
	}) {
		past := s.AsOf(future)
		if err := past.Put(t.Context(), "a", nil, sha256.Sum256(nil)); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: put: %v, want ErrInvalid", sdk, err)
		}
		if err := past.Delete(t.Context(), "a"); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: delete: %v, want ErrInvalid", sdk, err)
		}
		if err := past.Sync(t.Context()); err != nil || past.Location() != s.Location() {
			t.Errorf("%s: sync: %v; location %s", sdk, err, past.Location())
		}
		if _, ok := store.Store(past).(store.Overwriter); ok {
			t.Errorf("%s: a past can be overwritten", sdk)
		}
	}
}

func TestAPastOfABucketWithoutVersionsIsRefused(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	for sdk, p := range places(t, server) {
		s := open(t, p)
		mustPut(t, s, sdk, "x")
		_, err := s.AsOf(future).Get(t.Context(), sdk, 0, -1, nil)
		if !errors.Is(err, bucket.ErrNoVersions) || retry.Transient(err) || !strings.Contains(err.Error(), "turn on its versioning") {
			t.Errorf("%s: %v, want ErrNoVersions with its cure", sdk, err)
		}
	}
}

// TestTheRightThatIsMissingIsNamed has a reader who may do what reading needs, and then also list
// versions, but not get them.
func TestTheRightThatIsMissingIsNamed(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	server.AddUser(t, "reader", "reader-secret")
	for sdk, p := range places(t, server) {
		keepVersions(t, server, p.address.Bucket, types.BucketVersioningStatusEnabled)
		mustPut(t, open(t, p), "a"+sdk, "x")
		p.options.AccessKey, p.options.SecretKey = "reader", "reader-secret"
		objects := s3test.Grant{AccessKey: "reader", Actions: []string{"s3:GetObject"}, Objects: []string{"*"}}
		for _, c := range []struct{ bucket, missing string }{
			{"s3:ListBucket", "s3:ListBucketVersions"},
			{"s3:ListBucketVersions", "s3:GetObjectVersion"},
		} {
			server.SetPolicy(t, p.address.Bucket, objects, s3test.Grant{AccessKey: "reader", Actions: []string{c.bucket}})
			_, err := open(t, p).AsOf(future).Get(t.Context(), "a"+sdk, 0, -1, nil)
			if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "permit these keys "+c.missing) {
				t.Errorf("%s: with %s: %v, want that %s is missing", sdk, c.bucket, err, c.missing)
			}
		}
		objects.Actions = []string{"s3:GetObjectVersion"}
		server.SetPolicy(t, p.address.Bucket, objects, s3test.Grant{AccessKey: "reader", Actions: []string{"s3:ListBucketVersions"}})
		if got := content(t, open(t, p).AsOf(future)); !strings.Contains(got, "a"+sdk+"=x") {
			t.Errorf("%s: the least rights show %q", sdk, got)
		}
	}
}

func TestAVersionThatWasDeletedIsMissing(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	for sdk, p := range places(t, server) {
		keepVersions(t, server, p.address.Bucket, types.BucketVersioningStatusEnabled)
		p.address.Prefix = sdk + "/"
		s := open(t, p)
		mustPut(t, s, "a", "x")
		listed := s.AsOf(future)
		if got := content(t, listed); got != "a=x" {
			t.Fatalf("%s: there is %q", sdk, got)
		}
		destroy(t, server, p.address, "a")
		for what, past := range map[string]*s3.Past{"listed before": listed, "listed after": s.AsOf(future)} {
			if _, err := past.Get(t.Context(), "a", 0, -1, nil); !errors.Is(err, store.ErrNotExist) {
				t.Errorf("%s: %s: %v, want ErrNotExist", sdk, what, err)
			}
		}
	}
}

// destroy deletes all versions of an object, and its delete markers.
func destroy(t *testing.T, server *s3test.Server, at bucket.Address, name string) {
	t.Helper()
	ctx, key := context.WithoutCancel(t.Context()), at.Prefix+name
	list, err := server.Client().ListObjectVersions(ctx, &sdk.ListObjectVersionsInput{Bucket: &at.Bucket, Prefix: &key})
	if err != nil {
		t.Fatal(err)
	}
	var ids []*string
	for _, v := range list.Versions {
		if *v.Key == key {
			ids = append(ids, v.VersionId)
		}
	}
	for _, m := range list.DeleteMarkers {
		if *m.Key == key {
			ids = append(ids, m.VersionId)
		}
	}
	for _, id := range ids {
		_, err := server.Client().DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: &at.Bucket, Key: &key, VersionId: id})
		if code := errorCode(err); err != nil && code != "InvalidArgument" && code != "NoSuchVersion" { // so versitygw calls one that somebody else has destroyed
			t.Fatal(err)
		}
	}
}

// errorCode returns the code of an answer of S3, or nothing.
func errorCode(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return answer.ErrorCode()
	}
	return ""
}

// versionServer is a bucket of which only versions can be read. Its times have whole seconds, as
// those of AWS.
type versionServer struct {
	versions []listedVersion // sorted by key, the newest first
	page     int             // how many one answer holds; 0: 1000
	// backwards does not look for where a page begins by the order of keys.
	backwards bool
	fail      func(request int, w http.ResponseWriter) bool
	requests  atomic.Int64
}

type listedVersion struct {
	key, id string
	second  int // after 14:00
	deleted bool
}

func (s *versionServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.requests.Add(1)
	q := r.URL.Query()
	switch {
	case s.fail != nil && s.fail(int(n), w):
	case q.Has("versioning"):
		fmt.Fprint(w, `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`)
	case q.Has("versions"):
		s.list(w, q.Get("prefix"), q.Get("key-marker"), q.Get("version-id-marker"))
	default:
		w.Header().Set("Last-Modified", "Fri, 20 Nov 2026 14:00:00 GMT")
		w.Header().Set("ETag", `"e"`)
		_, _ = io.WriteString(w, r.URL.Query().Get("versionId"))
	}
}

func (s *versionServer) list(w io.Writer, prefix, key, id string) {
	fmt.Fprint(w, `<ListVersionsResult>`)
	defer fmt.Fprint(w, `</ListVersionsResult>`)
	page, listed, last := s.page, 0, listedVersion{}
	if page == 0 {
		page = 1000
	}
	begun := id == ""
	for _, v := range s.versions {
		switch {
		case !strings.HasPrefix(v.key, prefix) || v.key < key && !s.backwards || v.key == key && id == "":
			continue
		case !begun:
			begun = v.key == key && v.id == id
			continue
		case listed == page:
			fmt.Fprintf(w, `<IsTruncated>true</IsTruncated><NextKeyMarker>%s</NextKeyMarker><NextVersionIdMarker>%s</NextVersionIdMarker>`, last.key, last.id)
			return
		}
		element := "Version"
		if v.deleted {
			element = "DeleteMarker"
		}
		fmt.Fprintf(w, `<%s><Key>%s</Key><VersionId>%s</VersionId><Size>%d</Size><LastModified>2026-11-20T14:00:%02d.000Z</LastModified></%[1]s>`,
			element, v.key, v.id, len(v.id), v.second)
		listed, last = listed+1, v
	}
}

// at returns a time, in seconds after 14:00.
func at(seconds float64) time.Time {
	return time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// many is how many versions the objects b and c of a test have.
const many = 3500

func manyVersions() *versionServer {
	s := &versionServer{versions: []listedVersion{{"a", "a1", 1, false}}}
	for _, key := range []string{"b", "c"} {
		for i := range many {
			s.versions = append(s.versions, listedVersion{key, key + strconv.Itoa(many-i), 59 - i*60/many, false})
		}
	}
	s.versions = append(s.versions, listedVersion{"d/1", "d1", 5, false}, listedVersion{"d/2", "d2", 5, true})
	return s
}

func TestAListingOfVersionsCostsARequestForEachThousand(t *testing.T) {
	server := manyVersions()
	for sdk, s := range stub(t, server.ServeHTTP) {
		server.requests.Store(0)
		past := s.AsOf(at(30))
		var names []string
		for info, err := range past.List(t.Context(), "", "") {
			if err != nil {
				t.Fatalf("%s: %v", sdk, err)
			}
			names = append(names, info.Name)
		}
		const versioning, pages = 1, (2*many + 3 + 999) / 1000
		if got := server.requests.Load(); fmt.Sprint(names) != "[a b c d/1]" || got != versioning+pages {
			t.Errorf("%s: %v with %d requests, want [a b c d/1] with %d", sdk, names, got, versioning+pages)
		}
		server.requests.Store(0)
		for range 3 {
			if _, err := past.Get(t.Context(), "d/1", 0, -1, nil); err != nil {
				t.Errorf("%s: %v", sdk, err)
			}
		}
		if got := server.requests.Load(); got != 4 {
			t.Errorf("%s: 3 objects of one folder take %d requests, want 4", sdk, got)
		}
	}
}

func TestAVersionOfTheVeryMomentCounts(t *testing.T) {
	server := &versionServer{versions: []listedVersion{
		{"a", "a3", 20, false}, {"a", "a2", 10, false}, {"a", "a1", 10, false},
		{"b", "b2", 10, true}, {"b", "b1", 5, false},
		{"c", "01M8NMMEVPQA8Q267F3667AQBK", 0, false}, // a ULID of 2026-11-30, whatever LastModified says
	}}
	for sdk, s := range stub(t, server.ServeHTTP) {
		for moment, want := range map[float64]string{
			0: "", 4: "", 5: "b=b1", 9.999: "b=b1", 10: "a=a2", 10.5: "a=a2", 19: "a=a2", 20: "a=a3", 30: "a=a3",
			10 * 24 * 3600: "a=a3 c=01M8NMMEVPQA8Q267F3667AQBK",
		} {
			if got := content(t, s.AsOf(at(moment))); got != want {
				t.Errorf("%s: %v seconds after 14:00 there is %q, want %q", sdk, moment, got, want)
			}
		}
	}
}

// TestAListingThatFailsGoesOn fails each request in turn: the failure is told, and the next call
// begins after the last object whose versions are known.
func TestAListingThatFailsGoesOn(t *testing.T) {
	server := manyVersions()
	const all = 1 + (2*many+3+999)/1000
	for sdk, s := range stub(t, server.ServeHTTP) {
		for broken := 1; broken <= all; broken++ {
			server.requests.Store(0)
			server.fail = func(request int, w http.ResponseWriter) bool {
				if request == broken {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return request == broken
			}
			past := s.AsOf(at(30))
			var first error
			for _, err := range past.List(t.Context(), "", "") {
				first = err
			}
			if !errors.Is(first, store.ErrUnreachable) || !retry.Transient(first) {
				t.Errorf("%s: request %d fails: %v, want ErrUnreachable", sdk, broken, first)
			}
			server.fail = nil
			var sizes []string
			for info, err := range past.List(t.Context(), "", "") {
				if err != nil {
					t.Errorf("%s: after request %d has failed: %v", sdk, broken, err)
				}
				sizes = append(sizes, fmt.Sprintf("%s:%d", info.Name, info.Size))
			}
			if got, want := fmt.Sprint(sizes), "[a:2 b:5 c:5 d/1:2]"; got != want {
				t.Errorf("%s: after request %d has failed there is %q, want %q", sdk, broken, got, want)
			}
			const oneObject = many/1000 + 1 // whose versions are not complete when a request fails
			if got, most := server.requests.Load(), int64(all+1+oneObject); got > most {
				t.Errorf("%s: after request %d has failed it took %d requests, want at most %d", sdk, broken, got, most)
			}
		}
	}
}

func TestAListingOfVersionsThatMakesNoSenseIsRefused(t *testing.T) {
	for what, versions := range map[string][]listedVersion{
		"out of order":    {{"b", "b2", 2, false}, {"b", "b1", 1, false}, {"a", "a1", 1, false}},
		"without version": {{"a", "", 1, false}},
	} {
		server := &versionServer{versions: versions, page: 2, backwards: true}
		for sdk, s := range stub(t, server.ServeHTTP) {
			for info, err := range s.AsOf(at(30)).List(t.Context(), "", "") {
				if !errors.Is(err, store.ErrInvalid) || retry.Transient(err) {
					t.Errorf("%s: %s: %v, %v, want ErrInvalid", sdk, what, info, err)
				}
			}
		}
	}
}

func TestWaitingForAListingEndsWithTheContext(t *testing.T) {
	arrived, release := make(chan struct{}, 9), make(chan struct{})
	defer close(release)
	for sdk, s := range stub(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}) {
		past := s.AsOf(future)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := past.Get(ctx, "a", 0, -1, nil)
				ended <- err
			}()
		}
		<-arrived
		cancel()
		for range 2 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want context.Canceled", sdk, err)
			}
		}
	}
}
