//go:build linux

package main

import (
	"context"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file or directory of the mount.
type node struct {
	fs.LoopbackNode
	faults *faults
	seed   uint64 // of inode numbers; 0: those of the directory
}

var (
	_ fs.NodeLookuper       = (*node)(nil)
	_ fs.NodeGetattrer      = (*node)(nil)
	_ fs.NodeOpener         = (*node)(nil)
	_ fs.NodeReader         = (*node)(nil)
	_ fs.NodeOpendirHandler = (*node)(nil)
	_ fs.NodeReadlinker     = (*node)(nil)
	_ fs.NodeGetxattrer     = (*node)(nil)
	_ fs.NodeListxattrer    = (*node)(nil)
	_ fs.NodeAccesser       = (*node)(nil)
)

func newRoot(directory string, seed uint64, f *faults) (*node, error) {
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return nil, err
	}
	var st syscall.Stat_t
	if err := syscall.Stat(absolute, &st); err != nil {
		return nil, err
	}
	data := &fs.LoopbackRoot{Path: absolute, Dev: uint64(st.Dev)}
	data.NewNode = func(*fs.LoopbackRoot, *fs.Inode, string, *syscall.Stat_t) fs.InodeEmbedder {
		return &node{fs.LoopbackNode{RootData: data}, f, seed}
	}
	root := &node{fs.LoopbackNode{RootData: data}, f, seed}
	data.RootNode = root
	return root, nil
}

// where is the node's path below the directory.
func (n *node) where() string { return n.Path(n.Root()) }

func (n *node) file() string { return filepath.Join(n.RootData.Path, n.where()) }

// meet lets a call have its fault.
func (n *node) meet(ctx context.Context, op, where string) (verdict, syscall.Errno) {
	v := n.faults.meet(op, where)
	if v.delay > 0 {
		select {
		case <-time.After(v.delay):
		case <-ctx.Done():
			return v, syscall.EINTR
		}
	}
	if v.hang != nil {
		n.faults.hanging.Add(1)
		defer n.faults.hanging.Add(-1)
		select {
		case <-v.hang:
		case <-ctx.Done(): // a signal: without an answer not even the end of the process would end the call
			return v, syscall.EINTR
		}
	}
	return v, v.errno
}

// Lookup gives a child an inode number of its own making where there is a seed.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	where := filepath.Join(n.where(), name)
	if _, errno := n.meet(ctx, "stat", where); errno != 0 {
		return nil, errno
	}
	if squashed, _ := n.faults.state(); squashed && !n.others(n.file(), 1) {
		return nil, syscall.EACCES
	}
	var st syscall.Stat_t
	if err := syscall.Lstat(filepath.Join(n.RootData.Path, where), &st); err != nil {
		return nil, fs.ToErrno(err)
	}
	out.Attr.FromStat(&st)
	child := &node{fs.LoopbackNode{RootData: n.RootData}, n.faults, n.seed}
	return n.NewInode(ctx, child, fs.StableAttr{Mode: uint32(st.Mode), Ino: n.inode(where, &st)}), 0
}

func (n *node) inode(where string, st *syscall.Stat_t) uint64 {
	if n.seed == 0 {
		return st.Ino
	}
	h := fnv.New64a()
	h.Write([]byte(strconv.FormatUint(n.seed, 10) + "/" + where))
	return h.Sum64() | 2 // neither 0 nor the root's
}

func (n *node) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if _, errno := n.meet(ctx, "stat", n.where()); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Getattr(ctx, f, out)
}

// others tells whether somebody who is neither owner nor of the group may do what bits say.
func (n *node) others(file string, bits uint32) bool {
	var st syscall.Stat_t
	return syscall.Lstat(file, &st) != nil || uint32(st.Mode)&bits == bits
}

// squash refuses what others may not.
func (n *node) squash(bits uint32) syscall.Errno {
	if squashed, _ := n.faults.state(); squashed && !n.others(n.file(), bits) {
		return syscall.EACCES
	}
	return 0
}

func (n *node) Access(ctx context.Context, mask uint32) syscall.Errno { return n.squash(mask & 7) }

// Open turns the kernel's cache off, so that every read comes here and may be short.
func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if _, errno := n.meet(ctx, "open", n.where()); errno != 0 {
		return nil, 0, errno
	}
	if errno := n.squash(4); errno != 0 {
		return nil, 0, errno
	}
	h, _, errno := n.LoopbackNode.Open(ctx, flags)
	return h, fuse.FOPEN_DIRECT_IO, errno
}

func (n *node) Read(ctx context.Context, f fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	v, errno := n.meet(ctx, "read", n.where())
	if errno != 0 {
		return nil, errno
	}
	if err := n.grow(v.grow); err != nil {
		return nil, fs.ToErrno(err)
	}
	if v.short > 0 {
		dest = dest[:min(len(dest), v.short)]
	}
	return f.(fs.FileReader).Read(ctx, dest, off)
}

func (n *node) grow(bytes int) error {
	if bytes == 0 {
		return nil
	}
	file, err := os.OpenFile(n.file(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if _, err := file.Write(make([]byte, bytes)); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if _, errno := n.meet(ctx, "list", n.where()); errno != 0 {
		return nil, 0, errno
	}
	if errno := n.squash(4); errno != 0 {
		return nil, 0, errno
	}
	h, flags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &directory{FileHandle: h, node: n}, flags, 0
}

// directory is an open one. What is listed is what is there, unless it has vanished.
type directory struct {
	fs.FileHandle
	node *node
}

var (
	_ fs.FileReaddirenter = (*directory)(nil)
	_ fs.FileSeekdirer    = (*directory)(nil)
	_ fs.FileReleasedirer = (*directory)(nil)
)

func (d *directory) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	if _, vanished := d.node.faults.state(); vanished {
		return nil, 0
	}
	return d.FileHandle.(fs.FileReaddirenter).Readdirent(ctx)
}

func (d *directory) Seekdir(ctx context.Context, off uint64) syscall.Errno {
	return d.FileHandle.(fs.FileSeekdirer).Seekdir(ctx, off)
}

func (d *directory) Releasedir(ctx context.Context, flags uint32) {
	d.FileHandle.(fs.FileReleasedirer).Releasedir(ctx, flags)
}

func (n *node) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	if _, errno := n.meet(ctx, "link", n.where()); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Readlink(ctx)
}

func (n *node) Getxattr(ctx context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	if _, errno := n.meet(ctx, "attribute", n.where()); errno != 0 {
		return 0, errno
	}
	return n.LoopbackNode.Getxattr(ctx, name, dest)
}

func (n *node) Listxattr(ctx context.Context, dest []byte) (uint32, syscall.Errno) {
	if _, errno := n.meet(ctx, "attribute", n.where()); errno != 0 {
		return 0, errno
	}
	return n.LoopbackNode.Listxattr(ctx, dest)
}
