package source

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/packstone/packstone/pipeline/remote"
)

// FromRemote wraps an error of a connection to a server with the matching sentinel of this package.
func FromRemote(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, remote.ErrUnreachable):
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case errors.Is(err, remote.ErrDenied), errors.Is(err, remote.ErrUntrusted):
		return fmt.Errorf("%w: %w", ErrFailed, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrVanished, err)
	}
	return err
}
