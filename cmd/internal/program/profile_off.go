//go:build !profile

package program

// StartProfile only works in programs built with the tag profile.
func StartProfile() (stop func()) { return func() {} }
