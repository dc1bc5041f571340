// Package program runs the commands that a source reads from and a target writes to. Each runs in a
// process group of its own, which ends as a whole when the context ends.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say what to run. Args is required.
type Options struct {
	Args []string // the command and its arguments; no shell is in between
	Dir  string
	Env  []string // nil: as this process
	Set  []string // variables besides
	// Stdin and Stdout are the ends of pipes that the command gets. They are closed here once it
	// runs.
	Stdin, Stdout *os.File
	// Output takes standard output where Stdout is nil, Stderr a copy of standard error; nil drops them.
	Output, Stderr io.Writer
	// Grace is the time between asking the command to end and ending it (default: 5 s).
	Grace time.Duration
}

// Program is a running command.
type Program struct {
	cmd   *exec.Cmd
	tail  tail
	grace time.Duration
	ctx   context.Context
	watch func() bool

	done chan struct{} // closed once err is known
	err  error
	stop sync.Once
}

// Start starts a command. It is stopped when ctx ends; Wait or Stop must be called.
func Start(ctx context.Context, o Options) (*Program, error) {
	if len(o.Args) == 0 {
		return nil, errors.New("no command given")
	}
	defer closeFiles(o.Stdin, o.Stdout)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &Program{cmd: exec.Command(o.Args[0], o.Args[1:]...), grace: o.Grace, ctx: ctx, done: make(chan struct{})}
	if p.grace <= 0 {
		p.grace = 5 * time.Second
	}
	p.tail.also = o.Stderr
	p.cmd.Dir, p.cmd.Env = o.Dir, o.Env
	if o.Set != nil {
		p.cmd.Env = append(p.cmd.Environ(), o.Set...)
	}
	p.cmd.Stdout, p.cmd.Stderr = o.Output, &p.tail
	if o.Stdin != nil {
		p.cmd.Stdin = o.Stdin
	}
	if o.Stdout != nil {
		p.cmd.Stdout = o.Stdout
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = p.grace // for what it leaves behind with its standard error
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Args[0], err)
	}
	go p.wait()
	p.watch = context.AfterFunc(ctx, p.Stop)
	return p, nil
}

func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

func (p *Program) wait() {
	p.err = p.cmd.Wait()
	if errors.Is(p.err, exec.ErrWaitDelay) { // it has ended well; something it started goes on
		p.err = nil
	}
	close(p.done)
}

// Wait returns once the command has ended: nil if it did with status 0, else an error that has the
// end of its standard error, or the context's.
func (p *Program) Wait() error {
	<-p.done
	p.watch()
	if p.err == nil {
		return nil
	}
	if err := p.ctx.Err(); err != nil {
		return fmt.Errorf("%s was stopped: %w", p.cmd.Args[0], err)
	}
	if text := p.tail.String(); text != "" {
		return fmt.Errorf("%s: %w: %s", p.cmd.Args[0], p.err, text)
	}
	return fmt.Errorf("%s: %w", p.cmd.Args[0], p.err)
}

// Stop ends the command and all it has started, and returns when it has ended. After its end it
// does nothing.
func (p *Program) Stop() {
	select {
	case <-p.done:
		return
	default:
	}
	p.stop.Do(func() {
		p.signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(p.grace):
		}
		p.signal(syscall.SIGKILL) // the group lives as long as one process of it
	})
	<-p.done
}

func (p *Program) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// tail keeps the last lines written to it.
type tail struct {
	also io.Writer

	mu   sync.Mutex
	text []byte
}

const tailSize = 4 << 10

// Write implements io.Writer and never fails: who cannot complain goes on nevertheless.
func (t *tail) Write(p []byte) (int, error) {
	if t.also != nil {
		_, _ = t.also.Write(p)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p[max(0, len(p)-tailSize):]...)
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(strings.ToValidUTF8(string(t.text), "?"))
	if len(t.text) == tailSize {
		if _, whole, ok := strings.Cut(text, "\n"); ok {
			text = whole
		}
		text = "… " + text
	}
	return text
}
