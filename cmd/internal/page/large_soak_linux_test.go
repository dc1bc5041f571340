//go:build soak

package page

import "testing"

// How large the large repository is: 2,000 snapshots and 300,000 files.
const (
	filesDefault = 300_000
	largeDefault = 200
	smallDefault = 1800
)

// TestSoakPagesOfALargeRepository prints how long each page takes.
func TestSoakPagesOfALargeRepository(t *testing.T) { showLarge(t) }
