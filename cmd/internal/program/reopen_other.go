//go:build !unix

package program

import "os"

// Reopens returns a nil channel, since this system has no such signal.
func Reopens() (came <-chan os.Signal, stop func()) { return nil, func() {} }
