// Package program is what packstone is to the system that runs it: signals, core dumps, the pace of
// its heap, profiles.
package program

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/term"
)

// Signals are what the system tells the program while it runs.
type Signals struct {
	came    chan os.Signal
	hangups chan struct{}
	taken   atomic.Bool // a hangup is no interrupt
}

// Interruptible returns a context that ends with the first interrupt, so that the run ends cleanly;
// the second interrupt kills. A hangup is an interrupt too, unless Hangups was called. Stop lets go
// of the signals.
func Interruptible(parent context.Context, stderr io.Writer) (context.Context, *Signals) {
	s := &Signals{came: make(chan os.Signal, 8), hangups: make(chan struct{}, 1)}
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it stays ignored
		signals = append(signals, syscall.SIGHUP)
	}
	signal.Notify(s.came, signals...)
	ctx, cancel := context.WithCancel(parent)
	go s.serve(stderr, cancel)
	return ctx, s
}

// serve takes signals until one is an interrupt.
func (s *Signals) serve(stderr io.Writer, cancel func()) {
	for sig := range s.came {
		if sig == syscall.SIGHUP && s.taken.Load() {
			select {
			case s.hangups <- struct{}{}:
			default: // one waits already
			}
			continue
		}
		signal.Stop(s.came)
		if file, ok := stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
			fmt.Fprintln(stderr) // below the progress line and the ^C
		}
		fmt.Fprintln(stderr, "packstone: interrupted: finishing up; press Ctrl-C again to stop at once")
		cancel()
		return
	}
}

// Hangups makes hangups something else than interrupts, and returns where they come from then.
func (s *Signals) Hangups() <-chan struct{} {
	s.taken.Store(true)
	signal.Notify(s.came, syscall.SIGHUP)
	return s.hangups
}

// Stop gives signals their usual meaning again. It is called once.
func (s *Signals) Stop() {
	signal.Stop(s.came)
	close(s.came)
}

// DropEmptyAWS makes empty AWS_* variables unset for the AWS SDK, which reads them itself and takes
// an empty profile or region for a chosen one.
func DropEmptyAWS() {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); value == "" && strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
}
