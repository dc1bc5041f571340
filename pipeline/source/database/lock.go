package database

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/archive/disk"
)

// lockName is the lock file in a directory of states.
const lockName = "lock"

// lockDirectory locks a directory of states. It returns nil if another process, or another source
// of this one, has the lock.
func lockDirectory(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("remember tables: %w", err)
	}
	free, err := disk.TryLock(f)
	switch {
	case free:
		return f, nil
	case err == nil:
		return nil, f.Close()
	}
	return nil, fmt.Errorf("remember tables: lock %s: %w", dir, errors.Join(err, f.Close()))
}
