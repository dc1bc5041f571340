// Package files is the source for a directory tree of this machine, on local disks and mounts. It
// walks by directory descriptors, several directories at once, but in order and only a limited
// distance ahead. It avoids changing access times where it can.
package files

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/exclude"
)

// Options determine what to back up. Roots is required.
type Options struct {
	// Roots are absolute paths. A single directory becomes the source's root, the entry ""; a
	// single file becomes an entry with its base name. With several roots, or with Absolute,
	// entries are named by their absolute path without the leading slash, and the directories above
	// the roots are entries too.
	//
	// A root may be reached through symbolic links, and may be one itself: then its target is
	// backed up under the link's name. A root inside another root is only a link. Any other root
	// that leads nowhere is an error.
	Roots    []string
	Absolute bool
	// Directory refuses a single root that is not a directory.
	Directory bool

	// Exclude leaves out what these lines would exclude in a .gitignore in the root, or with
	// Absolute in each of the roots. A pattern that begins with a root's own path is relative to
	// that root.
	Exclude []string
	// ExcludeAnyCase are further lines, applied after those of Exclude, which ignore case.
	ExcludeAnyCase []string
	// Home, if not nil, is the place to which the patterns are relative instead, in a tree of which
	// this source is the part below the path Part.
	Home *exclude.Place
	Part string
	// ExcludeCaches leaves out the content of directories marked by a CACHEDIR.TAG.
	ExcludeCaches bool
	// ExcludeIfPresent leaves out the content of directories that contain a file with one of these
	// names; with "name:text" only if it begins with text.
	ExcludeIfPresent []string
	// ExcludeLargerThan, if positive, leaves out files of more bytes.
	ExcludeLargerThan int64

	// LeaveOut are files and directories that are never backed up, by whatever path the walk
	// reaches them. They need not exist. LeftOut, if set, is called with the path of each that was
	// met, from several goroutines at once.
	LeaveOut []string
	LeftOut  func(path string)

	// OneFileSystem stays on the file systems of the roots. A mount point becomes an empty
	// directory.
	OneFileSystem bool
	// AllowEmpty accepts an empty root, which is source.ErrEmpty otherwise. It also accepts a root
	// that was on a file system of its own in the last snapshot and is not now, which is
	// source.ErrUnmounted otherwise.
	AllowEmpty bool
	// IgnoreInode leaves out inode numbers, but still recognizes several names of one file. Network
	// file systems and FUSE are always treated so, since they may assign new numbers with each
	// mount.
	IgnoreInode bool
	// Parallel is the number of directories listed at once (default: 8).
	Parallel int
	// Class is how content is cut (default: source.ClassMedium).
	Class source.Class
}

// Source is a directory tree. It implements source.Source, source.Incremental and source.Advising.
type Source struct {
	options Options
	base    string  // the file name of the path ""
	roots   *branch // what was named, by path; set by prepare
	exclude *exclude.Patterns
	present []marker
	apart   map[fileID]bool // what LeaveOut names; set by prepare
	tree    *local.Tree
	owners  local.Owners

	devices  devices
	previous source.Lookup // of the last snapshot; may be nil
	guarded  atomic.Pointer[map[string]*root]
	denied   denied
	vain     atomic.Int32                // tries in vain, in a row
	inject   func(op, path string) error // for tests: fails a call of the system; may be nil

	prepared   sync.Once
	prepareErr error

	asked sync.Once
	far   bool // a server or a process answers for the file system of a root: see Readers
}

var (
	_ source.Incremental = (*Source)(nil)
	_ source.Advising    = (*Source)(nil)
	_ source.Distant     = (*Source)(nil)
)

// New checks the options. It reads nothing.
func New(options Options) (*Source, error) {
	if len(options.Roots) == 0 {
		return nil, fmt.Errorf("files: no root given")
	}
	for i, root := range options.Roots {
		if !filepath.IsAbs(root) || strings.ContainsRune(root, 0) {
			return nil, fmt.Errorf("files: root %q is not an absolute path", root)
		}
		options.Roots = append(options.Roots[:i:i], append([]string{filepath.Clean(root)}, options.Roots[i+1:]...)...)
	}
	if len(options.Roots) > 1 {
		options.Absolute = true
	}
	if options.Parallel <= 0 {
		options.Parallel = 8
	}
	if options.Class == "" {
		options.Class = source.ClassMedium
	}
	s := &Source{options: options}
	var err error
	if s.exclude, err = exclude.Parse(options.Exclude, options.home()); err != nil {
		return nil, err
	}
	if err := s.exclude.AddAnyCase(options.ExcludeAnyCase, options.home()); err != nil {
		return nil, err
	}
	s.present = markers(options)
	s.tree = local.NewTree(local.Options{Anchor: s.anchor, Opened: s.opened})
	return s, nil
}

// home returns the place to which the patterns are relative.
func (o *Options) home() exclude.Place {
	if o.Home != nil {
		return *o.Home
	}
	home := exclude.Place{Roots: map[string]string{}, Each: o.Absolute}
	for _, root := range o.Roots {
		home.Roots[root] = ""
		if o.Absolute {
			home.Roots[root] = root[1:]
		}
	}
	return home
}

// Excludes implements source.Excluding.
func (s *Source) Excludes() []string { return s.exclude.Lines() }

// excludedFrom returns the patterns for the directory at path.
func (s *Source) excludedFrom(path string) *exclude.Folder {
	switch {
	case s.options.Part == "":
		return s.exclude.In(path)
	case path == "":
		return s.exclude.In(s.options.Part)
	}
	return s.exclude.In(s.options.Part + "/" + path)
}

// Class is medium unless the options say otherwise.
func (s *Source) Class() source.Class { return s.options.Class }

// Close closes the open directories. Open files stay open.
func (s *Source) Close() error { return s.tree.Close() }

// file returns the path of an entry on this machine, for messages.
func (s *Source) file(path string) string { return joinFile(s.base, path) }

func joinFile(base, path string) string {
	switch {
	case path == "":
		return base
	case base == "/":
		return "/" + path
	}
	return base + "/" + path
}

// fileID identifies a file of this machine.
type fileID struct{ device, inode uint64 }

// findApart looks up the files in LeaveOut. Comparing paths is not enough, since the walk may reach
// them by other paths.
func (s *Source) findApart() {
	for _, name := range s.options.LeaveOut {
		info, err := os.Stat(name)
		if err != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			if s.apart == nil {
				s.apart = map[fileID]bool{}
			}
			s.apart[fileID{uint64(st.Dev), uint64(st.Ino)}] = true
		}
	}
}

// isApart reports whether an entry is in LeaveOut.
func (s *Source) isApart(st *local.Stat, path string) bool {
	if len(s.apart) == 0 || !s.apart[fileID{uint64(st.Dev), uint64(st.Ino)}] {
		return false
	}
	if s.options.LeftOut != nil {
		s.options.LeftOut(s.file(path))
	}
	return true
}

// ready prepares the source once.
func (s *Source) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.prepared.Do(func() {
		s.prepareErr = wait(ctx, func() error {
			s.findApart()
			return s.prepare()
		})
	})
	return s.prepareErr
}
