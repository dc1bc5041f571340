package archive

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func allocate(size int) ([]byte, error) {
	buffer, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of memory: %w", size, err)
	}
	return buffer, nil
}

// release returns the pages to the system. A failure only costs memory.
func release(buffer []byte) { _ = unix.Madvise(buffer, unix.MADV_DONTNEED) }
