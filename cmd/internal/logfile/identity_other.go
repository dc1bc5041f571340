//go:build !unix

package logfile

import "os"

// identity is not known where there is no journal.
func identity(*os.File) (device, inode uint64, ok bool) { return 0, 0, false }
