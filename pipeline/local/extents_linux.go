package local

import (
	"github.com/packstone/packstone/catalog/entry"
	"golang.org/x/sys/unix"
)

// Extents returns where the open file has data, nil if everywhere or if the file system does not
// tell. It moves the descriptor's position.
func Extents(fd int, size int64) []entry.Extent {
	var found extents
	for at := int64(0); at < size; {
		data, err := unix.Seek(fd, at, unix.SEEK_DATA)
		if err == unix.ENXIO || err == nil && data >= size {
			break
		}
		if err != nil {
			return nil
		}
		hole, err := unix.Seek(fd, data, unix.SEEK_HOLE)
		if err != nil || hole <= data {
			return nil
		}
		found.add(data, min(hole, size)-data)
		at = hole
	}
	return found.result(size)
}

// NextData returns the next range of data at or after offset; its start is size if there is none.
func NextData(fd int, offset, size int64) (start, end int64, err error) {
	start, err = unix.Seek(fd, offset, unix.SEEK_DATA)
	if err == unix.ENXIO {
		return size, size, nil
	}
	if err != nil {
		return 0, 0, err
	}
	end, err = unix.Seek(fd, start, unix.SEEK_HOLE)
	return start, end, err
}
