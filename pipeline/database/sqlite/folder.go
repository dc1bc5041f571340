package sqlite

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/archive/disk"
)

// lockName is the file by which a folder's maker shows that it lives.
const lockName = "lock"

// Folder is a directory for a file that gets its name when it is whole. Its maker holds a lock in
// it, which ends with the process.
type Folder struct {
	path string
	lock *os.File // nil where the file system knows no locks: then nobody but its maker removes the folder
}

// NewFolder makes one in parent, and removes those of the same prefix whose makers were killed.
func NewFolder(parent, prefix string) (*Folder, error) {
	removeAbandoned(parent, prefix)
	dir, err := os.MkdirTemp(parent, prefix+"*")
	if err != nil {
		return nil, err
	}
	f := &Folder{path: dir}
	f.lock, err = holdLock(dir)
	if err != nil {
		return nil, errors.Join(err, f.Remove())
	}
	return f, nil
}

// File is the path of a file in the folder.
func (f *Folder) File(name string) string { return filepath.Join(f.path, "new-"+name) }

// Remove removes the folder with all that is in it.
func (f *Folder) Remove() error {
	err := os.RemoveAll(f.path)
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}

// holdLock makes the lock under another name first: what has its final name is held.
func holdLock(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockName+".new"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if free, err := disk.TryLock(lock); err != nil || !free {
		return nil, lock.Close()
	}
	if err := os.Rename(lock.Name(), filepath.Join(dir, lockName)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// removeAbandoned removes folders whose lock nobody holds. One that cannot be removed is left for
// another time.
func removeAbandoned(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if len(e.Name()) > len(prefix) && e.Name()[:len(prefix)] == prefix && e.IsDir() {
			removeUnheld(filepath.Join(parent, e.Name()))
		}
	}
}

func removeUnheld(dir string) {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer lock.Close()
	if free, err := disk.TryLock(lock); err == nil && free {
		_ = os.RemoveAll(dir)
	}
}
