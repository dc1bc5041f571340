package files

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/source"
	"golang.org/x/sys/unix"
)

// file is an open file. It is read up to the size that it had when it was opened, even if it grows.
type file struct {
	source *Source
	ctx    context.Context // of Open: a read that hangs is left alone when it ends
	path   string
	owner  int64
	fd     int
	begun  local.Stat // when it was opened
	end    int64      // where reading stops
	at     int64
	remote bool // reading may hang

	sparse    bool
	data, gap int64 // the data range at or after at, if sparse
}

// Open opens a regular file. If another file has replaced it since the walk, Open reads that, and
// Finish reports it.
func (s *Source) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	f := &file{source: s, ctx: ctx, path: e.Path, owner: int64(e.UID), fd: -1, remote: s.devices.remote.Load()}
	if err := f.open(); err != nil {
		return nil, s.deny(err, false)
	}
	if f.begun.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(f.fd)
		return nil, fmt.Errorf("%s is no longer a regular file: %w", s.file(e.Path), source.ErrVanished)
	}
	f.end = f.begun.Size
	if f.end == 0 { // as the files of /proc say, too
		f.end = math.MaxInt64
	}
	f.sparse = local.Sparse(&f.begun)
	return f, nil
}

// open opens the file, with a new look-up if necessary.
func (f *file) open() error {
	parent, _, _ := f.source.place(f.path)
	return f.wait(func() error {
		return f.source.again(f.ctx, parent, func() error {
			fd, st, err := f.source.openFile(f.path, f.owner)
			if err == nil {
				f.fd, f.begun = fd, st
			}
			return err
		})
	})
}

// wait calls do, which may hang on a remote file system.
func (f *file) wait(do func() error) error {
	if !f.remote {
		return do()
	}
	return wait(f.ctx, do)
}

// openFile opens path for reading, without waiting for the other end of a pipe, and examines it.
func (s *Source) openFile(path string, owner int64) (int, local.Stat, error) {
	var st local.Stat
	if err := s.injected("open", path); err != nil {
		return -1, st, err
	}
	parent, name, follow := s.place(path)
	dir, err := s.tree.Open(parent)
	if err != nil {
		return -1, st, err
	}
	defer dir.Release()
	flags := unix.O_RDONLY
	if follow {
		flags |= local.Follow
	}
	fd, err := dir.OpenUntouched(name, flags, owner)
	if err != nil {
		return -1, st, &fs.PathError{Op: "open", Path: s.file(path), Err: err}
	}
	if err := local.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, st, &fs.PathError{Op: "stat", Path: s.file(path), Err: err}
	}
	return fd, st, nil
}

func (f *file) failed(op string, err error) error {
	return translate(&fs.PathError{Op: op, Path: f.source.file(f.path), Err: err})
}

// Read implements io.Reader. It does not read holes, but zeroes p.
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
	n, err := f.pread(p)
	if passing(err) {
		n, err = f.readAgain(p)
	}
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

// buffers are for reads that may hang: if one is abandoned, the caller's buffer must not be in use.
var buffers = sync.Pool{New: func() any { return new([1 << 20]byte) }}

func (f *file) pread(p []byte) (int, error) {
	if err := f.source.injected("read", f.path); err != nil {
		return 0, err
	}
	if !f.remote {
		return local.Pread(f.fd, p, f.at)
	}
	buffer := buffers.Get().(*[1 << 20]byte)
	fd, at, size, n := f.fd, f.at, min(len(p), len(buffer)), 0
	err := wait(f.ctx, func() (err error) {
		n, err = local.Pread(fd, buffer[:size], at)
		return err
	})
	if f.ctx.Err() != nil {
		return 0, context.Cause(f.ctx) // the buffer is lost
	}
	copy(p, buffer[:max(n, 0)])
	buffers.Put(buffer)
	return n, err
}

// readAgain continues after a new look-up, if it finds the same state of the file. Otherwise what
// was read and what would be read do not belong together.
func (f *file) readAgain(p []byte) (n int, err error) {
	parent, _, _ := f.source.place(f.path)
	err = f.source.again(f.ctx, parent, func() error {
		if err := f.reopen(); err != nil {
			return err
		}
		n, err = f.pread(p)
		return err
	})
	return n, err
}

func (f *file) reopen() error {
	var fd int
	var st local.Stat
	err := f.wait(func() (err error) {
		fd, st, err = f.source.openFile(f.path, f.owner)
		return err
	})
	if err != nil {
		return err
	}
	if st.Size != f.begun.Size || st.Mtim != f.begun.Mtim || st.Ctim != f.begun.Ctim || st.Mode != f.begun.Mode {
		unix.Close(fd)
		return source.ErrChanged
	}
	unix.Close(f.fd)
	f.fd = fd
	return nil
}

func (f *file) readSparse(p []byte) (int, error) {
	if zeros := f.Zeros(); zeros > 0 {
		n := int(min(int64(len(p)), zeros))
		clear(p[:n])
		f.Skip(int64(n))
		return n, nil
	}
	if !f.sparse {
		return f.read(p)
	}
	return f.read(p[:min(int64(len(p)), f.gap-f.at)])
}

// Zeros implements source.Sparse.
func (f *file) Zeros() int64 {
	if !f.sparse || f.at >= f.end {
		return 0
	}
	if f.at >= f.gap {
		if err := f.findData(); err != nil {
			f.sparse = false // it does not tell: read all
			return 0
		}
		if f.gap <= f.at { // no more data: zeros up to the end
			f.gap = f.end
		}
	}
	return max(0, f.data-f.at)
}

// Skip implements source.Sparse.
func (f *file) Skip(n int64) { f.at += n }

func (f *file) findData() error {
	fd, at, end := f.fd, f.at, f.end
	var data, gap int64
	err := f.wait(func() (err error) {
		data, gap, err = local.NextData(fd, at, end)
		return err
	})
	if err == nil {
		f.data, f.gap = data, gap
	}
	return err
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

// Finish compares the file with its state when it was opened. After a change, e keeps the times of
// then, so that the next run finds the file changed.
func (f *file) Finish(e *entry.Entry) error {
	if f.differs(e) {
		f.source.describe(&f.begun, e)
		// The file may be gone by now. Then e keeps what was known.
		_ = f.source.Detail(f.ctx, e)
	}
	now, err := f.now()
	if err != nil {
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

// now returns the file's state as the server tells it, not as cached: others may have written to
// it.
func (f *file) now() (local.Stat, error) {
	var now local.Stat
	fd := f.fd
	err := f.wait(func() error {
		if f.remote {
			local.Refresh(fd)
		}
		return local.Fstat(fd, &now)
	})
	return now, err
}

// differs reports whether the file, or its state, was another one when it was listed.
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
