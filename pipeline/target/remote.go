package target

import (
	"errors"
	"fmt"

	"github.com/packstone/packstone/pipeline/remote"
)

// FromRemote wraps an error of a connection to a server in the sentinel of targets that it means.
func FromRemote(err error) error {
	for _, pair := range []struct{ is, means error }{
		{remote.ErrUnreachable, ErrUnreachable}, {remote.ErrDenied, ErrDenied}, {remote.ErrUntrusted, ErrDenied}, {remote.ErrFull, ErrFull},
	} {
		if errors.Is(err, pair.is) && !errors.Is(err, pair.means) {
			return fmt.Errorf("%w: %w", pair.means, err)
		}
	}
	return err
}
