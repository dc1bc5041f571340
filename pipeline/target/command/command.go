// Package command is the target that writes a file to a command's standard input. The command's
// exit status decides whether that succeeded.
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

// Options say what to run. Command is required.
type Options struct {
	Command []string // and its arguments; no shell is in between. It runs once for each file.
	Dir     string
	// Env is the command's environment (nil: as this process). PACKSTONE_PATH and PACKSTONE_SIZE
	// are added to it.
	Env []string
	// Output and Stderr take what the command prints; nil drops it.
	Output, Stderr io.Writer
	// Grace is the time between asking the command to end and ending it (default: 5 s).
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

// Traits: one file at a time, from start to end.
func (t *Target) Traits() target.Traits { return target.Traits{Sequential: true, Parallel: 1} }

// Walk visits nothing: a command holds no files.
func (t *Target) Walk(ctx context.Context, _ target.Scope, _ target.Visitor) error { return ctx.Err() }

// Accepts takes files, and directories, which a stream of files has no need of.
func (t *Target) Accepts(e *entry.Entry) error {
	if e.Type != entry.Directory && e.Type != entry.File {
		return fmt.Errorf("hand %s to a command: %w", e.Path, target.ErrUnsupported)
	}
	return nil
}

// Make accepts directories, which a stream of files has no need of, and nothing else.
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

// Open finds nothing.
func (t *Target) Open(ctx context.Context, path string) (target.ReadAtCloser, error) { return nil, nil }

// Finish has nothing to do.
func (t *Target) Finish(ctx context.Context, e *entry.Entry) error { return ctx.Err() }

// Remove has nothing to remove.
func (t *Target) Remove(ctx context.Context, _ []*entry.Entry, _ func(e *entry.Entry, err error)) error {
	return ctx.Err()
}

// Close has nothing to do.
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

// file is the content on its way.
type file struct {
	entry   *entry.Entry
	program *program.Program
	to      *os.File
	at      int64
	refused bool // the command has closed its standard input: its status tells why
	over    bool
	unwatch func() bool
}

// WriteAt implements io.WriterAt for a start to end order. What is left out is zeros.
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

// Commit ends the command's input and waits for it. Any status but 0 is an error with the end of
// what it has written to its standard error; a command that ends with 0 need not have read
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

// Abort ends the command, which must not take what it has read so far for the whole: it is stopped
// before its input ends.
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
