//go:build !soak

package catalog

// How many chunks the index is tried with.
const scaleDefault = 20_000
