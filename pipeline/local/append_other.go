//go:build !linux

package local

import "golang.org/x/sys/unix"

// IsAppendOnly tells whether names in an open directory can be neither removed nor renamed. Here
// nothing is known of that.
func IsAppendOnly(int) bool { return false }

// OpenNameless fails: there are no nameless files.
func OpenNameless(int, uint32) (int, error) { return -1, unix.ENOTSUP }

// Name fails.
func Name(int, int, string) error { return unix.ENOTSUP }
