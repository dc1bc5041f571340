package directory

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/pipeline/target"
)

var sentinels = []struct {
	errno unix.Errno
	means error
}{
	{unix.ENOSPC, target.ErrFull},
	{unix.EDQUOT, target.ErrFull},
	{unix.ELOOP, target.ErrPath}, // a symbolic link in the way
}

// translate wraps err with the matching sentinel of package target.
func translate(err error) error {
	for _, s := range sentinels {
		if errors.Is(err, s.errno) {
			return fmt.Errorf("%w: %w", s.means, err)
		}
	}
	if disk.Away(err) || disk.Passing(err) {
		return fmt.Errorf("%w: %w", target.ErrUnreachable, err)
	}
	return err
}

// check refuses a path that is not one below the root.
func check(path string) error {
	if path == "" {
		return nil
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." || strings.IndexByte(name, 0) >= 0 {
			return fmt.Errorf("path %q: %w", path, target.ErrPath)
		}
	}
	return nil
}
