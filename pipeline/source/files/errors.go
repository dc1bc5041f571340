package files

import (
	"errors"
	"fmt"

	"github.com/packstone/packstone/pipeline/source"
	"golang.org/x/sys/unix"
)

// unreachable is what a mount answers whose server or process is gone.
var unreachable = []unix.Errno{unix.ENOTCONN, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ESHUTDOWN}

// disconnected tells whether a mount is dead. It may be another one than that of a root.
func disconnected(err error) bool {
	for _, errno := range unreachable {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// translate wraps err in the sentinel that it means.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return fmt.Errorf("%w: %w", source.ErrVanished, err)
	}
	return err
}
