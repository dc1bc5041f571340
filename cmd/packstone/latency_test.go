package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/archive/store/s3test/proxy"
)

// farStorage is an S3 server far away, and a program that uses it.
type farStorage struct {
	t     *testing.T
	home  string
	env   []string
	proxy *proxy.Proxy
}

func newFarStorage(t *testing.T, latency time.Duration) *farStorage {
	return newStorageBehind(t, proxy.Options{Latency: latency})
}

// newStorageInTurns is storage that answers a process in turns.
func newStorageInTurns(t *testing.T) (*farStorage, *turns) {
	inTurns := new(turns)
	return newStorage(t, proxy.Options{}, func(p http.Handler) http.Handler { inTurns.next = p; return inTurns }), inTurns
}

func newStorageBehind(t *testing.T, o proxy.Options) *farStorage {
	return newStorage(t, o, func(p http.Handler) http.Handler { return p })
}

func newStorage(t *testing.T, o proxy.Options, before func(http.Handler) http.Handler) *farStorage {
	server := s3test.Start(t, s3test.Options{})
	o.Target = server.Endpoint
	p, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(before(p))
	t.Cleanup(front.Close)
	home := t.TempDir()
	return &farStorage{t: t, home: home, proxy: p, env: []string{
		"HOME=" + home, "PACKSTONE_REPOSITORY=minio+" + front.URL + "/" + server.Bucket(t) + "/p",
		"PACKSTONE_S3_ACCESS_KEY=" + server.AccessKey, "PACKSTONE_S3_SECRET_KEY=" + server.SecretKey,
	}}
}

// run runs a verb, and returns what its summary tells of requests. It fails the test unless that is
// what the proxy has counted.
func (f *farStorage) run(args ...string) count.Totals {
	f.t.Helper()
	f.proxy.Reset()
	code, stdout, stderr := runWith(f.t, f.env, append(args, "--json")...)
	if code != 0 {
		f.t.Fatalf("%v ends with %d\n%s%s", args, code, stdout, stderr)
	}
	f.proxy.Wait()
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var summary struct{ Requests count.Totals }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil {
		f.t.Fatalf("%v: %v in %s", args, err, stdout)
	}
	r := summary.Requests
	if told, seen := r.Put.Calls+r.Get.Calls+r.List.Calls+r.Delete.Calls, f.proxy.Requests("", ""); told < seen || told > seen+2 { // a second request for the same may have been ended before it was sent
		f.t.Errorf("%v tells of %d requests, the proxy counted %d: %+v", args, told, seen, f.proxy.Counts())
	}
	return r
}

// packs is what the proxy counted of packs.
func (f *farStorage) packs(method string) proxy.Count {
	for _, c := range f.proxy.Counts() {
		if c.Method == method && c.Kind == "packs" {
			return c
		}
	}
	return proxy.Count{}
}

