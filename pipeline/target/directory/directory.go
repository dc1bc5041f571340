// Package directory is the target for a directory of this machine. It reaches everything by
// descriptors from the root, and follows no symbolic link on the way, so nothing is written
// outside, whatever exists there or is created meanwhile.
//
// A file is written under a temporary name in the same directory, and renamed when it is complete.
// A small file is instead collected in memory and written at once, under its own name if nothing
// has that: a rename costs as much as everything else. If the process is killed in these
// microseconds, a file may remain that is too short. It has the time of the restore instead of its
// own, so that a second restore with --overwrite if-changed replaces it.
package directory

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/target"
	"golang.org/x/sys/unix"
)

// Options determine how entries become files. The zero value restores everything that this process
// is permitted to.
type Options struct {
	// Owner replaces the entries' owners where it has one.
	Owner target.Owner
	// Chmod changes the entries' modes. If it changes a mode, the entry's ACL is left out.
	Chmod target.Chmod
	// NumericIDs sets owners by number even if their names are known here with other numbers. ACLs
	// are always set by number.
	NumericIDs bool
	// NoOwner does not set owners. NoXattrs leaves out extended attributes and ACLs.
	NoOwner, NoXattrs bool
	// ReadOnly refuses to write, and keeps leftovers of killed runs. It is for plans.
	ReadOnly bool
	// Own lists files and directories of packstone itself, with what each is. A Walk remarks on
	// them, by whatever path it reaches them. They need not exist.
	Own map[string]string
	// Parallel is the number of files that may be written at once (default: 16).
	Parallel int
	// Warn is called with metadata of a restored entry, such as an owner or an attribute, that
	// could not be set. It must be safe for concurrent use.
	Warn func(path string, err error)
}

// Target is a directory. It implements target.Target.
type Target struct {
	options Options
	root    string
	tree    *local.Tree
	owners  local.Owners

	run     string // tells this run's temporary files from others'
	counter atomic.Uint32

	begun    sync.Once
	beginErr error
	lock     int         // open as long as this run may have temporary files
	allNamed atomic.Bool // the file system has no files without a name

	mu      sync.Mutex
	systems map[uint64]int // a directory open on each file system that was written to
}

var _ target.Target = (*Target)(nil)

// New returns a target for the directory root, an absolute path. The first write makes it. New
// fails with target.ErrPath if something else is there.
func New(root string, options Options) (*Target, error) {
	if !filepath.IsAbs(root) {
		return nil, fmt.Errorf("directory: target %q is not an absolute path", root)
	}
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is in the way of a directory: move it away: %w", root, target.ErrPath)
	}
	if options.Parallel <= 0 {
		options.Parallel = 16
	}
	if options.Warn == nil {
		options.Warn = func(string, error) {}
	}
	var run [4]byte
	rand.Read(run[:])
	t := &Target{options: options, root: filepath.Clean(root), run: hex.EncodeToString(run[:]), lock: -1, systems: make(map[uint64]int)}
	anchor := local.Anchor{File: t.root, Follow: true}
	t.tree = local.NewTree(local.Options{Anchor: func(string) local.Anchor { return anchor }, Opened: t.opened})
	return t, nil
}

// Traits implements target.Target. Files are written in any order, and existing ones are read from
// a local disk.
func (t *Target) Traits() target.Traits {
	return target.Traits{Parallel: t.options.Parallel, Near: true}
}

// begin makes the root, and marks this run as alive.
func (t *Target) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.begun.Do(func() { t.beginErr = t.start() })
	return t.beginErr
}

func (t *Target) start() error {
	if t.options.ReadOnly {
		return fmt.Errorf("%s was opened to read only: %w", t.root, os.ErrPermission)
	}
	if err := os.MkdirAll(t.root, 0o755); err != nil {
		return fmt.Errorf("%w: %w", target.ErrDenied, translate(err))
	}
	dir, err := t.tree.Open("")
	if err != nil {
		return translate(err)
	}
	defer dir.Release()
	return t.takeLock(dir)
}

// The notes of a Dir.
const (
	defaultACL = 1 << iota // what is made in it takes over its ACL
	appendOnly             // nothing in it can be removed or renamed
)

// opened records what new files inherit from a directory, whether it is append-only, and its file
// system.
func (t *Target) opened(dir *local.Dir) error {
	if !t.options.NoXattrs && dir.HasXattr("system.posix_acl_default") {
		dir.Note |= defaultACL
	}
	if local.IsAppendOnly(dir.FD) {
		dir.Note |= appendOnly
	}
	var st local.Stat
	if err := local.Fstat(dir.FD, &st); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.systems[uint64(st.Dev)]; known {
		return nil
	}
	fd, err := unix.FcntlInt(uintptr(dir.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	t.systems[uint64(st.Dev)] = fd
	return nil
}

// Close flushes what was restored to the disk and frees resources.
func (t *Target) Close(ctx context.Context) error {
	t.dropLock()
	t.tree.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	written := t.written()
	var failed []error
	for _, fd := range t.systems {
		if written && ctx.Err() == nil {
			failed = append(failed, t.sync(fd))
		}
		unix.Close(fd)
	}
	clear(t.systems)
	return errors.Join(append(failed, ctx.Err())...)
}

func (t *Target) sync(fd int) error {
	if err := syncFileSystem(fd); err != nil {
		return translate(&os.PathError{Op: "sync", Path: t.root, Err: err})
	}
	return nil
}

// written reports whether something may have been written.
func (t *Target) written() bool {
	written := true
	t.begun.Do(func() { written, t.beginErr = false, os.ErrClosed })
	return written && t.beginErr == nil
}
