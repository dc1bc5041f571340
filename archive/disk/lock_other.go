//go:build !unix || solaris || aix

package disk

import (
	"errors"
	"os"
)

// TryLock fails here: there are no locks that go with their process.
func TryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
