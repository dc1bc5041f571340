package localdir

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/packstone/packstone/archive/sabotage"
	"github.com/packstone/packstone/archive/store"
)

const (
	writeSlice  = 4 << 20 // after this many bytes the kernel is asked to start writing
	linkRetries = 10      // of a Put whose directory others keep removing
)

// Put implements store.Store. The content is durable when it returns, the name after Sync.
func (s *Store) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if err := check(ctx, name); err != nil {
		return fmt.Errorf("put %q: %w", name, err)
	}
	if len(data) > store.MaxObject {
		return fmt.Errorf("put %s of %d bytes: %w", name, len(data), store.ErrInvalid)
	}
	s.clean.Do(func() { _ = s.Clean(ctx) }) // tidiness: its failure is no failure of this Put
	err := s.put(ctx, name, data, digest)
	if err != nil && s.spend(err) {
		err = s.put(ctx, name, data, digest)
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", name, translate(err))
	}
	return nil
}

// Overwrite implements store.Overwriter. It renames over the object, which the object's own
// permissions do not prevent.
func (s *Store) Overwrite(ctx context.Context, name string, data []byte) error {
	if err := check(ctx, name); err != nil {
		return fmt.Errorf("overwrite %q: %w", name, err)
	}
	temp, err := s.writeTemp(ctx, data)
	if err == nil {
		err = errors.Join(os.Rename(temp, s.path(name)), removeLeft(temp))
	}
	if err != nil {
		return fmt.Errorf("overwrite %s: %w", name, translate(err))
	}
	s.dirty.Mark(path.Dir(name))
	return nil
}

// removeLeft removes a file, if there is one, that a failure left behind.
func removeLeft(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *Store) put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if len(data) <= store.CheckedSize && sha256.Sum256(data) != digest {
		return store.ErrCorrupt
	}
	temp, err := s.writeTemp(ctx, data)
	if err != nil {
		return err
	}
	defer os.Remove(temp) // a second name of the object, or what is left of a failure; Clean gets what this misses
	if err := s.publish(temp, name); err != nil {
		return err
	}
	s.dirty.Mark(path.Dir(name))
	return nil
}

// writeTemp writes data to a new file in tmp, durably, and returns its path. After an error no file
// remains.
func (s *Store) writeTemp(ctx context.Context, data []byte) (string, error) {
	f, err := s.createTemp()
	if err != nil {
		return "", err
	}
	err = s.fill(ctx, f, data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func (s *Store) createTemp() (*os.File, error) {
	name := filepath.Join(s.root, tempDir, rand.Text())
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, s.fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.mkdir(tempDir); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, s.fileMode)
	}
	return f, err
}

// fill writes data in slices, so that the disk works while the rest is copied to the kernel, and
// the final flush has little to do.
func (s *Store) fill(ctx context.Context, f *os.File, data []byte) error {
	if s.fileMode&0o077 != 0 { // shared: undo what the umask took
		if err := f.Chmod(s.fileMode); err != nil {
			return err
		}
	}
	for from := 0; from < len(data); from += writeSlice {
		if err := ctx.Err(); err != nil {
			return err
		}
		slice := data[from:min(from+writeSlice, len(data))]
		if _, err := f.Write(slice); err != nil {
			return err
		}
		startWriteback(f, int64(from), int64(len(slice)))
	}
	if sabotage.Has(sabotage.NoSync) {
		return nil
	}
	return flush(f)
}

// publish gives the file its final name, and makes missing directories.
func (s *Store) publish(temp, name string) error {
	var err error
	for range linkRetries {
		err = s.exclusive(temp, s.path(name))
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := s.mkdirAll(path.Dir(name)); err != nil {
			return err
		}
	}
	return err
}

// exclusive moves temp to final, unless final exists. temp may remain as a second link.
func (s *Store) exclusive(temp, final string) error {
	err := s.link(temp, final)
	switch {
	case err == nil:
		return nil
	case links(temp) > 1:
		// NFS repeats a request whose answer was lost; the second time, the name exists because the
		// first one made it.
		return nil
	case errors.Is(err, fs.ErrExist):
		return store.ErrExist
	case !unsupported(err):
		return err
	}
	err = s.rename(temp, final)
	switch {
	case errors.Is(err, fs.ErrExist):
		return store.ErrExist
	case unsupported(err) || errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("this file system has neither hard links nor renames that do not replace: %w: %w", store.ErrInvalid, err)
	}
	return err
}

// unsupported reports whether the file system lacks the call. Linux answers EPERM where there are
// no links.
func unsupported(err error) bool {
	for _, target := range []error{syscall.EPERM, syscall.ENOSYS, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.EMLINK} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// links returns the number of names of a file. It opens the file first, since only then NFS asks
// the server.
func links(file string) uint64 {
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(stat.Nlink)
}

// mkdirAll makes dir below the root, but never the root itself: if that is missing, a disk is not
// mounted.
func (s *Store) mkdirAll(dir string) error {
	if dir == "." {
		_, err := os.Stat(s.root)
		return err
	}
	err := s.mkdir(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.mkdirAll(path.Dir(dir)); err != nil {
		return err
	}
	return s.mkdir(dir)
}

// mkdir makes one directory with the root's permissions. An existing directory is fine.
func (s *Store) mkdir(dir string) error {
	err := os.Mkdir(s.path(dir), s.dirMode.Perm())
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.dirty.Made(dir)
	if s.dirMode.Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(s.path(dir), s.dirMode) // shared: undo what the umask took
}

// Clean removes files in tmp that are older than a day, left by Puts that were killed. The first
// Put of a Store calls it.
func (s *Store) Clean(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(s.root, tempDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clean %s: %w", s.root, translate(err))
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == reserveName })
	if len(entries) == 0 {
		return nil
	}
	now, err := s.clock()
	if err != nil {
		return fmt.Errorf("clean %s: %w", s.root, translate(err))
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > staleAge {
			_ = os.Remove(filepath.Join(s.root, tempDir, entry.Name())) // another process may clean as well
		}
	}
	return nil
}

// clock returns the time of the file system, since the server's clock dates the files.
func (s *Store) clock() (time.Time, error) {
	f, err := s.createTemp()
	if err != nil {
		return time.Time{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
