//go:build linux

package main

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// faults are the rules in force.
type faults struct {
	mu       sync.Mutex
	rules    []*rule
	counts   map[string]int // calls by kind
	released chan struct{}  // closed when what hangs may go on
	squashed bool
	short    int
	vanished syscall.Errno
	hanging  atomic.Int32 // calls that are not answered
}

type rule struct {
	op, glob     string
	after, times int // calls let through, calls met; times 0: all
	errno        syscall.Errno
	delay        time.Duration
	hang         bool
	grow         int
}

var ops = []string{"stat", "open", "read", "list", "link", "attribute", "any"}

var errnos = map[string]syscall.Errno{
	"EACCES": syscall.EACCES, "EIO": syscall.EIO, "ENOENT": syscall.ENOENT, "ENOTCONN": syscall.ENOTCONN, "EPERM": syscall.EPERM,
	"ESTALE": syscall.ESTALE, "ETIMEDOUT": syscall.ETIMEDOUT,
}

// rule takes one line and returns the answer to it.
func (f *faults) rule(line string) (string, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return "", fmt.Errorf("no rule in %q", line)
	}
	switch words[0] {
	case "clear":
		f.clear()
		return "ok", nil
	case "count":
		return f.count(), nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.add(words); err != nil {
		return "", fmt.Errorf("rule %q: %w", line, err)
	}
	return "ok", nil
}

// add takes what has no answer of its own. The caller has locked f.
func (f *faults) add(words []string) (err error) {
	verb, args := words[0], words[1:]
	want := map[string]int{"fail": 2, "delay": 2, "hang": 1, "squash": 0, "short": 1, "grow": 1, "vanish": 1}
	n, known := want[verb]
	if !known || len(args) < n {
		return fmt.Errorf("no such rule, or too little said")
	}
	switch verb {
	case "squash":
		f.squashed = true
		return nil
	case "short":
		f.short, err = strconv.Atoi(args[0])
		return err
	case "vanish":
		f.vanished, err = errnoOf(args[0])
		return err
	}
	r := &rule{op: args[0]}
	if err := r.set(verb, args); err != nil {
		return err
	}
	if !slices.Contains(ops, r.op) {
		return fmt.Errorf("want one of %s", strings.Join(ops, ", "))
	}
	f.rules = append(f.rules, r)
	return r.options(args[n:])
}

func (r *rule) set(verb string, args []string) (err error) {
	switch verb {
	case "fail":
		r.errno, err = errnoOf(args[1])
	case "delay":
		r.delay, err = time.ParseDuration(args[1])
	case "hang":
		r.hang = true
	case "grow":
		r.op = "read"
		r.grow, err = strconv.Atoi(args[0])
	}
	return err
}

func errnoOf(name string) (syscall.Errno, error) {
	number, ok := errnos[name]
	if !ok {
		return 0, fmt.Errorf("%s is no error that is known here", name)
	}
	return number, nil
}

func (r *rule) options(words []string) (err error) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "path":
			r.glob = value
			_, err = path.Match(value, "")
		case "after":
			r.after, err = strconv.Atoi(value)
		case "times":
			r.times, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("%s is unknown", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clear forgets all rules and lets go on what hangs.
func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.squashed, f.short, f.vanished = nil, false, 0, 0
	close(f.released)
	f.released = make(chan struct{})
}

func (f *faults) count() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var words []string
	for _, op := range ops[:len(ops)-1] {
		words = append(words, fmt.Sprintf("%s=%d", op, f.counts[op]))
	}
	return fmt.Sprintf("%s hanging=%d", strings.Join(words, " "), f.hanging.Load())
}

// verdict is what becomes of one call.
type verdict struct {
	errno syscall.Errno
	delay time.Duration
	hang  <-chan struct{}
	grow  int
	short int
}

// meet counts a call and finds out what becomes of it.
func (f *faults) meet(op, where string) verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[op]++
	v := verdict{short: f.short}
	if f.vanished != 0 && where != "" {
		v.errno = f.vanished
	}
	for _, r := range f.rules {
		if r.op != op && r.op != "any" || !r.matches(where) || !r.due() {
			continue
		}
		v.delay += r.delay
		v.grow += r.grow
		if r.errno != 0 {
			v.errno = r.errno
		}
		if r.hang {
			v.hang = f.released
		}
	}
	return v
}

func (r *rule) matches(where string) bool {
	if r.glob == "" {
		return true
	}
	whole, _ := path.Match(r.glob, where)
	last, _ := path.Match(r.glob, path.Base(where))
	return whole || last
}

// due counts a call that the rule is about.
func (r *rule) due() bool {
	if r.after > 0 {
		r.after--
		return false
	}
	if r.times == 0 {
		return true
	}
	r.times--
	if r.times == 0 {
		r.glob = "\x00" // met for the last time
	}
	return true
}

// state tells what holds for all calls.
func (f *faults) state() (squashed, vanished bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.squashed, f.vanished != 0
}
