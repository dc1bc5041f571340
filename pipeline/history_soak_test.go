//go:build soak

package pipeline_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// soak has other processes live histories: each of them can draw random numbers for one at a time.
type soak struct {
	t     *testing.T
	first uint64    // the seed of the first history
	most  int       // histories; 0: as many as there is time for
	ends  time.Time // the zero time: when all are lived

	mu        sync.Mutex
	drawn     int
	failed    []uint64
	processor time.Duration // of processes that have ended
	done      tally
}

// TestSoakHistories lives histories for SOAK_HOURS, or SOAK_HISTORIES of them, 12,000 if nothing is
// said, one after the other in each of SOAK_PROCESSES, by default as many as there are processors.
// The seed of the first is SOAK_SEED, that of each other is one more, so that runs can be joined.
func TestSoakHistories(t *testing.T) {
	if os.Getenv(tellerOf) != "" {
		liveAsTold(t)
		return
	}
	begun := time.Now()
	s := &soak{t: t, first: uint64(begun.UnixMilli()), most: 12_000}
	processes := runtime.NumCPU()
	setting(t, "SOAK_SEED", func(text string) (err error) { s.first, err = strconv.ParseUint(text, 10, 64); return err })
	setting(t, "SOAK_PROCESSES", func(text string) (err error) { processes, err = strconv.Atoi(text); return err })
	setting(t, "SOAK_HOURS", func(text string) error {
		lasts, err := time.ParseDuration(text + "h")
		s.ends, s.most = begun.Add(lasts), 0
		return err
	})
	setting(t, "SOAK_HISTORIES", func(text string) (err error) { s.most, err = strconv.Atoi(text); return err })
	inMemory(t)
	var working sync.WaitGroup
	for range processes {
		working.Go(s.work)
	}
	over := make(chan struct{})
	go func() { working.Wait(); close(over) }()
	for telling := time.NewTicker(5 * time.Minute); ; {
		select {
		case <-telling.C:
			t.Log(s.tells(begun))
		case <-over:
			t.Log("counted: " + s.tells(begun))
			return
		}
	}
}

// setting reads a setting of the environment, if there is one.
func setting(t *testing.T, name string, read func(text string) error) {
	if text := os.Getenv(name); text != "" {
		if err := read(text); err != nil {
			t.Fatalf("%s=%s: %v", name, text, err)
		}
	}
}

// draw returns the seed of the next history, and false when it is over.
func (s *soak) draw() (seed uint64, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ends.IsZero() && time.Now().After(s.ends) || s.most > 0 && s.drawn == s.most {
		return 0, false
	}
	s.drawn++
	return s.first + uint64(s.drawn) - 1, true
}

// sums returns the number of operations and of calls.
func (c *tally) sums() (operations, calls int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sum(c.operations), c.calls
}

// tells is what all histories have come to so far.
func (s *soak) tells(begun time.Time) string {
	took := time.Since(begun)
	s.mu.Lock()
	defer s.mu.Unlock()
	operations, calls := s.done.sums()
	text := fmt.Sprintf("%s: %v, with the seeds %d to %d, ", took.Round(time.Second), &s.done, s.first, s.first+uint64(max(s.drawn, 1))-1)
	if text += "and lost nothing"; len(s.failed) > 0 {
		text = fmt.Sprintf("%s; those with the seeds %d FAILED", text, s.failed)
	}
	text += fmt.Sprintf("; %.0f operations and %.0f calls a second", float64(operations)/took.Seconds(), float64(calls)/took.Seconds())
	if s.processor > 0 {
		text += fmt.Sprintf(", %.2f ms of processor an operation", 1000*s.processor.Seconds()/float64(max(operations, 1)))
	}
	return text
}

// work has histories lived by one process, and by another one where one of them fails.
func (s *soak) work() {
	for {
		seed, more := s.draw()
		if !more {
			return
		}
		if err := s.employ(seed); err != nil {
			s.t.Errorf("%v", err)
		}
	}
}

// employ has one process live histories, that with a seed first, until one fails or it is over.
func (s *soak) employ(seed uint64) error {
	p, err := newTeller()
	if err != nil {
		return err
	}
	for more := true; more; seed, more = s.draw() {
		l, err := p.live(seed)
		if err != nil {
			s.fails(seed)
			_, why := p.end()
			return fmt.Errorf("a history failed (%w); to live it again: SOAK_SEED=%d SOAK_HISTORIES=1 go test -tags soak ./pipeline "+
				"-run '^TestSoakHistories$'\n%w", err, seed, why)
		}
		s.done.add(l)
	}
	took, err := p.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processor += took
	return err
}

func (s *soak) fails(seed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, seed)
}

// liveAsTold lives the histories whose seeds come in, and answers what they came to.
func liveAsTold(t *testing.T) {
	for name, value := range map[string]string{"rapid.checks": "1", "rapid.steps": "13", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	orders, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.NewFile(answersFile, "answers"))
	for seed := uint64(0); orders.Decode(&seed) == nil; {
		if err := flag.Set("rapid.seed", fmt.Sprint(seed)); err != nil {
			t.Fatal(err)
		}
		var last *lived
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) { last = oneHistory(t, r) })
		}) {
			return
		}
		if err := answers.Encode(last); err != nil {
			t.Fatal(err)
		}
	}
}
