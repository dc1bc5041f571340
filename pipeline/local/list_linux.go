package local

import (
	"bytes"
	"encoding/binary"
	"sync"

	"golang.org/x/sys/unix"
)

// blocks holds buffers for directory blocks.
var blocks = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// Where the fields of struct linux_dirent64 lie.
const (
	direntSize = 16
	direntType = 18
	direntName = 19
)

func (d *Dir) list(l *Listing) error {
	block := blocks.Get().(*[64 << 10]byte)
	defer blocks.Put(block)
	if _, err := unix.Seek(d.FD, 0, unix.SEEK_SET); err != nil {
		return err
	}
	for {
		n, err := unix.Getdents(d.FD, block[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return err
		}
		if err := l.addBlock(block[:n]); err != nil {
			return err
		}
	}
}

func (l *Listing) addBlock(b []byte) error {
	for len(b) >= direntName {
		size := int(binary.NativeEndian.Uint16(b[direntSize:]))
		if size < direntName || size > len(b) {
			return unix.EIO
		}
		text := b[direntName:size]
		if end := bytes.IndexByte(text, 0); end >= 0 {
			text = text[:end]
		}
		if err := l.addEntry(text, b[direntType]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

func (l *Listing) addEntry(text []byte, kind byte) error {
	if len(text) == 0 || string(text) == "." || string(text) == ".." {
		return nil
	}
	switch kind {
	case unix.DT_UNKNOWN:
		return l.Add(text, KindUnknown)
	case unix.DT_DIR:
		return l.Add(text, KindDirectory)
	}
	return l.Add(text, KindOther)
}
