//go:build unix

package database

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// lockName is the file by which processes agree who uses a directory of states.
const lockName = "lock"

// lockDirectory returns nil where another process, or another source of this one, has the lock.
func lockDirectory(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("remember tables: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	closing := f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, closing
	}
	return nil, fmt.Errorf("remember tables: lock %s: %w", dir, err)
}
