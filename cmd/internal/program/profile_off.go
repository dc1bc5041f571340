//go:build !profile

package program

// StartProfile does nothing but in programs built with the tag profile.
func StartProfile() (stop func()) { return func() {} }
