//go:build !unix

package program

// NoCoreDumps does nothing on systems without core dumps.
func NoCoreDumps() {}
