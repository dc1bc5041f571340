package mount

import (
	"context"
	"hash/fnv"
	"io"
	"iter"
	"path"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// node is an entry of a tree.
type node struct {
	fs.Inode
	m     *mounted
	src   *source
	entry entry.Entry

	mu     sync.Mutex
	listed *tree.Node // the entry of a directory that was listed last, which is looked up next
}

var (
	_ fs.NodeLookuper    = (*node)(nil)
	_ fs.NodeReaddirer   = (*node)(nil)
	_ fs.NodeGetattrer   = (*node)(nil)
	_ fs.NodeReadlinker  = (*node)(nil)
	_ fs.NodeGetxattrer  = (*node)(nil)
	_ fs.NodeListxattrer = (*node)(nil)
	_ fs.NodeOpener      = (*node)(nil)
	_ fs.NodeReader      = (*node)(nil)
	_ fs.NodeLseeker     = (*node)(nil)
	_ fs.NodeFlusher     = (*node)(nil)
	_ fs.NodeAccesser    = (*node)(nil)
)

func newNode(m *mounted, src *source, n *tree.Node) *node {
	made := &node{m: m, src: src, entry: n.Entry}
	if !made.entry.HasModTime() {
		made.entry.ModTime = src.moment
	}
	return made
}

// where returns the node's path below the mount.
func (n *node) where() string { return path.Join(n.src.key, n.entry.Path) }

// below returns the path in the tree of an entry of a directory.
func (n *node) below(name string) string {
	if n.entry.Path == "" {
		return name
	}
	return n.entry.Path + "/" + name
}

// Lookup implements fs.NodeLookuper.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	child := n.GetChild(name)
	if child == nil {
		found, err := n.find(ctx, n.below(name))
		if err != nil {
			return nil, n.m.failed(path.Join(n.where(), name), err)
		}
		child = n.NewInode(ctx, newNode(n.m, n.src, found), n.src.stable(&found.Entry))
	}
	return child, describe(ctx, child, out)
}

func (n *node) find(ctx context.Context, path string) (*tree.Node, error) {
	n.mu.Lock()
	listed := n.listed
	n.mu.Unlock()
	if listed != nil && listed.Path == path {
		return listed, nil
	}
	return n.src.lookup(ctx, path)
}

// stable returns the inode number and type of an entry. All names of one file have one number.
// Others get theirs as they are listed, so that programs that read in the order of numbers, such as
// cp, read in the order of the tree.
func (s *source) stable(e *entry.Entry) fs.StableAttr {
	attr := fs.StableAttr{Mode: typeBits(e.Type)}
	if e.Type != entry.Directory && e.Links > 1 && e.Inode != 0 {
		h := fnv.New64a()
		io.WriteString(h, s.key)
		var number [16]byte
		for i := range 8 {
			number[i], number[8+i] = byte(e.Device>>(8*i)), byte(e.Inode>>(8*i))
		}
		h.Write(number[:])
		attr.Ino = h.Sum64()>>1 | 2
	}
	return attr
}

func typeBits(t entry.Type) uint32 {
	switch t {
	case entry.Directory:
		return syscall.S_IFDIR
	case entry.Symlink:
		return syscall.S_IFLNK
	case entry.Fifo:
		return syscall.S_IFIFO
	case entry.CharDevice:
		return syscall.S_IFCHR
	case entry.BlockDevice:
		return syscall.S_IFBLK
	case entry.Socket:
		return syscall.S_IFSOCK
	}
	return syscall.S_IFREG
}

// Getattr implements fs.NodeGetattrer.
func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	e := &n.entry
	out.Mode = typeBits(e.Type) | modeOf(e)
	out.Uid, out.Gid = e.UID, e.GID
	out.Size, out.Blksize = uint64(e.Size), 128<<10
	out.Blocks = (uint64(stored(e)) + 511) / 512
	if e.Type == entry.Symlink {
		out.Size = uint64(len(e.Target))
	}
	out.Nlink = max(1, e.Links)
	if e.Type == entry.Directory {
		out.Nlink = anyLinks
	}
	out.Rdev = uint32(e.NodeDevice)
	setTime(&out.Mtime, &out.Mtimensec, e.ModTime)
	setTime(&out.Atime, &out.Atimensec, e.ModTime)
	setTime(&out.Ctime, &out.Ctimensec, e.ModTime)
	if !e.ChangeTime.IsZero() {
		setTime(&out.Ctime, &out.Ctimensec, e.ChangeTime)
	}
	out.SetTimeout(kept)
	return 0
}

// modeOf returns the mode, or a usual one if it is not known.
func modeOf(e *entry.Entry) uint32 {
	switch {
	case e.Mode != 0 || e.Known&entry.KnowsMode != 0:
		return e.Mode
	case e.Type == entry.Directory:
		return 0o755
	case e.Type == entry.Symlink:
		return 0o777
	}
	return 0o644
}

