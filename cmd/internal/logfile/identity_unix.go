//go:build unix

package logfile

import (
	"os"
	"syscall"
)

// identity is what tells a stream from all others of this machine.
func identity(file *os.File) (device, inode uint64, ok bool) {
	info, err := file.Stat()
	if err != nil {
		return 0, 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return uint64(stat.Dev), uint64(stat.Ino), true
}
