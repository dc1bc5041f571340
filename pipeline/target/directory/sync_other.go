//go:build !linux

package directory

import "golang.org/x/sys/unix"

func syncFileSystem(int) error { return unix.Sync() }

func startWriteback(int) {}