// stored returns how many bytes of a file are not holes.
func stored(e *entry.Entry) (sum int64) {
	if e.Extents == nil {
		return e.Size
	}
	for _, x := range e.Extents {
		sum += x.Length
	}
	return sum
}

func setTime(seconds *uint64, nanos *uint32, t entry.Time) {
	*seconds, *nanos = uint64(t.Seconds), t.Nanos
}

// Readlink implements fs.NodeReadlinker.
func (n *node) Readlink(context.Context) ([]byte, syscall.Errno) { return []byte(n.entry.Target), 0 }

// Access implements fs.NodeAccesser. The kernel calls it only if nobody but the mounting user is
// admitted.
func (n *node) Access(context.Context, uint32) syscall.Errno { return 0 }

// Getxattr implements fs.NodeGetxattrer.
func (n *node) Getxattr(_ context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	for _, a := range n.entry.Xattrs {
		if a.Name == name {
			if len(a.Value) > len(dest) {
				return uint32(len(a.Value)), syscall.ERANGE
			}
			return uint32(copy(dest, a.Value)), 0
		}
	}
	return 0, syscall.ENODATA
}

// Listxattr implements fs.NodeListxattrer.
func (n *node) Listxattr(_ context.Context, dest []byte) (uint32, syscall.Errno) {
	var names []byte
	for _, a := range n.entry.Xattrs {
		names = append(append(names, a.Name...), 0)
	}
	if len(names) > len(dest) {
		return uint32(len(names)), syscall.ERANGE
	}
	return uint32(copy(dest, names)), 0
}

// Readdir implements fs.NodeReaddirer.
func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	l := &listing{dir: n}
	l.begin()
	return l, 0
}

// listing reads a directory as far as the kernel asks.
type listing struct {
	dir  *node
	next func() (*tree.Node, error, bool)
	stop func()

	ahead *tree.Node
	err   error
	done  bool
}

var _ fs.FileSeekdirer = (*listing)(nil)

func (l *listing) begin() {
	l.next, l.stop = iter.Pull2(l.dir.src.tree.List(l.dir.m.ctx, l.dir.entry.Path))
	l.ahead, l.err, l.done = nil, nil, false
}

// Seekdir implements fs.FileSeekdirer. To go back it starts again, and skips as many entries as
// were read there.
func (l *listing) Seekdir(_ context.Context, had uint64) syscall.Errno {
	l.stop()
	l.begin()
	for range had {
		if !l.HasNext() {
			break
		}
		if _, errno := l.Next(); errno != 0 {
			return errno
		}
	}
	return 0
}

// HasNext implements fs.DirStream.
func (l *listing) HasNext() bool {
	if l.ahead == nil && l.err == nil && !l.done {
		n, err, ok := l.next()
		l.ahead, l.err, l.done = n, err, !ok
	}
	return !l.done
}

// Next implements fs.DirStream.
func (l *listing) Next() (fuse.DirEntry, syscall.Errno) {
	if l.err != nil {
		l.done = true
		return fuse.DirEntry{}, l.dir.m.failed(l.dir.where(), l.err)
	}
	n := l.ahead
	l.ahead = nil
	l.dir.mu.Lock()
	l.dir.listed = &tree.Node{Entry: n.Entry}
	l.dir.mu.Unlock()
	return fuse.DirEntry{Name: path.Base(n.Path), Mode: typeBits(n.Type)}, 0
}

// Close implements fs.DirStream.
func (l *listing) Close() { l.stop() }

// Open implements fs.NodeOpener. The error tells the kernel to read without opening from now on.
func (n *node) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, 0, syscall.ENOSYS
}

// Read implements fs.NodeReader.
func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	where := n.where()
	f, err := n.m.reading.get(where, func() (*file, error) { return n.src.open(n.m.ctx, n.entry.Path) })
	length := 0
	if err == nil {
		length, err = f.read(n.m.ctx, dest, offset) // a signal that is no reason to end must not end it
	}
	if err != nil {
		return nil, n.m.failed(where, err)
	}
	if offset+int64(length) >= n.entry.Size {
		n.m.reading.finish(where)
	}
	return fuse.ReadResultData(dest[:length]), 0
}

// Flush implements fs.NodeFlusher. The error tells the kernel not to call it again.
func (n *node) Flush(context.Context, fs.FileHandle) syscall.Errno { return syscall.ENOSYS }

// seekHoleWhence is SEEK_HOLE of lseek.
const seekHoleWhence = 4

// Lseek implements fs.NodeLseeker.
func (n *node) Lseek(_ context.Context, _ fs.FileHandle, offset uint64, whence uint32) (uint64, syscall.Errno) {
	seek := seekData
	if whence == seekHoleWhence {
		seek = seekHole
	}
	at, err := seek(&n.entry, int64(offset))
	if err != nil {
		return 0, syscall.ENXIO
	}
	return uint64(at), 0
}
