// Package command is the target that writes a file to the standard input of a command. The
// command's exit status decides whether that succeeded.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local/program"
	"github.com/packstone/packstone/pipeline/target"
	"golang.org/x/sys/unix"
)

// Options determine which command to run. Command is required.
type Options struct {
	Command []string // and its arguments; no shell is in between. It runs once for each file.
	Dir     string
	// Env is the command's environment; nil means that of this process. PACKSTONE_PATH and
	// PACKSTONE_SIZE are added.
	Env []string
	// Output and Stderr receive what the command prints; nil discards it.
	Output, Stderr io.Writer
	// Grace is how long a command that was asked to end may take before it is killed (default: 5
	// s).
	Grace time.Duration
}

// Target is a command. It implements target.Target.
type Target struct{ options Options }

var _ target.Target = (*Target)(nil)

// New checks the options.
func New(options Options) (*Target, error) {
	if len(options.Command) == 0 || options.Command[0] == "" {
		return nil, errors.New("command: no command given")
	}
	return &Target{options}, nil
}

// Traits implements target.Target. Files are written one at a time, from start to end.
func (t *Target) Traits() target.Traits { return target.Traits{Sequential: true, Parallel: 1} }

// Walk visits nothing: a command holds no files.
func (t *Target) Walk(ctx context.Context, _ target.Scope, _ target.Visitor) error { return ctx.Err() }

// Accepts accepts files, and directories, which a stream of files does not need.
func (t *Target) Accepts(e *entry.Entry) error {
	if e.Type != entry.Directory && e.Type != entry.File {
		return fmt.Errorf("hand %s to a command: %w", e.Path, target.ErrUnsupported)
	}
	return nil
}

// Make ignores directories, which a stream of files does not need, and refuses anything else.
func (t *Target) Make(ctx context.Context, e *entry.Entry) error {
	if e.Type != entry.Directory {
		return fmt.Errorf("hand %s to a command: %w", e.Path, target.ErrUnsupported)
	}
	return ctx.Err()
}

// Link is not supported: the command gets a copy.
func (t *Target) Link(ctx context.Context, e *entry.Entry, existing string) error {
	return fmt.Errorf("link %s: %w", e.Path, target.ErrUnsupported)
}

// Open returns nil, since a command holds no files.
func (t *Target) Open(ctx context.Context, path string) (target.ReadAtCloser, error) { return nil, nil }

// Finish does nothing.
func (t *Target) Finish(ctx context.Context, e *entry.Entry) error { return ctx.Err() }

// Remove does nothing.
func (t *Target) Remove(ctx context.Context, _ []*entry.Entry, _ func(e *entry.Entry, err error)) error {
	return ctx.Err()
}

// Close does nothing.
func (t *Target) Close(ctx context.Context) error { return ctx.Err() }

// Create starts the command. ctx governs it until Commit.
func (t *Target) Create(ctx context.Context, e *entry.Entry) (target.File, error) {
	if e.Type != entry.File {
		return nil, fmt.Errorf("hand %s to a command: %w", e.Path, target.ErrUnsupported)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", t.options.Command[0], err)
	}
	f := &file{entry: e, to: w}
	f.program, err = program.Start(ctx, program.Options{
		Args: t.options.Command, Dir: t.options.Dir, Env: t.options.Env,
		Set:   []string{"PACKSTONE_PATH=" + e.Path, "PACKSTONE_SIZE=" + strconv.FormatInt(e.Size, 10)},
		Stdin: r, Output: t.options.Output, Stderr: t.options.Stderr, Grace: t.options.Grace,
	})
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("hand over %s: %w", e.Path, err)
	}
	f.unwatch = context.AfterFunc(ctx, func() { _ = w.SetWriteDeadline(time.Unix(1, 0)) })
	return f, nil
}

// file is the content being written.
type file struct {
	entry   *entry.Entry
	program *program.Program
	to      *os.File
	at      int64
	refused bool // the command has closed its standard input: its status tells why
	over    bool
	unwatch func() bool
}

// WriteAt implements io.WriterAt, from start to end. It fills gaps with zeros.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	if offset < f.at {
		return 0, fmt.Errorf("hand over %s: bytes from %d come after %d", f.entry.Path, offset, f.at)
	}
	if err := f.zeros(offset); err != nil {
		return 0, err
	}
	if err := f.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *file) zeros(end int64) error {
	if end <= f.at {
		return nil
	}
	block := make([]byte, min(end-f.at, 64<<10))
	for f.at < end {
		if err := f.write(block[:min(int64(len(block)), end-f.at)]); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) write(p []byte) error {
	f.at += int64(len(p))
	if f.refused {
		return nil
	}
	_, err := f.to.Write(p)
	if errors.Is(err, unix.EPIPE) {
		f.refused = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("hand over %s: %w", f.entry.Path, err)
	}
	return nil
}

// Commit ends the command's input and waits for the command. Any status other than 0 is an error
// that includes the end of its standard error. A command that ends with 0 need not have read
// everything.
func (f *file) Commit(ctx context.Context) error {
	if f.over {
		return fmt.Errorf("hand over %s: %w", f.entry.Path, fs.ErrClosed)
	}
	defer f.Abort()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.zeros(f.entry.Size); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, f.program.Stop)
	defer stop()
	if err := f.to.Close(); err != nil {
		return fmt.Errorf("hand over %s: %w", f.entry.Path, err)
	}
	if err := f.program.Wait(); err != nil {
		return fmt.Errorf("hand over %s: %w", f.entry.Path, err)
	}
	return nil
}

// Abort kills the command before its input ends, so that it does not take what it has read for the
// whole.
func (f *file) Abort() {
	if f.over {
		return
	}
	f.over = true
	f.unwatch()
	f.program.Stop()
	_ = f.program.Wait() // known, or not wanted
	f.to.Close()
}
