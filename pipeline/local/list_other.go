//go:build !linux

package local

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func (d *Dir) list(l *Listing) error {
	// A descriptor of its own, so that its position is nobody else's.
	fd, err := openat(d.FD, Self, openDirectory, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), d.File)
	defer f.Close()
	for {
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			if err := l.Add([]byte(name), KindUnknown); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return unix.EIO
		}
	}
}
