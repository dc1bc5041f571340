package files

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/source"
	"golang.org/x/sys/unix"
)

// file is an open file. What counts is its size when it was opened: a log that grows is read to there.
type file struct {
	source *Source
	path   string
	fd     int
	begun  local.Stat // when it was opened
	end    int64      // where reading stops
	at     int64

	sparse    bool
	data, gap int64 // the data range at or after at, if sparse
}

// Open opens a regular file. Another one that has taken its place since the walk is read as if it had been listed: Finish tells.
func (s *Source) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	fd, err := s.openFile(e.Path, int64(e.UID))
	if err != nil {
		return nil, err
	}
	f := &file{source: s, path: e.Path, fd: fd}
	if err := local.Fstat(fd, &f.begun); err != nil {
		unix.Close(fd)
		return nil, f.failed("stat", err)
	}
	if f.begun.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return nil, fmt.Errorf("%s is no longer a regular file: %w", s.file(e.Path), source.ErrVanished)
	}
	f.end = f.begun.Size
	if f.end == 0 { // as the files of /proc say, too
		f.end = math.MaxInt64
	}
	f.sparse = local.Sparse(&f.begun)
	return f, nil
}

// openFile opens what is at path for reading, without waiting for the other end of a pipe.
func (s *Source) openFile(path string, owner int64) (int, error) {
	parent, name, follow := s.place(path)
	dir, err := s.tree.Open(parent)
	if err != nil {
		return -1, translate(err)
	}
	defer dir.Release()
	flags := unix.O_RDONLY
	if follow {
		flags |= local.Follow
	}
	fd, err := dir.OpenUntouched(name, flags, owner)
	if err != nil {
		return -1, translate(&fs.PathError{Op: "open", Path: s.file(path), Err: err})
	}
	return fd, nil
}

func (f *file) failed(op string, err error) error {
	return translate(&fs.PathError{Op: op, Path: f.source.file(f.path), Err: err})
}

// Read implements io.Reader. Holes are not read, only zeroed in p.
func (f *file) Read(p []byte) (int, error) {
	p = p[:min(int64(len(p)), f.end-f.at)]
	if len(p) == 0 {
		if f.at >= f.end {
			return 0, io.EOF
		}
		return 0, nil
	}
	if f.sparse {
		return f.readSparse(p)
	}
	return f.read(p)
}

func (f *file) read(p []byte) (int, error) {
	n, err := local.Pread(f.fd, p, f.at)
	if err != nil {
		return 0, f.failed("read", err)
	}
	if n == 0 {
		f.end = f.at // shorter than it was
		return 0, io.EOF
	}
	f.at += int64(n)
	return n, nil
}

func (f *file) readSparse(p []byte) (int, error) {
	if f.at >= f.gap {
		var err error
		if f.data, f.gap, err = local.NextData(f.fd, f.at, f.end); err != nil {
			f.sparse = false // it does not tell: read all
			return f.read(p)
		}
		if f.gap <= f.at { // no more data: zeros up to the end
			f.gap = f.end
		}
	}
	if f.at < f.data {
		n := int(min(int64(len(p)), f.data-f.at))
		clear(p[:n])
		f.at += int64(n)
		return n, nil
	}
	return f.read(p[:min(int64(len(p)), f.gap-f.at)])
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := local.Pread(f.fd, p[done:], offset+int64(done))
		if err != nil {
			return done, f.failed("read", err)
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

// Finish compares the file with what it was when it was opened. After a change e keeps the times of then, so that
// the next run finds it changed.
func (f *file) Finish(e *entry.Entry) error {
	if f.differs(e) {
		f.source.describe(&f.begun, e)
		// It may be gone by now. Then what was known of it stays.
		_ = f.source.detail(f.path, e)
	}
	var now local.Stat
	if err := local.Fstat(f.fd, &now); err != nil {
		return f.failed("stat", err)
	}
	if f.begun.Size == now.Size && f.begun.Mtim == now.Mtim && f.begun.Ctim == now.Ctim && f.at >= now.Size {
		e.Size = f.at
		return nil
	}
	e.Size = f.at
	e.Extents = nil
	return fmt.Errorf("%s: %w", f.source.file(f.path), source.ErrChanged)
}

// differs tells whether the file was another one, or another state of it, when it was listed.
func (f *file) differs(e *entry.Entry) bool {
	var opened entry.Entry
	f.source.describe(&f.begun, &opened)
	return !entry.Unchanged(e, &opened)
}

// Close implements io.Closer.
func (f *file) Close() error {
	if f.fd < 0 {
		return nil
	}
	err := unix.Close(f.fd)
	f.fd = -1
	if err != nil {
		return f.failed("close", err)
	}
	return nil
}
