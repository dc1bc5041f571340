//go:build !sabotage

package sabotage

// Has reports whether an act is to be committed: never.
func Has(Act) bool { return false }
