//go:build unix && !solaris && !aix

package sqlite

import (
	"os"
	"syscall"
)

// tryLock says whether nobody else holds the file, which is then held until it is closed.
func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
