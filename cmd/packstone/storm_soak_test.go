//go:build soak

package main

import "time"

// How long the storm rages, and what it must have seen.
var (
	stormLasts  = 10 * time.Minute / time.Duration(soakStride)
	stormBlows  = int64(200 / soakStride)
	stormSweeps = int64(20 / soakStride)
)
