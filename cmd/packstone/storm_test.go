package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// storm is one repository with hosts and collectors, all of which are killed and stopped at random.
type storm struct {
	t    *testing.T
	dir  string
	ends time.Time

	backups, prunes, kills, stops, sweeps, rolls, repacks atomic.Int64

	mu   sync.Mutex
	held map[string]map[string][32]byte // what a snapshot holds, of those whose backup has said that it is there
	last map[string]string              // of each host its last of these
}

// env is what one of them sees of the world.
func (s *storm) env(home string, more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CACHE_HOME=" + filepath.Join(home, "cache"), "XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"XDG_DATA_HOME=" + filepath.Join(home, "data"), "PACKSTONE_REPOSITORY=" + filepath.Join(s.dir, "repository"),
	}, more...)
}

// must runs the program in peace.
func (s *storm) must(env []string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("packstone", args...)
	var errs bytes.Buffer
	cmd.Env, cmd.Stderr = env, &errs
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("packstone %v: %v\n%s%s", args, err, out, errs.Bytes())
	}
	return string(out)
}

// blow runs the program, and may kill it or stop it for a while: each once in odds.
func (s *storm) blow(r *rand.Rand, odds int, env []string, args ...string) (out []byte, code int) {
	cmd := exec.Command("packstone", args...)
	var stdout, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &stdout, &errs
	if err := cmd.Start(); err != nil {
		s.t.Error(err)
		return nil, -1
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	switch r.IntN(odds) {
	case 0:
		if wait(ended, r.IntN(900)) {
			s.kills.Add(1)
			_ = cmd.Process.Kill()
		}
	case 1:
		if wait(ended, r.IntN(600)) {
			s.stops.Add(1)
			_ = cmd.Process.Signal(syscall.SIGSTOP)
			wait(ended, r.IntN(6000))
			_ = cmd.Process.Signal(syscall.SIGCONT)
		}
	}
	<-ended
	code = cmd.ProcessState.ExitCode()
	if code == 5 || strings.Contains(errs.String(), "panic") {
		s.t.Errorf("packstone %v ended with %d: %s", args, code, errs.Bytes())
	}
	return stdout.Bytes(), code
}

// wait waits for some milliseconds, and tells whether a process is still there.
func wait(ended chan struct{}, milliseconds int) bool {
	select {
	case <-ended:
		return false
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
		return true
	}
}

// write backs up a directory that changes, again and again.
func (s *storm) write(host string, seed uint64, env []string) {
	r := rand.New(rand.NewPCG(seed, 1))
	dir := filepath.Join(s.dir, "data", host)
	for round := 0; time.Now().Before(s.ends); round++ {
		for range 3 {
			body := make([]byte, 20_000+r.IntN(200_000))
			for i := range body {
				body[i] = byte(r.Uint32())
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%d", r.IntN(24))), body, 0o600); err != nil {
				s.t.Error(err)
			}
		}
		holds, err := contents(dir)
		if err != nil {
			s.t.Error(err)
		}
		out, code := s.blow(r, 3, env, "backup", dir, "--json", "--host", host)
		if code != 0 {
			continue
		}
		s.backups.Add(1)
		id := lastField(out, "snapshot_id")
		s.mu.Lock()
		s.held[id], s.last[host] = holds, id
		s.mu.Unlock()
	}
}

// lastField finds a string of the last line that has it.
func lastField(lines []byte, field string) (value string) {
	for line := range bytes.Lines(lines) {
		m := map[string]any{}
		if json.Unmarshal(line, &m) == nil {
			if v, ok := m[field].(string); ok {
				value = v
			}
		}
	}
	return value
}

func contents(dir string) (map[string][32]byte, error) {
	all := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		all[filepath.Base(path)] = sha256.Sum256(body)
		return err
	})
	return all, err
}

