package files

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/pipeline/source"
)

// translate wraps err with the matching sentinel of package source.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return fmt.Errorf("%w: %w", source.ErrVanished, err)
	}
	return err
}
