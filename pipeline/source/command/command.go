// Package command is a source of one file: the output of a command, or any stream. It is meant for
// dump programs of databases. The command's exit status decides whether the file counts.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local/program"
	"github.com/packstone/packstone/pipeline/source"
)

// Options determine what to read. Name, and either Command or Input, are required.
type Options struct {
	Name    string   // of the entry, without a slash
	Command []string // and its arguments; no shell is in between
	Dir     string
	Env     []string // nil: as this process
	// Stderr, if set, gets a copy of the command's standard error.
	Stderr io.Writer
	// Grace is how long a command that was asked to end may take before it is killed (default: 5
	// s).
	Grace time.Duration
	// Input is read instead of a command, once.
	Input io.Reader
	// AllowEmpty accepts a command, or an input, without output. Otherwise that is source.ErrEmpty,
	// since an empty dump has failed.
	AllowEmpty bool
	// Time is the entry's time (default: when the command is started, or the input first read).
	Time time.Time
}

// Source is one stream. It implements source.Source. Every Open runs the command again.
type Source struct {
	options Options
	taken   atomic.Bool // the input can be read once
}

var _ source.Source = (*Source)(nil)

// New checks the options. The command is started by Open.
func New(options Options) (*Source, error) {
	if name := options.Name; name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return nil, fmt.Errorf("command: %q cannot be the name of a file", name)
	}
	if (len(options.Command) == 0) == (options.Input == nil) {
		return nil, errors.New("command: want either a command or an input")
	}
	return &Source{options: options}, nil
}

// Class returns small, since a dump is edited in many places.
func (s *Source) Class() source.Class { return source.ClassSmall }

// Walk visits the only entry. Its size is known after it was read.
func (s *Source) Walk(ctx context.Context, v source.Visitor) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e := &entry.Entry{Path: s.options.Name, Type: entry.File, Mode: 0o600, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	e.ModTime = entry.TimeOf(s.time())
	return v.Visit(e)
}

func (s *Source) time() time.Time {
	if s.options.Time.IsZero() {
		return time.Now()
	}
	return s.options.Time
}

// Detail has nothing to add.
func (s *Source) Detail(ctx context.Context, e *entry.Entry) error { return ctx.Err() }

// Close does nothing. A running command belongs to its File.
func (s *Source) Close() error { return nil }

// Open starts the command. It runs until its output was read to the end, the File is closed, or ctx
// ends.
func (s *Source) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if e.Path != s.options.Name {
		return nil, fmt.Errorf("%q is not what %q is called: %w", e.Path, s.options.Name, source.ErrVanished)
	}
	if s.options.Input != nil {
		return s.openInput(ctx)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", s.options.Command[0], err)
	}
	f := &file{ctx: ctx, started: s.time(), allowEmpty: s.options.AllowEmpty, from: r, pipe: r}
	f.program, err = program.Start(ctx, program.Options{
		Args: s.options.Command, Dir: s.options.Dir, Env: s.options.Env, Stdout: w, Stderr: s.options.Stderr, Grace: s.options.Grace,
	})
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("%w: %w", source.ErrFailed, err)
	}
	// A process that has left the group may hold the pipe open; nobody waits for that.
	f.unwatch = context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	return f, nil
}

func (s *Source) openInput(ctx context.Context) (source.File, error) {
	if s.taken.Swap(true) {
		return nil, fmt.Errorf("%s: the input was read already: %w", s.options.Name, source.ErrFailed)
	}
	return &file{ctx: ctx, started: s.time(), allowEmpty: s.options.AllowEmpty, from: s.options.Input}, nil
}

// file is the stream being read.
type file struct {
	ctx        context.Context
	started    time.Time
	allowEmpty bool
	from       io.Reader
	size       int64
	ended      bool

	program *program.Program // nil for an input
	pipe    *os.File
	unwatch func() bool
	waited  bool
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	f.size += int64(n)
	switch {
	case err == io.EOF:
		f.ended = true
		return n, io.EOF
	case err != nil && f.ctx.Err() != nil:
		return n, f.ctx.Err()
	case err != nil:
		return n, fmt.Errorf("read the stream: %w", err)
	}
	return n, nil
}

// Finish waits for the command to end. If its status is not 0, Finish returns source.ErrFailed with
// the end of its standard error. No output at all is source.ErrEmpty, unless that is allowed.
func (f *file) Finish(e *entry.Entry) error {
	e.Size = f.size
	e.ModTime = entry.TimeOf(f.started)
	if !f.ended {
		return fmt.Errorf("%s was not read to its end: %w", e.Path, source.ErrFailed)
	}
	if err := f.wait(); err != nil {
		return fmt.Errorf("%w: %w", source.ErrFailed, err)
	}
	if f.size == 0 && !f.allowEmpty {
		return fmt.Errorf("%s got no output at all: %w", e.Path, source.ErrEmpty)
	}
	return nil
}

// wait waits for the command, if there is one.
func (f *file) wait() error {
	if f.program == nil {
		return nil
	}
	f.waited = true
	return f.program.Wait()
}

// Close ends the command if it is still running.
func (f *file) Close() error {
	if f.program == nil || f.pipe == nil {
		return nil
	}
	f.unwatch()
	err := f.pipe.Close()
	f.pipe = nil
	if !f.waited {
		f.program.Stop()
		_ = f.program.Wait() // it was not wanted
	}
	return err
}
