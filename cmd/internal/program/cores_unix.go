//go:build unix

package program

import "golang.org/x/sys/unix"

// NoCoreDumps disables core dumps, so that a crash writes no keys to disk. Started programs inherit
// the setting, and may change it.
func NoCoreDumps() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit)
	}
}
