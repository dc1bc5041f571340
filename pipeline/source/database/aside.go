package database

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
)

// The limits of what is put aside in memory. A database of many small tables needs no file for
// each of them: creating files costs more than reading such tables.
const (
	smallBytes = 4 << 10  // of one table
	roomBytes  = 16 << 20 // of all tables together
)

// aside is what a table puts aside while it is read: fingerprints, or changes. It lies in memory
// while it is small and room is left, else in the file at path.
type aside struct {
	path  string
	room  *atomic.Int64
	small []byte
	file  *os.File // open while it is written
	large bool     // it lies in the file
}

// Write implements io.Writer.
func (a *aside) Write(p []byte) (int, error) {
	if !a.large && !a.fits(len(p)) {
		if err := a.spill(); err != nil {
			return 0, err
		}
	}
	if a.large {
		return a.file.Write(p)
	}
	a.small = append(a.small, p...)
	return len(p), nil
}

// fits reports whether n more bytes fit in memory, and takes the room for them.
func (a *aside) fits(n int) bool {
	if len(a.small)+n > smallBytes {
		return false
	}
	if a.room.Add(-int64(n)) < 0 {
		a.room.Add(int64(n))
		return false
	}
	return true
}

// spill moves everything to the file.
func (a *aside) spill() (err error) {
	a.file, err = os.OpenFile(a.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	a.large = true
	_, err = a.file.Write(a.small)
	a.free()
	return err
}

// free gives back the memory.
func (a *aside) free() {
	a.room.Add(int64(len(a.small)))
	a.small = nil
}

// end ends the writing.
func (a *aside) end() error {
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return err
}

// open reads what was written. Call it after end.
func (a *aside) open() (io.ReadCloser, error) {
	if a.large {
		return os.Open(a.path)
	}
	return io.NopCloser(bytes.NewReader(a.small)), nil
}

// remove ends the writing, and drops everything.
func (a *aside) remove() error {
	a.free()
	err := a.end()
	if !a.large {
		return err
	}
	a.large = false
	if gone := os.Remove(a.path); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}
