package main

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// turns passes requests on in turns. A turn is all that a process has asked for when it can do
// nothing more before it is answered. So the number of turns is the number of round trips that the
// process waits for one after the other, and it is the same however slow the machine is.
type turns struct {
	next http.Handler

	mu      sync.Mutex
	waiting []chan struct{}
	passed  int // requests of this turn that are not answered yet
	n       int64
}

// ServeHTTP implements http.Handler.
func (s *turns) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	turn := make(chan struct{})
	s.mu.Lock()
	s.waiting = append(s.waiting, turn)
	s.mu.Unlock()
	defer s.answered()
	select {
	case <-turn:
		s.next.ServeHTTP(w, r)
	case <-r.Context().Done():
		s.giveUp(turn)
	}
}

func (s *turns) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed--
}

// giveUp takes a request out whose client went away.
func (s *turns) giveUp(turn chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, turn); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		s.passed++
	}
}

// asked is how many requests wait for the next turn; it is 0 while a turn is under way.
func (s *turns) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.passed > 0 {
		return 0
	}
	return len(s.waiting)
}

func (s *turns) pass() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, turn := range s.waiting {
		close(turn)
	}
	s.n, s.passed, s.waiting = s.n+1, len(s.waiting), nil
}

// serve begins a turn whenever the process has slept for a while with nothing but requests to wait
// for. It returns at done.
func (s *turns) serve(pid int, done <-chan struct{}) {
	const samples = 6
	for asked, still := 0, 0; ; {
		select {
		case <-done:
			return
		case <-time.After(4 * time.Millisecond):
		}
		if n := s.asked(); n == 0 || n != asked || !sleeps(pid) {
			asked, still = n, 0
		} else if still++; still == samples {
			s.pass()
			asked, still = 0, 0
		}
	}
}

// sleeps tells whether no thread of a process runs, may run or waits for a disk.
func sleeps(pid int) bool {
	threads, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
	for _, name := range threads {
		stat, err := os.ReadFile(name)
		if i := bytes.LastIndexByte(stat, ')'); err == nil && (len(stat) < i+3 || stat[i+2] != 'S') {
			return false
		}
	}
	return len(threads) > 0
}

// run runs the program as a process of its own, and tells how many turns it took.
func (s *turns) run(t *testing.T, env []string, args ...string) (rounds int64) {
	t.Helper()
	s.mu.Lock()
	s.n = 0
	s.mu.Unlock()
	cmd := exec.CommandContext(t.Context(), "packstone", args...)
	var told bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &told, &told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done, served := make(chan struct{}), make(chan struct{})
	go func() { defer close(served); s.serve(cmd.Process.Pid, done) }()
	err := cmd.Wait()
	close(done)
	<-served
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) || err != nil {
		t.Fatalf("%v: %v\n%s", args, err, told.Bytes())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}
