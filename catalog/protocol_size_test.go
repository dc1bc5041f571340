//go:build !soak

package catalog

// How much of the model is searched: seconds.
const (
	modelSessions = 3
	modelRounds   = 3
)
