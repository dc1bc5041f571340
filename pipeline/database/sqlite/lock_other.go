//go:build !unix || solaris || aix

package sqlite

import "os"

// tryLock holds nothing here.
func tryLock(*os.File) bool { return false }
