package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/target"
	"golang.org/x/sys/unix"
)

// level is a directory on the path of a walk.
type level struct {
	path  string
	names local.Listing
	next  int
}

// walk is one Walk.
type walk struct {
	*Target
	in    target.Scope
	v     target.Visitor
	known leftovers
	own   map[fileID]string
}

// Walk visits what exists, with the metadata that a listing returns and the targets of links. It
// removes temporary files of killed runs.
func (t *Target) Walk(ctx context.Context, in target.Scope, v target.Visitor) error {
	w := &walk{Target: t, in: in, v: v, known: make(leftovers), own: t.findOwn()}
	root, err := w.descend("")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return translate(err)
	}
	for stack := []*level{root}; len(stack) > 0; {
		at := stack[len(stack)-1]
		if err := ctx.Err(); err != nil {
			return err
		}
		below, err := w.visitLevel(at)
		if err != nil {
			return translate(err)
		}
		if below == "" {
			stack = stack[:len(stack)-1]
			continue
		}
		next, err := w.descend(below)
		if denied(err) {
			v.Remark(below, fmt.Errorf("%w: %w", target.ErrUnlisted, err))
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be gone since
			return translate(err)
		}
		if err == nil {
			stack = append(stack, next)
		}
	}
	return nil
}

// denied reports whether a directory cannot be listed for a reason of its own.
func denied(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EIO)
}

// descend lists a directory.
func (w *walk) descend(path string) (*level, error) {
	dir, err := w.tree.Open(path)
	if err != nil {
		return nil, err
	}
	defer dir.Release()
	l := &level{path: path}
	if err := dir.List(&l.names); err != nil {
		return nil, err
	}
	var failed error
	l.names.Filter(func(name []byte, _ local.Kind) bool {
		run, ok := runOf(string(name))
		if ok && failed == nil {
			failed = w.sweep(dir, string(name), run, w.known)
		}
		return !ok && (w.in == nil || w.in(join(path, string(name))))
	})
	l.names.Sort()
	return l, failed
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// sweep removes a temporary file if its run is over.
func (t *Target) sweep(dir *local.Dir, name, run string, known leftovers) error {
	if t.options.ReadOnly {
		return nil
	}
	over, err := t.isOver(run, known)
	if err != nil || !over {
		return err
	}
	err = unix.Unlinkat(dir.FD, name, 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	left := &fs.PathError{Op: "remove leftover", Path: dir.Join(name), Err: err}
	if denied(left) || dir.Note&appendOnly != 0 {
		t.options.Warn(join(dir.Path, name), left)
		return nil
	}
	return left
}

// visitLevel visits names up to and including the next directory to enter, and returns that
// directory's path, "" after the last name.
func (w *walk) visitLevel(at *level) (string, error) {
	dir, err := w.tree.Open(at.path)
	if err != nil {
		return "", err
	}
	defer dir.Release()
	for at.next < at.names.Len() {
		i := at.next
		at.next++
		e, mounted, failed := w.examine(dir, at, i)
		if failed != nil && !denied(failed) {
			return "", failed
		}
		if e == nil {
			continue
		}
		path, into := e.Path, e.Type == entry.Directory
		own := w.own[fileID{e.Device, e.Inode}]
		if err := w.v.Visit(e); err != nil {
			return "", err
		}
		if failed != nil {
			w.v.Remark(path, fmt.Errorf("%w: %w", target.ErrUnlisted, failed))
		}
		if mounted {
			w.v.Remark(path, target.ErrMount)
		}
		if own != "" {
			w.v.Remark(path, fmt.Errorf("it is %s: %w", own, target.ErrOwn))
			into = false
		}
		if into {
			return path, nil
		}
	}
	return "", nil
}

// fileID identifies a file of this machine.
type fileID struct{ device, inode uint64 }

// findOwn looks up the files in Own. Comparing paths is not enough, since the walk may reach them
// by other paths.
func (t *Target) findOwn() map[fileID]string {
	own := make(map[fileID]string, len(t.options.Own))
	for file, what := range t.options.Own {
		var st local.Stat
		if unix.Stat(file, &st) == nil {
			own[fileID{uint64(st.Dev), st.Ino}] = what
		}
	}
	return own
}

// examine examines a name. It returns nil if the entry has disappeared since the listing. After a
// failure the entry has only a path.
func (t *Target) examine(dir *local.Dir, at *level, i int) (e *entry.Entry, mounted bool, err error) {
	name := string(at.names.Name(i))
	var st local.Stat
	mounted, err = dir.Examine(&at.names, i, &st)
	if err == unix.ENOENT {
		return nil, false, nil
	}
	e = &entry.Entry{Path: join(at.path, name)}
	if err != nil {
		return e, false, &fs.PathError{Op: "stat", Path: dir.Join(name), Err: err}
	}
	local.Describe(&st, e)
	if e.Type == entry.Symlink {
		e.Target, err = dir.Readlink(name)
	}
	return e, mounted, err
}

// content is a file opened for comparison. It implements target.Sparse.
type content struct {
	fd   int
	file string
}

// NextData implements target.Sparse.
func (c *content) NextData(offset, end int64) (from, to int64, err error) {
	from, to, err = local.NextData(c.fd, offset, end)
	return min(from, end), min(to, end), err
}

// Open opens a regular file. It returns nil if there is none, or if a link or a file is in the way.
func (t *Target) Open(ctx context.Context, path string) (target.ReadAtCloser, error) {
	if err := check(path); err != nil {
		return nil, err
	}
	dir, name, err := t.place(path)
	if noFile(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Release()
	var st local.Stat
	if err := dir.Stat(name, false, &st); noFile(err) || err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, nil
	}
	fd, err := dir.OpenUntouched(name, unix.O_RDONLY, int64(st.Uid))
	if noFile(err) {
		return nil, nil
	}
	if err != nil {
		return nil, translate(&fs.PathError{Op: "open", Path: dir.Join(name), Err: err})
	}
	return &content{fd, dir.Join(name)}, nil
}

func noFile(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// ReadAt implements io.ReaderAt.
func (c *content) ReadAt(p []byte, offset int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := local.Pread(c.fd, p[done:], offset+int64(done))
		if err != nil {
			return done, translate(&fs.PathError{Op: "read", Path: c.file, Err: err})
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

// Close implements io.Closer.
func (c *content) Close() error { return unix.Close(c.fd) }
