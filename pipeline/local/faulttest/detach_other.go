//go:build !linux

package faulttest

func detach(string) error { return nil }
