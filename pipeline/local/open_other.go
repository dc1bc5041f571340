//go:build !linux

package local

func openPart(dir int, path string) (int, error) { return openSteps(dir, path) }

func openReadable(dir int, name string, flags int) (int, error) { return openat(dir, name, flags, 0) }
