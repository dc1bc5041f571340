//go:build soak

package main

import (
	"cmp"
	"os"
	"strconv"
)

// soakStride is SOAK_STRIDE, or 1: of what a soak tries all, it tries one in so many, and what it does
// many times or for long it does for that part.
var soakStride = func() int {
	text := cmp.Or(os.Getenv("SOAK_STRIDE"), "1")
	stride, err := strconv.Atoi(text)
	if err != nil || stride < 1 {
		panic("SOAK_STRIDE=" + text + " is not a number from 1 on")
	}
	return stride
}()
