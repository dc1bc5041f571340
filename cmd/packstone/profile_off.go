//go:build !profile

package main

// startProfile does nothing but in programs built with the tag profile.
func startProfile() (stop func()) { return func() {} }
