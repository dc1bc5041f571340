//go:build !linux && !darwin

package localdir

import (
	"os"
	"syscall"
)

func startWriteback(*os.File, int64, int64) {}

// flush makes the content of a new file durable.
func flush(f *os.File) error { return f.Sync() }

func renameExclusive(from, to string) error {
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.ENOTSUP}
}
