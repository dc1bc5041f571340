//go:build !soak

package page

// How large the large repository is.
const (
	filesDefault = 3000
	largeDefault = 3
	smallDefault = 3
)
