package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/notice"
)

// teller tells what changes beside the jobs, so that a server that does not answer keeps none of
// them waiting.
type teller struct {
	app    *app
	path   string // of the file that remembers what was told
	memory notice.Memory
	queue  chan func(ctx context.Context)
	done   chan struct{}
	stop   context.CancelFunc
	facts  atomic.Pointer[metrics.Facts]
}

// How much may wait to be told, and for how long the end of the program waits for it.
const (
	queued    = 64
	lastWords = 30 * time.Second
)

// newTeller remembers what was told, as far as the file at path says.
func newTeller(a *app, path string) *teller {
	ctx, cancel := context.WithCancel(context.Background()) // what happens at the end is told too
	t := &teller{app: a, path: path, queue: make(chan func(context.Context), queued), done: make(chan struct{}), stop: cancel}
	t.facts.Store(&metrics.Facts{})
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &t.memory)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.Warn(fmt.Sprintf("cannot remember earlier notices, so they are sent again: %v", err))
	}
	go func() {
		defer close(t.done)
		for tell := range t.queue {
			tell(ctx)
		}
	}()
	return t
}

// close waits for what is left to be told, but not for ever.
func (t *teller) close() {
	timer := time.AfterFunc(lastWords, t.stop)
	close(t.queue)
	<-t.done
	timer.Stop()
	t.stop()
}

// later has something told when its turn comes. Where too much waits already it is left out: how
// sets are is told again each minute.
func (t *teller) later(tell func(ctx context.Context) []notice.Delivery) {
	select {
	case t.queue <- func(ctx context.Context) { t.warn(tell(ctx)) }:
	default:
	}
}

func (t *teller) warn(deliveries []notice.Delivery) {
	for _, d := range deliveries {
		if d.Err != nil {
			t.app.Warn(d.String())
		}
	}
}

// update tells what has changed, and remembers it.
func (t *teller) update(settings *config.Config, sets []health.Set, now time.Time) {
	sender := t.app.sender(settings)
	if !sender.Any() {
		return
	}
	t.later(func(ctx context.Context) []notice.Delivery {
		deliveries := sender.Update(ctx, &t.memory, sets, now)
		if len(deliveries) > 0 {
			t.remember()
		}
		return deliveries
	})
}

func (t *teller) remember() {
	err := disk.Replace(t.path, disk.Options{}, func(w io.Writer) error { return json.NewEncoder(w).Encode(&t.memory) })
	if err != nil {
		t.app.Warn(fmt.Sprintf("remember what was told: %v", err))
	}
}

// ping tells who waits for pings that the backup of a set begins or has ended.
func (t *teller) ping(settings *config.Config, set string, phase notice.Phase, tail string) {
	if sender := t.app.sender(settings); sender.Any() {
		t.later(func(ctx context.Context) []notice.Delivery { return sender.Ping(ctx, set, phase, tail) })
	}
}

// changed finds out how the sets are, and has it told, shown and written into the repository.
func (s *service) changed(ctx context.Context, d *daemon.Daemon) {
	now := d.Now()
	if err := s.history.Watch(daemon.Scheduled(s.settings), now); err != nil {
		s.Warn(err.Error())
	}
	sets, err := daemon.Sets(s.settings, s.host, s.history, now)
	if err != nil {
		s.Warn(err.Error())
		return
	}
	for i := range sets {
		sets[i].Next = d.Next(sets[i].Name)
		s.drills.fill(&sets[i])
	}
	facts := s.factsOf(sets, now)
	s.teller.facts.Store(facts)
	s.teller.update(s.settings, sets, now)
	if file := s.settings.Metrics.TextFile; file != "" {
		if err := metrics.WriteFile(file, *facts, version().Version); err != nil {
			s.Warn(err.Error())
		}
	}
	s.report(ctx, d.Jobs, now)
}

func (s *service) factsOf(sets []health.Set, now time.Time) *metrics.Facts {
	facts := &metrics.Facts{Sets: sets}
	failures, err := s.history.Failures()
	for _, f := range failures {
		facts.Failures = append(facts.Failures, metrics.Failures{Set: f.Set, Host: s.host, Kind: metrics.KindOf(f.Code), Count: f.Count})
	}
	growth := int64(0)
	if err == nil {
		growth, err = s.history.Growth(now.AddDate(0, 0, -growthDays))
	}
	if err != nil {
		s.Warn(err.Error())
	}
	names := s.RepositoriesOf(s.settings)
	for _, name := range names {
		repository := metrics.Repository{Name: s.addressOf(name)}
		if len(names) == 1 { // else nobody knows how much went to which
			repository.Growth = growth / growthDays
		}
		if measured := s.sizes.get(name); len(measured) > 0 {
			last := measured[len(measured)-1]
			repository.Packs, repository.Bytes = last.Packs, last.Bytes
			if perDay, known := metrics.GrowthOf(measured); known {
				repository.Growth = perDay
			}
		}
		if len(sets) > 0 {
			repository.Verified = sets[0].Verified
		}
		facts.Repositories = append(facts.Repositories, repository)
	}
	return facts
}

// addressOf is a repository's address, in which no secrets stand; "" is the name of the only one.
func (s *service) addressOf(name string) string {
	a := s.forJob(io.Discard, s.settings)
	a.flags.Repository = name
	if at, err := a.Repository(); err == nil {
		return at.String()
	}
	return name
}

// pingEnd tells who waits for pings how the backup of a set ended. An interruption is no end: the
// run is done again.
func (s *service) pingEnd(run *history.Run) {
	switch {
	case run.Kind != daemon.Backup || run.Outcome == health.Interrupted:
	case run.Outcome == health.Done:
		s.teller.ping(s.settings, run.Name, notice.Success, run.Log)
	default:
		s.teller.ping(s.settings, run.Name, notice.Failure, strings.TrimSpace(run.Log+"\n"+run.Cause))
	}
}
