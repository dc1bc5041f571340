package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/source"
)

// branch is a directory at or above the roots, in a small tree of what the user has named.
type branch struct {
	root      bool // named itself; else only what is below it
	follow    bool // may be a symbolic link
	directory bool // known to be one, or a link to one that is followed
	nowhere   bool // a link that leads nowhere
	children  map[string]*branch
}

func (b *branch) child(name string) *branch {
	if b == nil {
		return nil
	}
	return b.children[name]
}

// names returns the names of the children, in order.
func (b *branch) names() []string {
	names := make([]string, 0, len(b.children))
	for name := range b.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// prepare examines the roots. It needs the file system, which New does not.
func (s *Source) prepare() error {
	if !s.options.Absolute {
		return s.prepareSingle(s.options.Roots[0])
	}
	s.base, s.roots = "/", &branch{follow: true}
	for _, root := range s.options.Roots {
		info, err := os.Stat(root)
		nowhere := leadsNowhere(root, err)
		if err != nil && !nowhere {
			return rootError(root, err)
		}
		b := s.name(strings.TrimPrefix(root, "/"))
		b.root, b.nowhere, b.follow, b.directory = true, nowhere, !nowhere, !nowhere && info.IsDir()
	}
	return s.checkNested(s.roots, "", false)
}

// leadsNowhere reports whether a file, which could not be followed, is a symbolic link to nothing.
func leadsNowhere(file string, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ELOOP) {
		return false
	}
	info, err := os.Lstat(file)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func nowhereError(root string) error {
	return fmt.Errorf("cannot back up %s: it is a symbolic link that leads nowhere", root)
}

func (s *Source) prepareSingle(root string) error {
	info, err := os.Stat(root)
	if leadsNowhere(root, err) {
		return nowhereError(root)
	}
	if err != nil {
		return rootError(root, err)
	}
	if info.IsDir() {
		s.base, s.roots = root, &branch{root: true, follow: true, directory: true}
		return nil
	}
	if s.options.Directory {
		return fmt.Errorf("cannot back up %s: it is not a directory", root)
	}
	dir, name := filepath.Split(root)
	s.base, s.roots = filepath.Clean(dir), &branch{follow: true}
	s.roots.children = map[string]*branch{name: {root: true, follow: true}}
	return nil
}

// name adds a path to the tree, and returns its branch.
func (s *Source) name(path string) *branch {
	at := s.roots
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			break
		}
		if at.children == nil {
			at.children = make(map[string]*branch)
		}
		if at.children[part] == nil {
			at.children[part] = &branch{follow: true}
		}
		at = at.children[part]
	}
	return at
}

// checkNested refuses a root that is inside another one through a symbolic link, since the walk of
// the other does not follow the link. A broken link cannot be a root of its own, but inside another
// root it is backed up with the rest.
func (s *Source) checkNested(b *branch, path string, covered bool) error {
	if b.nowhere && !covered {
		return nowhereError(s.file(path))
	}
	if covered && len(b.children) > 0 {
		if info, err := os.Lstat(s.file(path)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("a path below %s is behind a symbolic link inside another path: name its target instead", s.file(path))
		}
	}
	b.follow = b.follow && !covered
	b.directory = b.directory && !covered
	for _, name := range b.names() {
		below := joinPath(path, name)
		if err := s.checkNested(b.children[name], below, covered || b.root); err != nil {
			return err
		}
	}
	return nil
}

// anchor returns the deepest directory at or above path that the user has named, or that is above
// one.
func (s *Source) anchor(path string) local.Anchor {
	b, taken := s.roots, 0
	for rest := path; rest != "" && !b.root; {
		name, more, deeper := strings.Cut(rest, "/")
		next := b.child(name)
		if next == nil {
			break
		}
		b, rest, taken = next, more, len(path)-len(more)
		if deeper {
			taken--
		}
	}
	return local.Anchor{Path: path[:taken], File: s.file(path[:taken]), Follow: b.follow}
}

// place returns the directory, and the name in it, by which path is examined, and whether to follow
// a symbolic link there.
func (s *Source) place(path string) (dir, name string, follow bool) {
	if path == "" {
		return "", local.Self, false
	}
	b := s.roots
	for part := range strings.SplitSeq(path, "/") {
		if b = b.child(part); b == nil {
			break
		}
	}
	if b != nil && (!b.root || b.directory) {
		return path, local.Self, false
	}
	dir, name = local.Split(path)
	return dir, name, b != nil && b.follow
}

func rootError(root string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot back up %s: it does not exist: %w", root, err)
	}
	if passing(err) || disk.Away(err) {
		return fmt.Errorf("cannot back up %s: it cannot be reached: %w: %w", root, source.ErrUnreachable, err)
	}
	return translate(err)
}

func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
