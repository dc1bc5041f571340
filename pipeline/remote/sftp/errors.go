package sftp

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"

	"github.com/pkg/sftp"

	"github.com/packstone/packstone/pipeline/remote"
)

// Sentinels: those of package remote. Compare with errors.Is.
var (
	ErrUnreachable = remote.ErrUnreachable
	ErrDenied      = remote.ErrDenied
	ErrUntrusted   = remote.ErrUntrusted
	ErrFull        = remote.ErrFull
	ErrUnsupported = remote.ErrUnsupported
)

// IsBroken tells whether err means that the connection is gone: what Do calls is to return it then, and is called again.
func IsBroken(err error) bool {
	var network net.Error
	var status *sftp.StatusError
	switch {
	case err == nil:
		return false
	case errors.As(err, &status):
		return status.FxCode() == sftp.ErrSSHFxConnectionLost || status.FxCode() == sftp.ErrSSHFxNoConnection
	}
	return errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.Is(err, sftp.ErrSSHFxNoConnection) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.As(err, &network)
}

// translate names the act and the path and wraps what is unsupported in its sentinel.
func (s *Server) translate(act, path string, err error) error {
	if err == nil {
		return nil
	}
	var status *sftp.StatusError
	if errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxOpUnsupported {
		err = fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: act, Path: s.options.Host + ":" + path, Err: err}
	}
	return fmt.Errorf("%s %s:%s: %w", act, s.options.Host, path, err)
}

// IsFailure tells whether the server gave no reason at all, as it does when its disk is full, a directory is not empty or a name is taken.
func IsFailure(err error) bool {
	var status *sftp.StatusError
	return errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure
}
