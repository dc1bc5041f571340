//go:build !linux

package local

const noAccessTime = 0
