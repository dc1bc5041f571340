package local

import (
	"github.com/packstone/packstone/catalog/entry"
	"golang.org/x/sys/unix"
)

// Stat is what the system tells of a file.
type Stat = unix.Stat_t

// Stat examines name in d; a symbolic link itself unless follow.
func (d *Dir) Stat(name string, follow bool, st *Stat) error {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if follow {
		flags = 0
	}
	for {
		if err := unix.Fstatat(d.FD, name, st, flags); err != unix.EINTR {
			return err
		}
	}
}

// Fstat examines an open file.
func Fstat(fd int, st *Stat) error {
	for {
		if err := unix.Fstat(fd, st); err != unix.EINTR {
			return err
		}
	}
}

// Times are when the content and when anything of a file was changed.
func Times(st *Stat) (modified, changed entry.Time) { return moment(st.Mtim), moment(st.Ctim) }

func moment(t unix.Timespec) entry.Time {
	return entry.Time{Seconds: int64(t.Sec), Nanos: uint32(t.Nsec)}
}

// Sparse tells whether less is allocated for a file than its size, and whether finding its holes is
// worth a call.
func Sparse(st *Stat) bool { return st.Size >= 8<<10 && st.Blocks*512 < st.Size }

// Describe sets the fields of e that st tells: all that a listing gives except the path.
func Describe(st *Stat, e *entry.Entry) {
	e.Type = typeOf(uint32(st.Mode))
	e.Mode = uint32(st.Mode) & 0o7777
	e.UID, e.GID = st.Uid, st.Gid
	e.ModTime, e.ChangeTime = Times(st)
	e.Known = entry.KnowsMode | entry.KnowsOwner | entry.KnowsModTime
	e.Device, e.Inode = uint64(st.Dev), st.Ino
	e.Size, e.NodeDevice = 0, 0
	e.Links = uint32(st.Nlink)
	switch e.Type {
	case entry.File:
		e.Size = st.Size
	case entry.Directory: // its count changes with what is in it, and it is never one of several names
		e.Links = 1
	case entry.CharDevice, entry.BlockDevice:
		e.NodeDevice = uint64(st.Rdev)
	}
}

func typeOf(mode uint32) entry.Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return entry.Directory
	case unix.S_IFLNK:
		return entry.Symlink
	case unix.S_IFIFO:
		return entry.Fifo
	case unix.S_IFCHR:
		return entry.CharDevice
	case unix.S_IFBLK:
		return entry.BlockDevice
	case unix.S_IFSOCK:
		return entry.Socket
	}
	return entry.File
}
