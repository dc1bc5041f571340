package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/target"
	"golang.org/x/sys/unix"
)

// file is a file being restored, under a temporary name. A small file that is written at once is
// kept in memory until Commit.
type file struct {
	target *Target
	entry  *entry.Entry
	object object
	begin  sync.Once    // of writing to disk
	small  *[]byte      // its content; nil if it is on disk, or nothing has come yet
	end    atomic.Int64 // of what was written
	failed atomic.Pointer[error]
	made   bool // it is there, under the object's name
	// It gets its name when it is complete.
	nameless bool
	over     bool
}

// smallFile is the largest size in bytes of a file that is kept in memory.
const smallFile = 64 << 10

var smallFiles = sync.Pool{New: func() any { return new([]byte) }}

// Create begins a file. Its WriteAt is safe for concurrent use. What is outside the entry's extents
// is not written and stays a hole.
func (t *Target) Create(ctx context.Context, e *entry.Entry) (target.File, error) {
	if e.Type != entry.File {
		return nil, fmt.Errorf("create %s: it is not a file", e.Path)
	}
	dir, name, err := t.parent(ctx, e.Path)
	if err != nil {
		return nil, err
	}
	if name == local.Self {
		dir.Release()
		return nil, fmt.Errorf("create a file in place of the target's root: %w", target.ErrPath)
	}
	return &file{target: t, entry: e, object: object{dir: dir, name: name, fd: -1, path: e.Path}}, nil
}

// open makes the file under a temporary name, or without a name if a temporary one could not be
// removed.
func (f *file) open() error {
	if f.appends() {
		return f.openNameless()
	}
	f.object.name = f.target.temporary()
	return f.make()
}

// make makes the file under the object's name, which must not exist.
func (f *file) make() (err error) {
	f.object.fd, err = f.object.dir.OpenFile(f.object.name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, f.mode())
	if err != nil {
		return f.object.failed("create", err)
	}
	f.made = true
	return nil
}

func (f *file) mode() uint32 { return f.target.options.Chmod.Apply(f.entry.Mode, false) & 0o777 }

// appends reports whether nothing can be renamed or removed in the file's directory.
func (f *file) appends() bool { return f.object.dir.Note&appendOnly != 0 }

// parent opens the directory that contains path, for a caller that is about to write.
func (t *Target) parent(ctx context.Context, path string) (*local.Dir, string, error) {
	if err := check(path); err != nil {
		return nil, "", err
	}
	if err := t.begin(ctx); err != nil {
		return nil, "", err
	}
	return t.place(path)
}

// place returns the open directory that contains path, and the name in it; the root is "." in
// itself.
func (t *Target) place(path string) (*local.Dir, string, error) {
	parent, name := local.Split(path)
	if path == "" {
		name = local.Self
	}
	dir, err := t.tree.Open(parent)
	if err != nil {
		return nil, "", translate(err)
	}
	return dir, name, nil
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	if f.keep(p, offset) {
		return len(p), nil
	}
	f.begin.Do(func() {
		if err := f.open(); err != nil {
			f.fail(translate(err))
		}
	})
	if failed := f.failed.Load(); failed != nil {
		return 0, *failed
	}
	if err := f.write(p, offset); err != nil {
		err = translate(f.object.failed("write", err))
		f.fail(err)
		return 0, err
	}
	f.reach(offset + int64(len(p)))
	return len(p), nil
}

// keep keeps the content of a small file in memory if p is all of it.
func (f *file) keep(p []byte, offset int64) bool {
	if offset != 0 || int64(len(p)) != f.entry.Size || len(p) > smallFile || f.entry.Extents != nil {
		return false
	}
	kept := false
	f.begin.Do(func() {
		kept = true
		f.small = smallFiles.Get().(*[]byte)
		*f.small = append((*f.small)[:0], p...)
		f.end.Store(int64(len(p)))
	})
	return kept
}

