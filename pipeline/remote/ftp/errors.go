package ftp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/textproto"
	"strings"

	"github.com/jlaffaye/ftp"

	"github.com/packstone/packstone/pipeline/remote"
)

// Sentinel errors: those of package remote, and ErrName. Compare with errors.Is.
var (
	ErrUnreachable = remote.ErrUnreachable
	ErrDenied      = remote.ErrDenied
	ErrUntrusted   = remote.ErrUntrusted
	ErrFull        = remote.ErrFull
	ErrUnsupported = remote.ErrUnsupported
	// ErrName: the path contains a byte that no command can contain.
	ErrName = errors.New("name cannot be used over FTP")
)

// reply returns the code and the text of the server's answer in err; 0 if there is none.
func reply(err error) (int, string) {
	var answer *textproto.Error
	if !errors.As(err, &answer) {
		return 0, ""
	}
	return answer.Code, answer.Msg
}

// answerIn returns the server's final refusal in err, if there is one.
func answerIn(err error) error {
	var answer *textproto.Error
	if errors.As(err, &answer) && (answer.Code >= 500 || full(answer.Code, answer.Msg)) {
		return answer
	}
	return nil
}

// IsBroken reports whether err means that a connection can no longer be used, or that its transfer
// may succeed on another one. The function that Do calls must return such an error, and is called
// again. Otherwise the server has answered completely.
func IsBroken(err error) bool {
	if err == nil || errors.Is(err, ftp.ErrInvalidCommand) || errors.Is(err, ErrName) {
		return false
	}
	switch code, text := reply(err); code {
	case 0: // no answer
		return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !isOurs(err)
	case 421, 425, 426:
		return true
	case 451:
		return !full(code, text)
	case 500:
		return strings.HasPrefix(text, "OOPS") // the last words of a session of vsftpd
	}
	return false
}

// isOurs reports whether an error was made here, not by a connection.
func isOurs(err error) bool {
	for _, s := range []error{ErrUnreachable, ErrDenied, ErrUntrusted, ErrFull, ErrUnsupported, errOurs, errEndless} {
		if errors.Is(err, s) {
			return true
		}
	}
	var found finding
	return errors.As(err, &found)
}

// Finding marks err as a finding about the server's files, so that Do does not take it for an error
// of the connection.
func Finding(err error) error { return finding{err} }

type finding struct{ error }

// Unwrap implements what errors.Is asks for.
func (f finding) Unwrap() error { return f.error }

// errOurs marks an error that has nothing to do with the connection, such as one of the consumer of
// the data.
var errOurs = errors.New("")

func full(code int, text string) bool {
	return code == 452 || code == 552 || code >= 400 && mentions(text, noSpace)
}

// noSpace are messages about a full disk. The last is vsftpd's, for any failure to write.
var noSpace = []string{"no space", "quota", "disk full", "failure writing to local file"}

// notThere and denied are messages of servers that use code 550 for everything.
var (
	notThere = []string{"no such", "not found", "not exist", "cannot find", "can't find"}
	denied   = []string{"permission", "denied", "not permitted", "not allowed"}
)

func mentions(text string, words []string) bool {
	text = strings.ToLower(text)
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// translate wraps a server's answer with the matching sentinel, and names the act and the path.
func (s *Server) translate(act, path string, err error) error {
	if err == nil {
		return nil
	}
	code, text := reply(err)
	var means error
	switch {
	case code == 0, errors.Is(err, ErrUnreachable): // what the last of several answers said counts no more
	case full(code, text):
		means = ErrFull
	case code == 500 || code == 501 || code == 502 || code == 504:
		means = ErrUnsupported
	case mentions(text, notThere):
		means = fs.ErrNotExist
	case code == 532 || code == 553 || mentions(text, denied):
		means = fs.ErrPermission
	}
	if means == nil {
		return fmt.Errorf("%s %s on %s: %w", act, path, s.options.Host, err)
	}
	return fmt.Errorf("%s %s on %s: %w: %w", act, path, s.options.Host, means, err)
}

// untrusted reports whether TLS failed because of the server's certificate, or because the server
// does not support TLS.
func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &invalid) || errors.As(err, &record) && !isLastWord(record)
}

// isLastWord reports whether a server has announced its failure in clear text in the middle of TLS:
// with 421, or with the 500 OOPS of a dying vsftpd session. The connection is broken, and nothing
// it says counts.
func isLastWord(record tls.RecordHeaderError) bool {
	head := record.RecordHeader
	return (head[0] == '4' || head[0] == '5') && '0' <= head[1] && head[1] <= '9' && '0' <= head[2] && head[2] <= '9'
}