func TestRequestsToAFarStorageAreFewAndOverlap(t *testing.T) {
	f := newFarStorage(t, 50*time.Millisecond)
	if code, stdout, stderr := runWith(t, f.env, "init"); code != 0 {
		t.Fatalf("init ends with %d\n%s%s", code, stdout, stderr)
	}
	const files, size, packSize = 24, 4 << 20, 8 << 20
	dir := t.TempDir()
	r, content := rand.NewChaCha8([32]byte{1}), make([]byte, size)
	for i := range files {
		r.Read(content)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	// Named in the settings, since a directory that is named on the command line comes with those
	// above it, which others change.
	settings := filepath.Join(t.TempDir(), "packstone.yaml")
	if err := os.WriteFile(settings, []byte("version: 1\nsources:\n  files: {type: files, path: "+dir+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "PACKSTONE_CONFIG="+settings)

	first := f.run("backup", "--pack-size", "8MiB", "files")
	up := f.packs("PUT")
	// A pack is closed from three quarters full on.
	if least, most := int64(files*size/packSize), int64(files*size/packSize*4/3+1); up.Requests < least || up.Requests > most {
		t.Errorf("%d uploads of packs, want %d to %d", up.Requests, least, most)
	}
	if up.AtOnce < 2 {
		t.Errorf("%d uploads at once, want 2", up.AtOnce)
	}
	if others := f.proxy.Requests("", "") - up.Requests; others > 24 {
		t.Errorf("a first backup made %d requests beside packs, want at most 24: %+v", others, first)
	}

	if f.run("backup", "files"); f.proxy.Requests("", "") > 10 {
		t.Errorf("a backup of nothing new made %d requests, want at most 10: %+v", f.proxy.Requests("", ""), f.proxy.Counts())
	}

	to := t.TempDir()
	f.run("restore", "latest", "--target", to)
	down := f.packs("GET")
	// Where connections are slow, a request fetches a megabyte at least.
	if most := up.Requests * (packSize>>20 + 1); down.Requests > most {
		t.Errorf("%d requests for %d packs, want at most %d", down.Requests, up.Requests, most)
	}
	if down.AtOnce < 4 || down.Received > up.Sent*107/100 { // what two of them share is 64 KiB
		t.Errorf("%d downloads at once, want at least 4; %d bytes came of %d", down.AtOnce, down.Received, up.Sent)
	}
	t.Logf("up %+v, down %+v", up, down)
}

// TestFewRoundTripsAreWaitedForOneAfterTheOther counts the round trips that must end before the
// next can begin. The keys of a repository decide where a tree is cut into pages: now and then it has
// one pack more than two, whose directory and page a reader waits for.
func TestFewRoundTripsAreWaitedForOneAfterTheOther(t *testing.T) {
	f, inTurns := newStorageInTurns(t)
	dir := t.TempDir()
	for i := range 600 { // more than one page of a tree
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Appendf(nil, "content %d", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settings := filepath.Join(t.TempDir(), "packstone.yaml")
	if err := os.WriteFile(settings, []byte("version: 1\nsources:\n  files: {type: files, path: "+dir+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host := append(f.env, "PACKSTONE_CONFIG="+settings)
	fresh := func() []string {
		return append(f.env, "HOME="+t.TempDir(), "PACKSTONE_IDENTITY_FILE="+filepath.Join(f.home, ".config/packstone/identity.txt"))
	}
	trees := int64(0) // packs of them that were stored
	for _, c := range []struct {
		most  int64
		reads bool // of a tree
		env   []string
		args  []string
	}{
		{20, false, host, []string{"init"}},
		{8, false, host, []string{"backup", "files"}},
		{5, false, host, []string{"backup", "files"}},
		{4, false, fresh(), []string{"snapshots"}},
		{5, true, fresh(), []string{"ls", "latest:files"}},
		{6, true, fresh(), []string{"restore", "latest:files/7", "--target", t.TempDir()}},
	} {
		f.proxy.Reset()
		n, most := inTurns.run(t, c.env, c.args...), c.most
		trees += f.proxy.Requests(http.MethodPut, "trees")
		if c.reads {
			most += 2 * max(0, trees-2)
		}
		t.Logf("%v: %d one after the other, of %d", c.args, n, f.proxy.Requests("", ""))
		if n > most {
			t.Errorf("%v waited for %d requests one after the other, want at most %d: %+v", c.args, n, most, f.proxy.Counts())
		}
	}
}

// TestAServerThatRefusesWhatIsTooMuchGetsAllInTheEnd has a server that does four things at once,
// and answers 503 to more.
func TestAServerThatRefusesWhatIsTooMuchGetsAllInTheEnd(t *testing.T) {
	f := newStorageBehind(t, proxy.Options{Latency: 20 * time.Millisecond, Most: 4})
	dir, to := t.TempDir(), t.TempDir()
	r, content := rand.NewChaCha8([32]byte{1}), make([]byte, 1<<20)
	for i := range 24 {
		r.Read(content)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init"}, {"backup", "--pack-size", "2MiB", dir}, {"restore", "latest", "--target", to}, {"check", "--read-data"},
	} {
		if code, stdout, stderr := runWith(t, f.env, args...); code != 0 {
			t.Fatalf("%v ends with %d\n%s%s", args, code, stdout, stderr)
		}
	}
	f.proxy.Wait()
	refused := int64(0)
	for _, c := range f.proxy.Counts() {
		refused += c.Refused
	}
	if refused == 0 {
		t.Error("nothing was refused, so nothing was tested")
	}
	t.Logf("%d of %d were refused", refused, f.proxy.Requests("", ""))
}
