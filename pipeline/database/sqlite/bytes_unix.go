//go:build unix

package sqlite

import (
	"fmt"
	"syscall"

	"github.com/packstone/packstone/pipeline/database"
)

// withBytes calls f with all of a long value, which is mapped meanwhile and takes no memory after.
func withBytes(l *database.Long, f func([]byte) error) error {
	p, err := syscall.Mmap(int(l.File().Fd()), 0, int(l.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map a large value: %w", err)
	}
	defer syscall.Munmap(p)
	return f(p)
}
