package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive/store/s3test"
)

// flakyStorage is an S3 server behind one that answers 503 to every fourth request, and cuts the
// connection after it has passed on every seventh, so that its answer is lost.
func flakyStorage(t *testing.T) (env []string, refused, lost *atomic.Int32) {
	server := s3test.Start(t, s3test.Options{})
	target, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(target)
	var requests atomic.Int32
	refused, lost = new(atomic.Int32), new(atomic.Int32)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := requests.Add(1); {
		case n%4 == 0:
			refused.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		case n%7 == 0:
			through.ServeHTTP(httptest.NewRecorder(), r)
			lost.Add(1)
			panic(http.ErrAbortHandler)
		default:
			through.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return []string{
		"HOME=" + t.TempDir(), "PACKSTONE_REPOSITORY=minio+" + front.URL + "/" + server.Bucket(t) + "/p",
		"PACKSTONE_S3_ACCESS_KEY=" + server.AccessKey, "PACKSTONE_S3_SECRET_KEY=" + server.SecretKey,
	}, refused, lost
}

// directoryWith is a directory with one file.
func directoryWith(t *testing.T, content string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestARepositoryIsMadeProvedAndCheckedOnFlakyStorage(t *testing.T) {
	env, refused, lost := flakyStorage(t)
	dir := directoryWith(t, "content")
	for _, args := range [][]string{{"init"}, {"backup", dir}, {"doctor"}, {"check", "--read-data"}} {
		refused.Store(0)
		lost.Store(0)
		code, stdout, stderr := runWith(t, env, args...)
		if code != 0 || refused.Load() == 0 || lost.Load() == 0 {
			t.Fatalf("%v ends with %d, after %d refused requests and %d lost answers\n%s%s", args, code, refused.Load(), lost.Load(), stdout, stderr)
		}
	}
}

// TestWhatConcernsBucketsAloneStopsNoLocalRepository has settings of the environment lead nowhere.
func TestWhatConcernsBucketsAloneStopsNoLocalRepository(t *testing.T) {
	gone := t.TempDir() + "/gone"
	dir := directoryWith(t, "content")
	for _, name := range []string{"AWS_CA_BUNDLE", "PACKSTONE_S3_ACCESS_KEY_FILE", "PACKSTONE_S3_SECRET_KEY_FILE", "PACKSTONE_LAKE_ACCESS_KEY_FILE"} {
		home := t.TempDir()
		env := []string{"HOME=" + home, name + "=" + gone}
		for _, args := range [][]string{{"init"}, {"backup", dir}, {"restore", "latest", "--target", home + "/restored"}, {"check"}, {"doctor"}} {
			if code, stdout, stderr := runWith(t, env, args...); code != 0 {
				t.Errorf("%s: %v ends with %d\n%s%s", name, args, code, stdout, stderr)
			}
		}
		if name == "PACKSTONE_LAKE_ACCESS_KEY_FILE" {
			continue
		}
		env = append(env, "PACKSTONE_REPOSITORY=minio+http://127.0.0.1:1/bucket", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s")
		if code, _, stderr := runWith(t, env, "snapshots"); code == 0 || !strings.Contains(stderr, gone) {
			t.Errorf("%s: a bucket is used without: %d\n%s", name, code, stderr)
		}
	}
}
