//go:build !linux

// Command faultfs mounts a directory with faults, on Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "faultfs: only Linux has what it needs")
	os.Exit(1)
}
