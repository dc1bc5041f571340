//go:build soak

package main

import "time"

// How long the storm rages, and what it must have seen.
const (
	stormLasts  = 10 * time.Minute
	stormBlows  = 200
	stormSweeps = 20
)
