//go:build !unix || solaris || aix

package disk

import (
	"errors"
	"os"
)

// TryLock always fails: this system has no locks that end with their process.
func TryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

// hold does nothing.
func hold(*os.File) (release func()) { return func() {} }
