package directory

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/target"
	"golang.org/x/sys/unix"
)

// level is a directory on the way down a walk.
type level struct {
	path  string
	names local.Listing
	next  int
}

// Walk visits what is there with the metadata that a listing gives, and where links lead to. Temporary files that a killed
// run has left are removed on the way.
func (t *Target) Walk(ctx context.Context, visit func(e *entry.Entry) error) error {
	known := make(leftovers)
	root, err := t.descend("", known)
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
		below, err := t.visitLevel(at, visit)
		if err != nil {
			return translate(err)
		}
		if below == "" {
			stack = stack[:len(stack)-1]
			continue
		}
		next, err := t.descend(below, known)
		if err != nil {
			return translate(err)
		}
		stack = append(stack, next)
	}
	return nil
}

// descend lists a directory.
func (t *Target) descend(path string, known leftovers) (*level, error) {
	dir, err := t.tree.Open(path)
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
			failed = t.sweep(dir, string(name), run, known)
		}
		return !ok
	})
	l.names.Sort()
	return l, failed
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
	if err := unix.Unlinkat(dir.FD, name, 0); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "remove leftover", Path: dir.Join(name), Err: err}
	}
	return nil
}

// visitLevel visits up to and with the next directory and returns its path, "" after the last name.
func (t *Target) visitLevel(at *level, visit func(e *entry.Entry) error) (string, error) {
	dir, err := t.tree.Open(at.path)
	if err != nil {
		return "", err
	}
	defer dir.Release()
	for at.next < at.names.Len() {
		i := at.next
		at.next++
		e, err := t.examine(dir, at, i)
		if err != nil {
			return "", err
		}
		if e == nil {
			continue
		}
		if err := visit(e); err != nil {
			return "", err
		}
		if e.Type == entry.Directory {
			return e.Path, nil
		}
	}
	return "", nil
}

// examine returns nil for what is gone since the listing.
func (t *Target) examine(dir *local.Dir, at *level, i int) (*entry.Entry, error) {
	name := string(at.names.Name(i))
	var st local.Stat
	err := dir.StatListed(&at.names, i, &st)
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: dir.Join(name), Err: err}
	}
	e := &entry.Entry{Path: name}
	if at.path != "" {
		e.Path = at.path + "/" + name
	}
	local.Describe(&st, e)
	if e.Type == entry.Symlink {
		e.Target, err = dir.Readlink(name)
	}
	return e, err
}

// content is a file opened to compare it. It implements target.Sparse.
type content struct {
	fd   int
	file string
}

// NextData implements target.Sparse.
func (c *content) NextData(offset, end int64) (from, to int64, err error) {
	from, to, err = local.NextData(c.fd, offset, end)
	return min(from, end), min(to, end), err
}

// Open opens a regular file; nil where there is none, be it that a link or a file is in the way.
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
