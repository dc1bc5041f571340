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
