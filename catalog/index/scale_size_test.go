//go:build !soak

package index

// How many chunks the index is tried with.
const scaleDefault = 20_000
