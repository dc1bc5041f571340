package directory

import "golang.org/x/sys/unix"

func syncFileSystem(fd int) error {
	err := unix.Syncfs(fd)
	if err == unix.EBADF { // opened for the names in it only
		unix.Sync()
		return nil
	}
	return err
}

// startWriteback asks the kernel to begin writing a file, without waiting. It is only a hint, which
// a file system may not support.
func startWriteback(fd int) { _ = unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }
