package btree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
)

// ErrFile is a file to whose tables pages cannot be added.
var ErrFile = errors.New("pages cannot be added to this SQLite file")

// Places in the file's header, in bytes.
const (
	magic         = "SQLite format 3\x00"
	headerBytes   = 100
	atPageSize    = 16
	atReserved    = 20
	atChanges     = 24 // counter of changes
	atPages       = 28 // size of the file in pages
	atFree        = 36 // pages that are free
	atFormat      = 44 // of records
	atVacuum      = 52 // not 0: there are pages that map others
	atEncoding    = 56
	atValidFor    = 92 // value of the counter of changes when the size was written
	recordFormat  = 4  // knows types for 0 and 1
	encodingUTF8  = 1
	lockByte      = 1 << 30 // the page that holds this byte of the file is never used
	smallestPages = 512
)

// File is a SQLite file that pages are added to. Several of its tables may be written at once.
type File struct {
	file *os.File
	page int // bytes
	mu   sync.Mutex
	next uint32 // number of the page that is added next; the first one of a file is 1
}

// Open opens a file that no one else has open, nor opens before it is closed.
func Open(path string) (*File, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	f := &File{file: file}
	if err := f.readHeader(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return f, nil
}

func (f *File) readHeader() error {
	header := make([]byte, headerBytes)
	if _, err := f.file.ReadAt(header, 0); err != nil {
		return err
	}
	f.page = int(binary.BigEndian.Uint16(header[atPageSize:]))
	number := func(at int) uint32 { return binary.BigEndian.Uint32(header[at:]) }
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	f.next = number(atPages) + 1
	switch {
	case string(header[:16]) != magic || f.page < smallestPages || header[atReserved] != 0:
		return fmt.Errorf("%w: its pages are of an unknown size", ErrFile)
	case info.Size() != int64(number(atPages))*int64(f.page):
		return fmt.Errorf("%w: its size is not that of its pages", ErrFile)
	case number(atFree) != 0 || number(atVacuum) != 0 || number(atFormat) != recordFormat || number(atEncoding) != encodingUTF8:
		return fmt.Errorf("%w: it has free pages, maps of pages, or another format", ErrFile)
	}
	return nil
}

// Close writes down how many pages there are, and closes the file. It does not sync it.
func (f *File) Close() error {
	header := make([]byte, headerBytes)
	_, err := f.file.ReadAt(header, 0)
	if err == nil {
		changes := binary.BigEndian.Uint32(header[atChanges:]) + 1
		binary.BigEndian.PutUint32(header[atChanges:], changes)
		binary.BigEndian.PutUint32(header[atValidFor:], changes)
		binary.BigEndian.PutUint32(header[atPages:], f.next-1)
		_, err = f.file.WriteAt(header, 0)
	}
	return errors.Join(err, f.file.Close())
}

// add writes pages at the end and returns the number of the first, and how many follow it in a row.
// These may be fewer than were given, but not none: the page of the lock byte is skipped.
func (f *File) add(pages []byte) (first uint32, count int, err error) {
	first, count, err = f.reserve(len(pages) / f.page)
	if err != nil {
		return 0, 0, err
	}
	return first, count, f.put(first, pages[:count*f.page])
}

// reserve takes up to count pages in a row, at least one.
func (f *File) reserve(count int) (first uint32, got int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	locked := uint32(lockByte/f.page) + 1
	if f.next == locked {
		f.next++
	}
	if f.next < locked {
		count = min(count, int(locked-f.next))
	}
	if int64(f.next)+int64(count) > 1<<32-2 {
		return 0, 0, fmt.Errorf("%w: it has as many pages as there can be", ErrFile)
	}
	first = f.next
	f.next += uint32(count)
	return first, count, nil
}

func (f *File) put(number uint32, pages []byte) error {
	_, err := f.file.WriteAt(pages, int64(number-1)*int64(f.page))
	return err
}
