//go:build unix

package main

import "golang.org/x/sys/unix"

// noCoreDumps keeps keys out of files that a crash would leave. Programs that are started inherit it; they may raise the limit again.
func noCoreDumps() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit)
	}
}
