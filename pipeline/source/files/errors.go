package files

import (
	"errors"
	"fmt"

	"github.com/packstone/packstone/pipeline/source"
	"golang.org/x/sys/unix"
)

// unreachable is what a mount answers whose server or process is gone.
var unreachable = []unix.Errno{unix.ENOTCONN, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ETIMEDOUT, unix.ESHUTDOWN}

// translate wraps err in the sentinel that it means.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ESTALE):
		return fmt.Errorf("%w: %w", source.ErrVanished, err)
	}
	for _, errno := range unreachable {
		if errors.Is(err, errno) {
			return fmt.Errorf("%w: %w", source.ErrUnreachable, err)
		}
	}
	return err
}
