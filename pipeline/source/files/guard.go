package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/source"
)

// A file system that is not mounted, or is lost while it is read, must not become a snapshot in
// which everything was deleted. So a root that lies on a mounted file system says so in its entry,
// and the next backup refuses to find less there; and whatever cannot be found makes sure that the
// roots are still what they were.

// The attributes in which a root's entry records the file system that it is on.
const (
	mountAttribute = "mount"       // the kind of the one that is mounted at the root, or of a remote one
	pointAttribute = "mount.point" // where one is mounted above the root
)

// root is a directory that the user has named.
type root struct {
	path   string // of its entry
	file   string
	device uint64
	mount  string // the kind of what is mounted there, "" for nothing special
	point  string // where what the root lies on is mounted, if that is a directory above it; "" for the system's own root
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

// named iterates over the paths of roots that are directories and not inside another one.
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

// examineRoot examines a root. It returns nil for anything but a directory.
func (s *Source) examineRoot(path string) (*root, error) {
	r := &root{path: path, file: s.file(path)}
	var st local.Stat
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
	switch levels := levelsToMount(dir, &st); {
	case system.Remote:
		r.mount = system.Name
	case levels == 0:
		r.mount = "local"
	case levels > 0:
		r.point = above(r.file, levels)
	}
	return r, nil
}

// levelsToMount returns how many directories dir is below the mount point of its file system. It
// returns less than 0 if that is the system's own root, or unknown.
func levelsToMount(dir *local.Dir, st *local.Stat) int {
	at, up := *st, ".."
	for levels := 0; len(up) < unix.PathMax; levels++ {
		var next local.Stat
		switch err := dir.Stat(up, false, &next); {
		case err != nil, next.Dev == at.Dev && next.Ino == at.Ino: // the top
			return -1
		case next.Dev != at.Dev:
			return levels
		}
		at, up = next, up+"/.."
	}
	return -1
}

// above returns the path of the directory that is this many levels above file, after following
// links.
func above(file string, levels int) string {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return ""
	}
	for range levels {
		real = filepath.Dir(real)
	}
	return real
}

// isMounted reports whether something is mounted at a directory, or at one between it and the root.
func (r *root) isMounted(point string) bool {
	if r.mount != "" || len(r.point) > len(point) {
		return true
	}
	var at, up local.Stat
	return unix.Lstat(point, &at) == nil && unix.Lstat(point+"/..", &up) == nil && at.Dev != up.Dev
}

// compareRoot refuses a root whose file system is no longer mounted.
func (s *Source) compareRoot(ctx context.Context, r *root) error {
	if s.previous == nil || s.options.AllowEmpty {
		return nil
	}
	last, err := s.previous(ctx, r.path)
	if err != nil || last == nil {
		return err
	}
	was, point := "", ""
	for _, a := range last.Remote {
		switch a.Name {
		case mountAttribute:
			was = string(a.Value)
		case pointAttribute:
			point = string(a.Value)
		}
	}
	switch {
	case was != "" && (r.mount == "" || was != "local" && r.mount == "local"):
		return r.unmounted("was on a file system of its own (" + was + ")")
	case was == "" && point != "" && !r.isMounted(point):
		return r.unmounted("was on the file system that was mounted at " + point)
	}
	return nil
}

func (r *root) unmounted(was string) error {
	return fmt.Errorf("%s %s in the last snapshot and is not now: mount it, or, if it lies here for good, back it up once without the last snapshot (--force): %w",
		r.file, was, source.ErrUnmounted)
}

// Previous implements source.Incremental.
func (s *Source) Previous(lookup source.Lookup) { s.previous = lookup }

// remember records in the entry of a root which file system it is on, and returns the root.
func (s *Source) remember(e *entry.Entry) {
	switch r := s.rootAt(e.Path); {
	case r == nil:
	case r.mount != "":
		e.Remote = []entry.Attribute{{Name: mountAttribute, Value: []byte(r.mount)}}
	case r.point != "":
		e.Remote = []entry.Attribute{{Name: pointAttribute, Value: []byte(r.point)}}
	}
}

func (s *Source) rootAt(path string) *root {
	if all := s.guarded.Load(); all != nil {
		return (*all)[path]
	}
	return nil
}

// opened refuses another directory that has taken the name of a root.
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
	return fmt.Errorf("there is another file system than before at %s: %w", r.file, source.ErrUnreachable)
}

// explain turns err into source.ErrUnreachable if it was caused by a root that is gone, wherever it
// occurred.
func (s *Source) explain(err error) error {
	all := s.guarded.Load()
	if all == nil || errors.Is(err, source.ErrUnreachable) || exhausted(err) || !errors.Is(err, source.ErrVanished) && !passing(err) && !disk.Away(err) {
		return err
	}
	for _, r := range *all {
		if gone := r.lost(); gone != nil {
			return fmt.Errorf("%s was removed during its backup: %w: %w: %w", r.file, source.ErrUnreachable, gone, err)
		}
	}
	return err
}

// lost returns what has become of the root, nil if it still exists.
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
