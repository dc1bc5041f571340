// Package program handles the relation of packstone to the operating system: signals, core dumps,
// the pace of its heap, profiles, priorities.
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

// Signals handles signals while the program runs.
type Signals struct {
	came    chan os.Signal
	hangups chan struct{}
	taken   atomic.Bool // a hangup is no interrupt
}

// Interruptible returns a context that ends with the first interrupt, so that the run ends cleanly;
// the second interrupt kills. A hangup counts as an interrupt, unless Hangups was called. Stop
// restores the default handling.
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

// serve handles signals until one is an interrupt.
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

// Hangups stops treating hangups as interrupts, and returns a channel that receives them.
func (s *Signals) Hangups() <-chan struct{} {
	s.taken.Store(true)
	signal.Notify(s.came, syscall.SIGHUP)
	return s.hangups
}

// Stop restores the default handling of signals. It must be called once.
func (s *Signals) Stop() {
	signal.Stop(s.came)
	close(s.came)
}

// DropEmptyAWS unsets empty AWS_* variables, since the AWS SDK takes an empty profile or region for
// a chosen one.
func DropEmptyAWS() {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); value == "" && strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
}
