package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/source"
	"golang.org/x/sys/unix"
)

// A file system that is not mounted, or is lost while it is read, must not become a snapshot in which everything was deleted. So a root
// that is the top of a mounted file system, or lies on a remote one, says so in its entry, and the next backup refuses to find less there; and
// whatever cannot be found makes sure that the roots are still what they were.

// mountAttribute is what an entry of a root remembers of the file system that it is on.
const mountAttribute = "mount"

// root is a directory that was named.
type root struct {
	path   string // of its entry
	file   string
	device uint64
	mount  string // the kind of what is mounted there, "" for nothing special
	filled atomic.Bool
}

// guard examines the roots and compares them with the last snapshot.
func (s *Source) guard(ctx context.Context) error {
	roots := make(map[string]*root)
	for path := range s.named(s.roots, "") {
		r, err := s.examineRoot(path)
		if err != nil {
			return err
		}
		if r != nil {
			roots[path] = r
		}
	}
	for _, r := range roots {
		if err := s.compareRoot(ctx, r); err != nil {
			return err
		}
	}
	s.guarded.Store(&roots)
	return nil
}

// named iterates over the paths of roots that are directories and lie in no other one.
func (s *Source) named(b *branch, path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if b.root && b.directory && !yield(path) {
			return
		}
		for _, name := range b.names() {
			for below := range s.named(b.children[name], joinPath(path, name)) {
				if !yield(below) {
					return
				}
			}
		}
	}
}

// examineRoot returns nil for what is no directory.
func (s *Source) examineRoot(path string) (*root, error) {
	r := &root{path: path, file: s.file(path)}
	var st, above local.Stat
	if err := unix.Stat(r.file, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, nil // the walk says what is wrong
	}
	dir, err := s.tree.Open(path)
	if err != nil {
		return nil, rootError(r.file, err)
	}
	defer dir.Release()
	r.device = uint64(st.Dev)
	s.devices.learn(r.device, dir.FD)
	system, _ := s.devices.system(r.device)
	switch err := dir.Stat("..", false, &above); {
	case system.Remote:
		r.mount = system.Name
	case err == nil && above.Dev != st.Dev:
		r.mount = "local"
	}
	return r, nil
}

// compareRoot refuses a root that was on a file system that is not there now.
func (s *Source) compareRoot(ctx context.Context, r *root) error {
	if s.previous == nil || s.options.AllowEmpty {
		return nil
	}
	last, err := s.previous(ctx, r.path)
	if err != nil || last == nil {
		return err
	}
	was := ""
	for _, a := range last.Remote {
		if a.Name == mountAttribute {
			was = string(a.Value)
		}
	}
	if was == "" || r.mount != "" && (was == "local" || r.mount != "local") {
		return nil
	}
	return fmt.Errorf("%s was on a file system of its own (%s) in the last snapshot and is not now: mount it, or, if it lies here for good, back it up once without the last snapshot (--force): %w",
		r.file, was, source.ErrUnmounted)
}

// Previous implements source.Incremental.
func (s *Source) Previous(lookup source.Lookup) { s.previous = lookup }

// remember notes in the entry of a root what it is on, and returns the root.
func (s *Source) remember(e *entry.Entry) {
	if r := s.rootAt(e.Path); r != nil && r.mount != "" {
		e.Remote = []entry.Attribute{{Name: mountAttribute, Value: []byte(r.mount)}}
	}
}

func (s *Source) rootAt(path string) *root {
	if all := s.guarded.Load(); all != nil {
		return (*all)[path]
	}
	return nil
}

// opened refuses a directory that now has the name of a root.
func (s *Source) opened(dir *local.Dir) error {
	r := s.rootAt(dir.Path)
	if r == nil {
		return nil
	}
	var st local.Stat
	if err := local.Fstat(dir.FD, &st); err != nil {
		return err
	}
	return r.compare(&st)
}

func (r *root) compare(now *local.Stat) error {
	if uint64(now.Dev) == r.device {
		return nil
	}
	return fmt.Errorf("another file system than before is at %s: %w", r.file, source.ErrUnreachable)
}

// explain turns err into source.ErrUnreachable where it comes from a root that is gone, wherever it was met.
func (s *Source) explain(err error) error {
	all := s.guarded.Load()
	if all == nil || errors.Is(err, source.ErrUnreachable) || !errors.Is(err, source.ErrVanished) && !passing(err) && !disconnected(err) {
		return err
	}
	for _, r := range *all {
		if gone := r.lost(); gone != nil {
			return fmt.Errorf("%s is gone while it was being backed up: %w: %w: %w", r.file, source.ErrUnreachable, gone, err)
		}
	}
	return err
}

// lost tells what has become of the root, nil if it is there.
func (r *root) lost() error {
	dir, err := os.Open(r.file)
	if errors.Is(err, os.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	var st local.Stat
	local.Refresh(int(dir.Fd()))
	if err := local.Fstat(int(dir.Fd()), &st); err != nil {
		return err
	}
	if err := r.compare(&st); err != nil {
		return err
	}
	if _, err := dir.Readdirnames(1); r.filled.Load() && errors.Is(err, io.EOF) {
		return source.ErrEmpty
	}
	return nil
}
