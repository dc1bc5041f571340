// Package localdir keeps objects as files below a directory, on a local disk or a mounted one.
//
// Put writes an object to tmp/<random>, makes it durable there, and only then links it to its name:
// link(2) refuses a name that exists, on NFS too. So one writer wins, and no name ever leads to
// half an object, whenever the machine crashes. Where links are missing, a rename that does not
// replace does the same; a file system that has neither is refused. The names themselves are
// durable after Sync, which flushes every directory that has changed.
//
// New directories and files take the permissions of the root directory (which Create makes 0700),
// whatever the umask: a root of mode 2770 makes a repository that a group can share.
package localdir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/internal/dirty"
)

const (
	tempDir  = "tmp"
	staleAge = 24 * time.Hour // of a file in tmp that no Put can still be writing
)

// Store is a store.Store below one directory.
type Store struct {
	root     string // absolute
	dirMode  fs.FileMode
	fileMode fs.FileMode
	link     func(from, to string) error // os.Link; tests make it fail
	rename   func(from, to string) error // without replacing
	clean    sync.Once

	mayUseReserve bool

	dirty   dirty.Set  // since the last Sync
	syncing sync.Mutex // held by the one Sync that runs
	failed  error      // of the first Sync that failed
}

// Open returns the store in an existing directory. It writes nothing.
func Open(dir string) (*Store, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root, translate(err))
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open %s: not a directory: %w", root, store.ErrInvalid)
	}
	return &Store{
		root: root,
		// The set-group bit keeps what is below in the root's group.
		dirMode:  info.Mode() & (fs.ModePerm | fs.ModeSetgid),
		fileMode: info.Mode() & 0o666,
		link:     os.Link,
		rename:   renameExclusive,
	}, nil
}

// Create makes the directory if it is missing, tests that its file system can create objects
// without ever overwriting one, and returns the store in it. It refuses a file system that cannot
// with store.ErrInvalid.
func Create(dir string) (*Store, error) {
	if err := makeDurably(dir); err != nil {
		return nil, fmt.Errorf("create %s: %w", dir, translate(err))
	}
	s, err := Open(dir)
	if err != nil {
		return nil, err
	}
	if err := s.proveExclusive(); err != nil {
		return nil, fmt.Errorf("create %s: %w", s.root, translate(err))
	}
	return s, nil
}

// makeDurably makes dir and its missing parents, and flushes the directories that hold them.
func makeDurably(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	err = os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeDurably(filepath.Dir(dir)); err == nil {
			err = os.Mkdir(dir, 0o700)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// proveExclusive publishes a file in tmp twice under one name. The second attempt must fail.
func (s *Store) proveExclusive() error {
	final := filepath.Join(s.root, tempDir, rand.Text())
	defer os.Remove(final)
	for i, want := range []error{nil, store.ErrExist} {
		temp, err := s.writeTemp(context.Background(), nil)
		if err != nil {
			return err
		}
		err = s.exclusive(temp, final)
		_ = os.Remove(temp) // gone already after a rename
		if errors.Is(translate(err), store.ErrFull) {
			return err // which says nothing of what the file system can do
		}
		if !errors.Is(err, want) {
			return fmt.Errorf("creation %d of one file: %v, expected %v: %w", i+1, err, want, store.ErrInvalid)
		}
	}
	return nil
}

func (s *Store) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// Location implements store.Store.
func (s *Store) Location() string { return s.root }

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if err := check(ctx, name); err != nil {
		return dst, fmt.Errorf("get %q: %w", name, err)
	}
	got, err := read(s.path(name), offset, length, dst)
	if err != nil {
		return dst, fmt.Errorf("get %s: %w", name, translate(err))
	}
	return got, nil
}

// check returns an error if ctx has ended, or if name could lead out of the root.
func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !store.ValidName(name) {
		return store.ErrInvalid
	}
	return nil
}

func read(file string, offset, length int64, dst []byte) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, store.ErrNotExist
	}
	from, n := store.Clip(offset, length, info.Size())
	if n > store.MaxObject {
		return nil, fmt.Errorf("%d bytes are no object: %w", n, store.ErrInvalid)
	}
	dst = slices.Grow(dst, int(n))
	// Objects never change, so reaching the end early is an error like any other.
	if _, err := f.ReadAt(dst[len(dst):len(dst)+int(n)], from); err != nil {
		return nil, err
	}
	return dst[:len(dst)+int(n)], nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return fmt.Errorf("delete %q: %w", name, err)
	}
	err := translate(os.Remove(s.path(name)))
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	s.dirty.Mark(path.Dir(name))
	return nil
}

// Sync implements store.Store. After a failure every later Sync fails too: a kernel reports a
// failed write only once, and then forgets it.
func (s *Store) Sync(ctx context.Context) error {
	s.syncing.Lock() // a second Sync must wait for the first: its directories may be among the first's
	defer s.syncing.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	if s.failed != nil {
		return fmt.Errorf("sync after an earlier failure: %w", s.failed)
	}
	g := new(errgroup.Group)
	g.SetLimit(8)
	for dir := range s.dirty.Take() {
		g.Go(func() error { return syncDir(s.path(dir)) })
	}
	if err := g.Wait(); err != nil {
		s.failed = fmt.Errorf("sync: %w", translate(err))
	}
	return s.failed
}

// syncDir makes the entries of a directory durable.
func syncDir(dir string) error {
	err := disk.SyncDirectory(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // someone removed it, and what was in it
	}
	return err
}

// translate wraps an error of the file system with the sentinel of package store.
func translate(err error) error {
	for _, t := range translations {
		if errors.Is(err, t.from) {
			return fmt.Errorf("%w: %w", t.to, err)
		}
	}
	if disk.Away(err) || disk.Passing(err) {
		return fmt.Errorf("%w: %w", store.ErrUnreachable, err)
	}
	return err
}

var translations = []struct{ from, to error }{
	{fs.ErrNotExist, store.ErrNotExist},
	{syscall.ENOTDIR, store.ErrNotExist},
	{syscall.EISDIR, store.ErrNotExist},
	{syscall.ENOSPC, store.ErrFull},
	{syscall.EDQUOT, store.ErrFull},
	{fs.ErrPermission, store.ErrDenied},
	{syscall.EROFS, store.ErrDenied},
}
