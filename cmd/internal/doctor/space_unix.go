//go:build linux || darwin

package doctor

import "golang.org/x/sys/unix"

// spaceOf returns the bytes on a directory's file system that are free for this user, and its total
// size.
func spaceOf(dir string) (free, total uint64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, 0, err
	}
	return uint64(fs.Bavail) * uint64(fs.Bsize), uint64(fs.Blocks) * uint64(fs.Bsize), nil
}
