//go:build !linux

package ftptest

import "testing"

// SmallDisk skips the test: such a file system can be made on Linux only.
func SmallDisk(t testing.TB, _ int) string {
	t.Skip("no small file system here")
	return ""
}
