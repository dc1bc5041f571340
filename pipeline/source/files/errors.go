package files

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/pipeline/source"
)

// exhausted reports whether err says that this process, or the machine, can open no more files. That
// is no fault of the entry at hand, and holds for all that follow.
func exhausted(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }

// translate wraps err with the matching sentinel of package source.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case exhausted(err):
		return fmt.Errorf("%w: %w", source.ErrFailed, err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return fmt.Errorf("%w: %w", source.ErrVanished, err)
	}
	return err
}
