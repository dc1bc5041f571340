package page

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/room"
)

// Wanted is what somebody wants to have restored into a scratch place.
type Wanted struct {
	Repository string
	Keys       Keys
	Place      catalog.Place // of a snapshot with its whole id
	Into       string        // an empty directory
	Plan       bool          // tell what it takes, and write nothing
	// Borrow notes a database on a server before it is made for this.
	Borrow func(room.Database) error
}

// Restored is what a restore has written, or would write.
type Restored struct {
	Entries, Bytes uint64
	Need           uint64 // of a plan: bytes that it takes on the disk, at most
	Missing        string // why it is not complete; "": it is
}

// Scratch restores into rooms below a directory, one at a time, and knows how the last one went. A
// restore that fails or is stopped leaves nothing. Its methods are safe to call at once.
type Scratch struct {
	// Directory is where rooms are made; "": the settings name none.
	Directory func() string
	// Restore restores. follow is given what tells at any time what was done.
	Restore func(ctx context.Context, w Wanted, follow func(func() daemon.Live)) (Restored, error)
	// GiveBack drops a database that was made on a server for a restore.
	GiveBack room.GiveBack
	Free     func(dir string) (uint64, error)
	Now      func() time.Time
	// Say tells the log how a restore ended; nil: nobody is told.
	Say func(Act)

	mu      sync.Mutex
	last    *attempt // nil: nothing was restored yet
	end     context.CancelFunc
	working sync.WaitGroup
	closed  bool
}

// attempt is a restore at work, or the last one.
type attempt struct {
	state   string
	note    room.Note
	plan    Restored
	live    func() daemon.Live
	stopped string // by whom
	message string // why it was not done
	room    string // where what was restored is
}

// The states of an attempt.
const (
	planning   = "planning"
	writing    = "restoring"
	stopping   = "stopping" // as it is shown
	isDone     = "done"
	incomplete = "incomplete"
	hasFailed  = "failed"
	wasStopped = "stopped"
)

func (a *attempt) atWork() bool { return a != nil && a.note.Ended.IsZero() }

// The reasons why nothing is restored, stopped or removed.
var (
	errNoScratch = errors.New("the settings name no place to restore to: set serve.scratch to a directory")
	errRestoring = errors.New("another restore into a scratch place is at work: wait for it, or stop it")
	errNoRestore = errors.New("no restore into a scratch place is at work")
	errClosed    = errors.New("packstone run is about to end")
	errLeft      = errors.New("what had come back is still there, until packstone run begins anew")
)

// start begins a restore.
func (s *Scratch) start(w Wanted, note room.Note) error {
	dir := s.Directory()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case dir == "":
		return errNoScratch
	case s.closed:
		return errClosed
	case s.last.atWork():
		return errRestoring
	}
	ctx, end := context.WithCancel(context.Background())
	note.Began = s.Now()
	s.last, s.end = &attempt{state: planning, note: note}, end
	s.working.Go(func() {
		defer end()
		s.finish(s.run(ctx, dir, w, note))
	})
	return nil
}

// run restores into a new room, of which nothing is left if that fails.
func (s *Scratch) run(ctx context.Context, dir string, w Wanted, note room.Note) (r *room.Room, err error) {
	if r, err = room.New(dir, note); err != nil {
		return nil, err
	}
	w.Into, w.Borrow = r.Content(), r.Borrow
	got, err := s.fill(ctx, dir, w)
	if err == nil {
		note.Restored, note.Bytes, note.Missing, note.Ended = got.Entries, got.Bytes, got.Missing, s.Now()
		err = r.Finish(note)
	}
	if err == nil {
		return r, nil
	}
	if left := r.Discard(s.GiveBack); left != nil {
		err = fmt.Errorf("%w; %w: %w", err, errLeft, left)
	}
	return nil, err
}

// fill restores, if there is room for it.
func (s *Scratch) fill(ctx context.Context, dir string, w Wanted) (Restored, error) {
	plan := w
	plan.Plan = true
	takes, err := s.Restore(ctx, plan, s.follow)
	if err != nil {
		return Restored{}, err
	}
	if err := s.checkSpace(dir, takes.Need); err != nil {
		return Restored{}, err
	}
	s.mu.Lock()
	s.last.plan, s.last.state = takes, writing
	s.mu.Unlock()
	got, err := s.Restore(ctx, w, s.follow)
	if err == nil {
		err = ctx.Err()
	}
	return got, err
}

// follow is told what tells what was done.
func (s *Scratch) follow(live func() daemon.Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last.live = live
}

// spared is the part of the free space that a restore leaves for others.
const spared = 10

// checkSpace refuses a restore for which there is too little room.
func (s *Scratch) checkSpace(dir string, need uint64) error {
	free, err := s.Free(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	if need > free-free/spared {
		return catalog.Refuse("this takes up to %s, and %s has %s free, of which a tenth stays free: make room there, or choose less", output.Bytes(int64(need)), dir, output.Bytes(int64(free)))
	}
	return nil
}

// finish notes how a restore ended, and tells the log.
func (s *Scratch) finish(r *room.Room, err error) {
	s.mu.Lock()
	a := s.last
	a.finish(r, err, s.Now())
	act := Act{By: a.note.By, What: "asked for a restore into a scratch place, which is " + a.state + ": " + a.message + a.room}
	s.mu.Unlock()
	if s.Say != nil {
		s.Say(act)
	}
}

// finish notes how it ended: with a room, or with an error.
func (a *attempt) finish(r *room.Room, err error, now time.Time) {
	switch {
	case errors.Is(err, errLeft):
		a.state, a.message = hasFailed, err.Error()
	case err == nil:
		a.note, a.room, a.state = r.Note, r.Name, isDone
		if r.Missing != "" {
			a.state = incomplete
		}
		return
	case a.stopped != "":
		a.state, a.message = wasStopped, "stopped by "+a.stopped+"; what had come back by then was removed"
	default:
		a.state, a.message = hasFailed, err.Error()+"; nothing of it is left"
	}
	a.note.Ended = now
}

// stop ends the restore at work.
func (s *Scratch) stop(by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.atWork() {
		return errNoRestore
	}
	if s.last.stopped == "" {
		s.last.stopped = by
	}
	s.end()
	return nil
}

// remove removes what was restored.
func (s *Scratch) remove(name string) error {
	dir := s.Directory()
	if dir == "" {
		return errNoScratch
	}
	if err := room.Remove(dir, name, s.GiveBack); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last.room == name {
		s.last = nil
	}
	return nil
}

// latest is the restore at work, or the last one, and what it has done so far.
func (s *Scratch) latest() (a attempt, live daemon.Live, any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return a, live, false
	}
	a = *s.last
	if a.live != nil {
		live = a.live()
	}
	return a, live, true
}

// Close ends the restore at work, and waits for it.
func (s *Scratch) Close() {
	s.mu.Lock()
	s.closed = true
	if s.last.atWork() {
		s.last.stopped = "the end of packstone run"
		s.end()
	}
	s.mu.Unlock()
	s.working.Wait()
}

// Sweep removes what was being restored when its process was killed, and names it.
func (s *Scratch) Sweep() (removed []string, err error) {
	dir := s.Directory()
	if dir == "" {
		return nil, nil
	}
	removed, err = room.Sweep(dir, s.GiveBack)
	if err != nil {
		err = fmt.Errorf("remove what a restore from the page has left: %w", err)
	}
	return removed, err
}