// write writes the parts of p that are inside the extents.
func (f *file) write(p []byte, offset int64) error {
	all := f.entry.Extents
	if all == nil {
		return local.Pwrite(f.object.fd, p, offset)
	}
	end := offset + int64(len(p))
	first := sort.Search(len(all), func(i int) bool { return all[i].Offset+all[i].Length > offset })
	for _, x := range all[first:] {
		if x.Offset >= end {
			break
		}
		from, to := max(offset, x.Offset), min(end, x.Offset+x.Length)
		if err := local.Pwrite(f.object.fd, p[from-offset:to-offset], from); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) reach(end int64) {
	for {
		before := f.end.Load()
		if end <= before || f.end.CompareAndSwap(before, end) {
			return
		}
	}
}

// fail records the first error. On a full disk it frees at once what the file has taken.
func (f *file) fail(err error) {
	if f.failed.CompareAndSwap(nil, &err) && errors.Is(err, target.ErrFull) && f.object.fd >= 0 {
		if f.made {
			_ = unix.Unlinkat(f.object.dir.FD, f.object.name, 0)
		}
		_ = unix.Ftruncate(f.object.fd, 0)
	}
}

// Commit sets the file's size and metadata, and gives it its name.
func (f *file) Commit(ctx context.Context) error {
	if f.over {
		return fmt.Errorf("commit %s: %w", f.entry.Path, fs.ErrClosed)
	}
	defer f.Abort()
	if failed := f.failed.Load(); failed != nil {
		return *failed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.settle(); err != nil {
		return translate(err)
	}
	f.over = true
	f.object.dir.Release()
	return nil
}

// settle completes the file before it gives the file its name.
func (f *file) settle() error {
	if f.object.fd < 0 {
		defer f.forget()
		if err := f.openSmall(); err != nil {
			return err
		}
		if err := f.writeKept(); err != nil {
			return err
		}
	}
	if err := f.complete(); err != nil || f.nameless {
		return err
	}
	return f.target.settle(&f.object, f.entry)
}

// openSmall writes a file that was kept in memory. If the file system supports it, the file has no
// name until it is complete, which takes half the time of renaming.
func (f *file) openSmall() (err error) {
	if f.appends() || f.target.allNamed.Load() {
		return f.open()
	}
	if f.object.fd, err = local.OpenNameless(f.object.dir.FD, f.mode()); err != nil {
		f.target.allNamed.Store(err == unix.ENOTSUP || err == unix.EISDIR || err == unix.EINVAL)
		return f.open()
	}
	_, f.object.name = local.Split(f.entry.Path)
	f.nameless = true
	return nil
}

func (f *file) writeKept() error {
	if f.small == nil {
		return nil
	}
	if err := local.Pwrite(f.object.fd, *f.small, 0); err != nil {
		return f.object.failed("write", err)
	}
	return nil
}

// forget frees the memory of a small file.
func (f *file) forget() {
	if f.small != nil {
		smallFiles.Put(f.small)
		f.small = nil
	}
}

// earlyWriteback is the size in bytes from which the disk begins to write files as soon as they are
// complete, so that the final sync has little to do.
const earlyWriteback = 64 << 10

// complete ends the writing. It comes before the rename, since a network file system may report
// only now that it is full.
func (f *file) complete() error {
	// With extents, the end of the file may be a hole although it was passed to WriteAt.
	if end := f.end.Load(); end < f.entry.Size || f.entry.Extents != nil {
		if err := unix.Ftruncate(f.object.fd, max(end, f.entry.Size)); err != nil {
			return f.object.failed("extend", err)
		}
	}
	if err := f.target.dress(&f.object, f.entry); err != nil {
		return err
	}
	if f.entry.Size >= earlyWriteback {
		startWriteback(f.object.fd)
	}
	if err := f.name(); err != nil {
		return err
	}
	err := unix.Close(f.object.fd)
	f.object.fd = -1
	if err != nil && err != unix.EINTR {
		return f.object.failed("close", err)
	}
	return nil
}

// name gives a nameless file its name, or a temporary one if the name exists.
func (f *file) name() error {
	if !f.nameless {
		return nil
	}
	err := local.Name(f.object.fd, f.object.dir.FD, f.object.name)
	if err == unix.EEXIST && !f.appends() {
		f.object.name, f.nameless, f.made = f.target.temporary(), false, true
		err = local.Name(f.object.fd, f.object.dir.FD, f.object.name)
	}
	if err != nil {
		return f.object.failed("name", err)
	}
	return nil
}

// Abort removes what was written.
func (f *file) Abort() {
	if f.over {
		return
	}
	f.over = true
	f.forget()
	if f.object.fd >= 0 {
		unix.Close(f.object.fd)
	}
	if f.made {
		f.target.discard(&f.object)
	}
	f.object.dir.Release()
}

// settle renames what was made under a temporary name. It removes an empty directory in the way.
func (t *Target) settle(o *object, e *entry.Entry) error {
	_, name := local.Split(e.Path)
	err := unix.Renameat(o.dir.FD, o.name, o.dir.FD, name)
	if err == unix.EISDIR || err == unix.ENOTEMPTY || err == unix.EEXIST {
		if err := t.removeDirectory(o.dir, e.Path, name); err != nil {
			return err
		}
		err = unix.Renameat(o.dir.FD, o.name, o.dir.FD, name)
	}
	if err != nil {
		return o.failed("rename to", err)
	}
	return nil
}
