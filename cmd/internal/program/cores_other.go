//go:build !unix

package program

// NoCoreDumps has nothing to do where there are none.
func NoCoreDumps() {}
