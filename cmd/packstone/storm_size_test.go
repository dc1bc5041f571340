//go:build !soak

package main

import "time"

// How long the storm rages, and what it must have seen.
const (
	stormLasts  = 8 * time.Second
	stormBlows  = 0
	stormSweeps = 0
)
