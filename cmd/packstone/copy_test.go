package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive/store/s3test"
)

// holdPoint is a request to a bucket that is held, so that whoever waits for its answer can be
// killed there.
type holdPoint struct {
	objects string // below the repository, such as packs/
	number  int32  // which of them, from 1
	passed  bool   // the server has it; else it never gets there
}

// holdingStorage is an S3 server behind one that holds a request.
type holdingStorage struct {
	address string
	through *httputil.ReverseProxy

	mu      sync.Mutex
	at      *holdPoint
	seen    int32
	reached chan struct{}
	over    chan struct{} // whoever was held is gone
}

func newHoldingStorage(t *testing.T, server *s3test.Server) *holdingStorage {
	t.Helper()
	target, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	h := &holdingStorage{through: httputil.NewSingleHostReverseProxy(target)}
	h.through.ErrorLog = log.New(io.Discard, "", 0) // of requests whose program was killed
	front := httptest.NewServer(h)
	t.Cleanup(front.Close)
	h.address = "minio+" + front.URL + "/" + server.Bucket(t) + "/p"
	return h
}

// hold lets no answer come to a request from now on, until release is called; reached is closed
// when it has come.
func (h *holdingStorage) hold(at *holdPoint) (reached chan struct{}, release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	over := make(chan struct{})
	h.at, h.seen, h.reached, h.over = at, 0, make(chan struct{}), over
	return h.reached, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.at = nil
		close(over)
	}
}

// ServeHTTP implements http.Handler.
func (h *holdingStorage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	at, reached, over := h.at, h.reached, h.over
	met := at != nil && r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/p/"+at.objects)
	if met {
		h.seen++
		met = h.seen == at.number
	}
	h.mu.Unlock()
	switch {
	case !met:
		h.through.ServeHTTP(w, r)
		return
	case at.passed:
		h.through.ServeHTTP(httptest.NewRecorder(), r)
	}
	close(reached)
	<-over
}

// copyStation has two repositories in buckets, whose keys lie in homes of their own.
type copyStation struct {
	t    *testing.T
	env  []string
	from string
	to   *holdingStorage
	data string
}

func newCopyStation(t *testing.T, sameDomain bool) *copyStation {
	server := s3test.Start(t, s3test.Options{})
	home := t.TempDir()
	s := &copyStation{t: t, from: newHoldingStorage(t, server).address, to: newHoldingStorage(t, server), data: filepath.Join(home, "data")}
	s.env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home+"/config", "XDG_CACHE_HOME="+home+"/cache", "XDG_DATA_HOME="+home+"/share",
		"PACKSTONE_S3_ACCESS_KEY="+server.AccessKey, "PACKSTONE_S3_SECRET_KEY="+server.SecretKey)
	s.run("init", "-r", s.from)
	init := []string{"init", "-r", s.to.address}
	if sameDomain {
		init = append(init, "--same-domain-as", s.from)
	}
	s.run(init...)
	r := rand.NewChaCha8([32]byte{7})
	for i := range 3 {
		for k := range 4 {
			content := make([]byte, 3_000_000)
			r.Read(content)
			name := filepath.Join(s.data, fmt.Sprintf("%d-%d", i, k))
			if err := os.MkdirAll(s.data, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s.run("backup", "-r", s.from, s.data)
	}
	return s
}

func (s *copyStation) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd, out := exec.Command("packstone", args...), new(bytes.Buffer)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, out, out
	return cmd, out
}

func (s *copyStation) run(args ...string) string {
	s.t.Helper()
	cmd, out := s.command(args...)
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out.String()
}

func (s *copyStation) copyArgs() []string {
	return []string{"copy", "--from", s.from, "-r", s.to.address, "--pack-size", "4MiB", "--json"}
}

// killedAt runs a copy that is killed at a point.
func (s *copyStation) killedAt(point holdPoint) {
	s.t.Helper()
	reached, release := s.to.hold(&point)
	defer release()
	cmd, out := s.command(s.copyArgs()...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	var killed atomic.Bool
	ended := make(chan struct{})
	go func() {
		select {
		case <-reached:
			killed.Store(true)
			_ = cmd.Process.Kill()
		case <-ended:
		}
	}()
	_ = cmd.Wait()
	close(ended)
	if !killed.Load() {
		s.t.Fatalf("the copy ended before it met %+v\n%s", point, out)
	}
}

// killPoints are ten points of a copy of three snapshots, each met by what those before have left
// to do.
var killPoints = []holdPoint{
	{"sessions/", 1, true}, {"packs/", 1, false}, {"packs/", 2, true}, {"trees/", 1, false}, {"index/", 1, true},
	{"refs/", 1, false}, {"log/", 1, false}, {"log/", 1, true}, {"packs/", 2, false}, {"log/", 2, true},
}

func TestACopyThatIsKilledTenTimesEndsEqual(t *testing.T) {
	for _, sameDomain := range []bool{false, true} {
		t.Run(fmt.Sprintf("same domain %v", sameDomain), func(t *testing.T) {
			s := newCopyStation(t, sameDomain)
			for _, point := range killPoints {
				s.killedAt(point)
			}
			s.run(s.copyArgs()...)
			if out := s.run(s.copyArgs()...); !strings.Contains(out, `"snapshots":[],"snapshots_there":3`) || !strings.Contains(out, `"bytes_read":0`) {
				t.Errorf("the copy after copies something: %s", out)
			}
			for _, repository := range []string{s.from, s.to.address} {
				if out := s.run("check", "-r", repository, "--read-data"); !strings.Contains(out, "no problems were found") {
					t.Errorf("check %s: %s", repository, out)
				}
			}
			for back := range 3 {
				s.alike(fmt.Sprintf("latest~%d", back))
			}
		})
	}
}

// alike fails the test unless a snapshot of both repositories restores to the same.
func (s *copyStation) alike(snapshot string) {
	s.t.Helper()
	var dirs []string
	for _, repository := range []string{s.from, s.to.address} {
		dir := s.t.TempDir()
		s.run("restore", "-r", repository, snapshot, "--target", dir)
		dirs = append(dirs, dir)
	}
	if out, err := exec.Command("diff", "-r", dirs[0], dirs[1]).CombinedOutput(); err != nil {
		s.t.Errorf("%s: %v\n%s", snapshot, err, out)
	}
}
