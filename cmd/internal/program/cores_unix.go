//go:build unix

package program

import "golang.org/x/sys/unix"

// NoCoreDumps keeps keys out of files that a crash would leave. Programs that are started inherit
// it; they may raise the limit again.
func NoCoreDumps() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit)
	}
}
