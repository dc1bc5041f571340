package mount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sync/semaphore"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// defaultRoom is how many bytes of database files are kept.
const defaultRoom = 4 << 30

// databases holds the files made from databases. It is safe for concurrent use.
type databases struct {
	folder func() (string, error)
	room   int64

	mu    sync.Mutex
	dir   string // "" until one is made
	made  map[string]*made
	count int64 // of uses so far
}

// made is a database that was requested.
type made struct {
	making *semaphore.Weighted // who makes it: a mutex, which is waited for no longer than a context lasts
	// The lock of databases guards the fields below.
	path  string // "" while it is not there
	size  int64  // as it was when it was there last; -1: never
	users int    // who read it
	used  int64  // the number of the last use
}

// get makes the file of a database, unless it exists, and keeps it until giveBack is called. It
// waits for somebody else who makes it no longer than ctx lasts.
func (d *databases) get(ctx context.Context, key string, write func(file string) error) (*made, error) {
	m := d.enter(key)
	if err := m.making.Acquire(ctx, 1); err != nil {
		d.giveBack(m)
		return nil, err
	}
	defer m.making.Release(1)
	if d.path(m) != "" {
		return m, nil
	}
	file, size, err := d.write(key, write)
	if err != nil {
		d.giveBack(m)
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	m.path, m.size = file, size
	d.tidy()
	return m, nil
}

// enter adds a user of a database.
func (d *databases) enter(key string) *made {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.made[key]
	if m == nil {
		m = &made{size: -1, making: semaphore.NewWeighted(1)}
		d.made[key] = m
	}
	d.count++
	m.users, m.used = m.users+1, d.count
	return m
}

func (d *databases) path(m *made) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return m.path
}

// write makes the file of a database.
func (d *databases) write(key string, write func(file string) error) (file string, size int64, err error) {
	dir, err := d.directory()
	if err != nil {
		return "", 0, err
	}
	file = filepath.Join(dir, strings.ReplaceAll(key, "/", "_"))
	if err := write(file); err != nil {
		return "", 0, errors.Join(err, os.RemoveAll(file))
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", 0, err
	}
	return file, info.Size(), nil
}

func (d *databases) directory() (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir == "" {
		dir, err := d.folder()
		if err != nil {
			return "", fmt.Errorf("make a folder for databases: %w", err)
		}
		d.dir = dir
	}
	return d.dir, nil
}

// giveBack removes a user of a database.
func (d *databases) giveBack(m *made) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m.users--
	d.tidy()
}

// size returns the size of a database's file, -1 if it was never made.
func (d *databases) size(key string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.made[key]; m != nil {
		return m.size
	}
	return -1
}

// tidy removes the least recently used files if there are too many. The caller must hold the lock.
func (d *databases) tidy() {
	for d.taken() > d.room {
		var oldest *made
		for _, m := range d.made {
			if m.path != "" && m.users == 0 && (oldest == nil || m.used < oldest.used) {
				oldest = m
			}
		}
		if oldest == nil || os.Remove(oldest.path) != nil {
			return
		}
		oldest.path = ""
	}
}

func (d *databases) taken() (sum int64) {
	for _, m := range d.made {
		if m.path != "" {
			sum += m.size
		}
	}
	return sum
}

// remove removes all files.
func (d *databases) remove() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir == "" {
		return nil
	}
	return os.RemoveAll(d.dir)
}

// databaseNode is the SQLite file of a database.
type databaseNode struct {
	fs.Inode
	m     *mounted
	src   *source
	state *catalog.SourceState
	key   string
}

var (
	_ fs.NodeGetattrer = (*databaseNode)(nil)
	_ fs.NodeOpener    = (*databaseNode)(nil)
	_ fs.NodeReader    = (*databaseNode)(nil)
	_ fs.NodeAccesser  = (*databaseNode)(nil)
)

func (m *mounted) database(s *catalog.Snapshot, state *catalog.SourceState) (fs.InodeEmbedder, syscall.Errno) {
	src, err := m.open(s, state)
	if err != nil {
		return nil, m.failed(s.ShortID()+"/"+state.Name, err)
	}
	return &databaseNode{m: m, src: src, state: state, key: src.key + ".sqlite"}, 0
}

// get makes the file, unless it is there. Who asked for it first may go away meanwhile.
func (n *databaseNode) get(ctx context.Context) (*made, error) {
	return n.m.databases.get(ctx, n.key, func(file string) error {
		ctx, cancel := context.WithCancel(n.m.ctx)
		defer cancel()
		return n.m.Database(ctx, n.state, n.src.store.fetcher.Files(ctx, n.src.tree), file)
	})
}

// describe fills in what is known without making the file. It leaves out the size, so that the
// kernel asks for it.
func (n *databaseNode) describe(out *fuse.EntryOut) {
	size := n.m.databases.size(n.key)
	n.fill(&out.Attr, max(0, size))
	if size >= 0 {
		out.SetAttrTimeout(kept)
	}
}

func (n *databaseNode) fill(out *fuse.Attr, size int64) {
	out.Mode, out.Nlink, out.Size, out.Blocks = syscall.S_IFREG|0o600, 1, uint64(size), uint64(size+511)/512
	out.Owner = fuse.Owner{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
	t := entry.TimeOf(n.state.Moment)
	setTime(&out.Mtime, &out.Mtimensec, t)
	setTime(&out.Atime, &out.Atimensec, t)
	setTime(&out.Ctime, &out.Ctimensec, t)
}

// Getattr implements fs.NodeGetattrer. It makes the file if its size is not known.
func (n *databaseNode) Getattr(ctx context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	size := n.m.databases.size(n.key)
	if size < 0 {
		made, err := n.get(ctx)
		if err != nil {
			return n.m.failed(n.key, err)
		}
		n.m.databases.giveBack(made)
		size = n.m.databases.size(n.key)
	}
	n.fill(&out.Attr, size)
	out.SetTimeout(kept)
	return 0
}

// Access implements fs.NodeAccesser.
func (n *databaseNode) Access(context.Context, uint32) syscall.Errno { return 0 }

// Open implements fs.NodeOpener, like that of node.
func (n *databaseNode) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, 0, syscall.ENOSYS
}

// Read implements fs.NodeReader.
func (n *databaseNode) Read(ctx context.Context, _ fs.FileHandle, dest []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	made, err := n.get(ctx)
	if err != nil {
		return nil, n.m.failed(n.key, err)
	}
	defer n.m.databases.giveBack(made)
	length, err := made.readAt(n.m.databases, dest, offset)
	if err != nil {
		return nil, n.m.failed(n.key, err)
	}
	return fuse.ReadResultData(dest[:length]), 0
}

// readAt reads from a file that is in use.
func (m *made) readAt(d *databases, dest []byte, offset int64) (int, error) {
	file, err := os.Open(d.path(m))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	n, err := file.ReadAt(dest, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}
