//go:build soak

package catalog

// How much of the model is searched: a minute.
const (
	modelSessions = 4
	modelRounds   = 3
)