// collect forgets and prunes, again and again.
func (s *storm) collect(seed uint64, env []string) {
	r := rand.New(rand.NewPCG(seed, 2))
	for time.Now().Before(s.ends) {
		s.blow(r, 6, env, "forget", "--keep-last", "3")
		args := []string{"prune", "--grace", "0", "--yes", "--dead-after", "3s", "--max-duration", "8s", "--roll-up-after", "12", "--json"}
		if r.IntN(2) == 0 {
			args = append(args, "--repack")
		}
		out, _ := s.blow(r, 6, env, args...)
		s.prunes.Add(1)
		for line := range bytes.Lines(out) {
			var m struct {
				Packs    int `json:"packs_deleted"`
				Rolled   int `json:"records_rolled_up"`
				Repacked int `json:"packs_repacked"`
			}
			if json.Unmarshal(line, &m) == nil {
				s.sweeps.Add(int64(min(m.Packs, 1)))
				s.rolls.Add(int64(min(m.Rolled, 1)))
				s.repacks.Add(int64(min(m.Repacked, 1)))
			}
		}
	}
}

// Four hosts and two collectors, of which each may be killed or stopped at any moment: what was
// committed is whole, and what is dead is gone in the end.
func TestSoakASnapshotIsWholeWhoeverIsKilledOrStopped(t *testing.T) {
	s := &storm{t: t, dir: t.TempDir(), held: map[string]map[string][32]byte{}, last: map[string]string{}}
	owner := s.env(filepath.Join(s.dir, "owner"))
	s.must(owner, "init")
	s.ends = time.Now().Add(stormLasts)
	var all sync.WaitGroup
	for i := range 4 {
		host := fmt.Sprintf("host%d", i)
		home := filepath.Join(s.dir, host)
		if err := errors.Join(os.MkdirAll(filepath.Join(s.dir, "data", host), 0o700), os.MkdirAll(home, 0o700)); err != nil {
			t.Fatal(err)
		}
		key := filepath.Join(home, "writer.key")
		s.must(owner, "key", "writer", "add", host, "-o", key)
		all.Go(func() { s.write(host, uint64(i), s.env(home, "PACKSTONE_WRITER_FILE="+key)) })
	}
	for i := range 2 {
		all.Go(func() {
			s.collect(uint64(10+i), append(owner, "XDG_CACHE_HOME="+filepath.Join(s.dir, fmt.Sprint("cache", i))))
		})
	}
	all.Wait()
	s.settle(owner)
	t.Logf("counted: %d backups and %d prunes ended well or not, of which %d were killed and %d stopped; %d sweeps deleted something, %d roll-ups, %d prunes copied packs",
		s.backups.Load(), s.prunes.Load(), s.kills.Load(), s.stops.Load(), s.sweeps.Load(), s.rolls.Load(), s.repacks.Load())
	if s.kills.Load()+s.stops.Load() < stormBlows || s.sweeps.Load() < stormSweeps {
		t.Error("the storm was too mild")
	}
}

// settle looks at everything when all is quiet.
func (s *storm) settle(owner []string) {
	for range 3 {
		s.must(owner, "prune", "--grace", "0", "--yes", "--dead-after", "0s", "--repack", "--max-unused", "1%")
	}
	s.must(owner, "check", "--read-data")
	s.must(owner, "catalog", "verify")
	var list []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(s.must(owner, "snapshots", "--json")), &list); err != nil {
		s.t.Fatal(err)
	}
	listed := map[string]bool{}
	for i, snapshot := range list {
		listed[snapshot.ID] = true
		to := filepath.Join(s.dir, fmt.Sprint("back", i))
		s.must(owner, "restore", snapshot.ID, "--target", to)
		got, err := contents(to)
		if want := s.held[snapshot.ID]; err != nil || want != nil && !maps.Equal(got, want) {
			s.t.Errorf("snapshot %s restores with %d files, want %d: %v", snapshot.ID, len(got), len(want), err)
		}
		_ = os.RemoveAll(to)
	}
	for host, id := range s.last {
		if !listed[id] {
			s.t.Errorf("the last snapshot %s of %s is gone", id, host)
		}
	}
	out := s.must(owner, "prune", "-n", "--repack", "--max-unused", "5%", "--grace", "0")
	if strings.Contains(out, "would repack") || !strings.Contains(out, "would delete 0 packs") {
		s.t.Errorf("more than 5%% are dead after the last prune: %s", out)
	}
	s.t.Logf("%d snapshots were restored of the %d that were committed", len(list), len(s.held))
}
