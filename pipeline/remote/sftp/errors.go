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

// Sentinel errors: those of package remote. Compare with errors.Is.
var (
	ErrUnreachable = remote.ErrUnreachable
	ErrDenied      = remote.ErrDenied
	ErrUntrusted   = remote.ErrUntrusted
	ErrFull        = remote.ErrFull
	ErrUnsupported = remote.ErrUnsupported
)

// Status is an answer that says that a request failed.
type Status struct {
	Code uint32
	Text string
}

const (
	codeEnd          = 1
	codeNoFile       = 2
	codeDenied       = 3
	codeFailure      = 4
	codeNoConnection = 6
	codeLost         = 7
	codeUnsupported  = 8
)

// Error implements error.
func (s *Status) Error() string { return fmt.Sprintf("the server says %q (%d)", s.Text, s.Code) }

// Is implements what errors.Is asks for.
func (s *Status) Is(target error) bool {
	switch s.Code {
	case codeNoFile:
		return target == fs.ErrNotExist
	case codeDenied:
		return target == fs.ErrPermission
	case codeUnsupported:
		return target == ErrUnsupported
	}
	return false
}

// isEnd reports whether the answer says that a file or directory has no more content.
func isEnd(err error) bool {
	var status *Status
	return errors.As(err, &status) && status.Code == codeEnd
}

// IsBroken reports whether err means that the connection is gone. The function that Do calls must
// return such an error, and is called again.
func IsBroken(err error) bool {
	var network net.Error
	var status *Status
	var ofLibrary *sftp.StatusError
	switch {
	case err == nil:
		return false
	case errors.As(err, &status):
		return status.Code == codeNoConnection || status.Code == codeLost
	case errors.As(err, &ofLibrary):
		return ofLibrary.FxCode() == sftp.ErrSSHFxConnectionLost || ofLibrary.FxCode() == sftp.ErrSSHFxNoConnection
	}
	return errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.Is(err, sftp.ErrSSHFxNoConnection) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.As(err, &network)
}

// translate names the act and the path.
func (s *Server) translate(act, path string, err error) error {
	if err == nil {
		return nil
	}
	var ofLibrary *sftp.StatusError
	if errors.As(err, &ofLibrary) && ofLibrary.FxCode() == sftp.ErrSSHFxOpUnsupported {
		err = fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: act, Path: s.options.Host + ":" + path, Err: err}
	}
	return fmt.Errorf("%s %s:%s: %w", act, s.options.Host, path, err)
}

// IsFailure reports whether the server gave no reason at all, as it does if its disk is full, a
// directory is not empty or a name exists.
func IsFailure(err error) bool {
	var status *Status
	return errors.As(err, &status) && status.Code == codeFailure
}
