// Package local is what the adapters for directories of this machine share: directories reached by
// descriptors, so that paths may have any length and no link on the way is followed; their
// listings, metadata, extended attributes and owners. Names are raw bytes.
package local

import (
	"errors"
	"io/fs"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Anchor is a path of a tree that is opened by a file name of the machine: its root, or what a
// person has named.
type Anchor struct {
	Path   string // in the tree
	File   string // absolute
	Follow bool   // File may be, and may lead through, a symbolic link
}

// Options say how a Tree is opened. Anchor is required.
type Options struct {
	// Anchor returns the deepest anchor at or above path.
	Anchor func(path string) Anchor
	// Descriptors is the number of directories that are kept open (default: 256). More are open
	// only while more are in use.
	Descriptors int
	// Opened, if set, is called for each directory that has been opened, before anyone uses it.
	Opened func(d *Dir) error
}

// Tree opens directories by their path below an anchor and keeps the latest open. It is safe for
// concurrent use.
type Tree struct {
	options Options

	mu     sync.Mutex
	open   map[string]*Dir
	recent Dir // ring of the open directories, latest first
	closed bool
}

// Dir is an open directory. FD is valid until Release.
type Dir struct {
	FD   int
	Path string // in the tree
	File string // name on the machine, for messages
	Note uint64 // belongs to the function Opened

	tree       *Tree
	users      int
	gone       bool // no longer in the tree's map: closed by the last user
	prev, next *Dir
}

// NewTree returns a tree in which nothing is open yet.
func NewTree(options Options) *Tree {
	if options.Descriptors <= 0 {
		options.Descriptors = 256
	}
	t := &Tree{options: options, open: make(map[string]*Dir)}
	t.recent.prev, t.recent.next = &t.recent, &t.recent
	return t
}

// Open opens the directory at path. A symbolic link on the way below the anchor is ELOOP or
// ENOTDIR.
func (t *Tree) Open(path string) (*Dir, error) {
	d, err := t.cached(path)
	if d != nil || err != nil {
		return d, err
	}
	d, err = t.openNew(path)
	if err != nil {
		return nil, err
	}
	if t.options.Opened != nil {
		if err := t.options.Opened(d); err != nil {
			unix.Close(d.FD)
			return nil, err
		}
	}
	return t.keep(d)
}

func (t *Tree) cached(path string) (*Dir, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrClosed}
	}
	d := t.open[path]
	if d != nil {
		d.users++
		d.toFront()
	}
	return d, nil
}

func (t *Tree) openNew(path string) (*Dir, error) {
	anchor := t.options.Anchor(path)
	if anchor.Path == path {
		return t.openAnchor(anchor)
	}
	base, rest := t.nearest(anchor.Path, path)
	if base == nil {
		var err error
		if base, err = t.Open(anchor.Path); err != nil {
			return nil, err
		}
	}
	defer base.Release()
	fd, err := openBelow(base.FD, rest)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: base.Join(rest), Err: err}
	}
	return &Dir{FD: fd, Path: path, File: base.Join(rest), tree: t}, nil
}

func (t *Tree) openAnchor(anchor Anchor) (*Dir, error) {
	flags := openDirectory
	if !anchor.Follow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := openReadable(unix.AT_FDCWD, anchor.File, flags)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: anchor.File, Err: err}
	}
	return &Dir{FD: fd, Path: anchor.Path, File: anchor.File, tree: t}, nil
}

// nearest returns the parent of path, or its parent, where one is open, and what remains of path
// below it.
func (t *Tree) nearest(anchor, path string) (*Dir, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for at, tries := path, 0; tries < 3; tries++ {
		parent, _ := Split(at)
		if len(parent) <= len(anchor) {
			break
		}
		if d := t.open[parent]; d != nil {
			d.users++
			return d, path[len(parent)+1:]
		}
		at = parent
	}
	d := t.open[anchor]
	if d == nil {
		return nil, strings.TrimPrefix(path[len(anchor):], "/")
	}
	d.users++
	return d, strings.TrimPrefix(path[len(anchor):], "/")
}

// keep puts d among the open directories; another goroutine may have been faster.
func (t *Tree) keep(d *Dir) (*Dir, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		unix.Close(d.FD)
		return nil, &fs.PathError{Op: "open", Path: d.File, Err: fs.ErrClosed}
	}
	if first := t.open[d.Path]; first != nil {
		unix.Close(d.FD)
		first.users++
		return first, nil
	}
	d.users = 1
	d.prev, d.next = d, d
	t.open[d.Path] = d
	d.toFront()
	t.shrink()
	return d, nil
}

// shrink closes directories that nobody uses, the longest unused first, until no more are open than
// should be.
func (t *Tree) shrink() {
	for d := t.recent.prev; d != &t.recent && len(t.open) > t.options.Descriptors; {
		before := d.prev
		if d.users == 0 {
			t.drop(d)
		}
		d = before
	}
}

// drop takes d out of the tree and closes it unless it is in use.
func (t *Tree) drop(d *Dir) {
	delete(t.open, d.Path)
	d.prev.next, d.next.prev = d.next, d.prev
	d.gone = true
	if d.users == 0 {
		unix.Close(d.FD)
	}
}

// Forget makes the tree open path, and all below it, anew: something else lies there now.
func (t *Tree) Forget(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, d := range t.open {
		if p == path || path == "" || strings.HasPrefix(p, path) && p[len(path)] == '/' {
			t.drop(d)
		}
	}
}

// Close closes what is open and not in use; nothing can be opened any more.
func (t *Tree) Close() error {
	t.Forget("")
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	return nil
}

// Release ends the caller's use of d.
func (d *Dir) Release() {
	d.tree.mu.Lock()
	defer d.tree.mu.Unlock()
	d.users--
	if d.gone && d.users == 0 {
		unix.Close(d.FD)
	}
}

// Join names what is called name in d, for messages.
func (d *Dir) Join(name string) string {
	switch {
	case name == "" || name == Self:
		return d.File
	case d.File == "/":
		return "/" + name
	}
	return d.File + "/" + name
}

func (d *Dir) toFront() {
	d.prev.next, d.next.prev = d.next, d.prev
	front := &d.tree.recent
	d.prev, d.next = front, front.next
	front.next.prev = d
	front.next = d
}

// Self is the name of a directory in itself.
const Self = "."

// Split returns the directory that path lies in, and its name there.
func Split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

const openDirectory = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NONBLOCK

// stride is how much of a path is given to the kernel at once; it takes 4096 bytes on Linux and
// 1024 elsewhere.
const stride = 1000

// openBelow opens the directory at path below dir, however long path is, and follows no link.
func openBelow(dir int, path string) (int, error) {
	at := dir
	for {
		part, rest := path, ""
		if len(path) > stride {
			cut := strings.LastIndexByte(path[:stride], '/')
			if cut < 0 {
				return -1, unix.ENAMETOOLONG
			}
			part, rest = path[:cut], path[cut+1:]
		}
		next, err := openPart(at, part)
		if at != dir {
			unix.Close(at)
		}
		if err != nil || rest == "" {
			return next, err
		}
		at, path = next, rest
	}
}

// openSteps opens the directory at path below dir one component at a time.
func openSteps(dir int, path string) (int, error) {
	at := dir
	for {
		name, rest, more := strings.Cut(path, "/")
		next, err := openReadable(at, name, openDirectory|unix.O_NOFOLLOW)
		if at != dir {
			unix.Close(at)
		}
		if err != nil || !more {
			return next, err
		}
		at, path = next, rest
	}
}

// openat is openat(2), again where a signal came between.
func openat(dir int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
