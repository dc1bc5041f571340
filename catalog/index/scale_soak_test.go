//go:build soak

package index

import "testing"

// How many chunks the index is tried with; -index.chunks says another number.
const scaleDefault = 100_000_000

func TestSoakIndex(t *testing.T) { atScale(t) }
