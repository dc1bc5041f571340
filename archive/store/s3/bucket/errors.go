package bucket

import (
	"context"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/packstone/packstone/archive/store"
)

// Sentinels beside those of package store. Each is one of them too, for who does not tell so
// finely.
var (
	// ErrKeys: the server does not accept the keys, or there are none.
	ErrKeys error = &sentinel{"keys not accepted", store.ErrDenied}
	// ErrNoBucket: the server has no such bucket.
	ErrNoBucket error = &sentinel{"no such bucket", store.ErrNotExist}
	// ErrChanged: the object is not any more the one that was asked for.
	ErrChanged error = &sentinel{"the object was replaced", store.ErrInvalid}
	// ErrRange: the object ends before the range that was asked for.
	ErrRange error = &sentinel{"the object ends before that", store.ErrInvalid}
	// ErrUnsupported: the server does not know the request.
	ErrUnsupported error = &sentinel{"not supported by the S3 server", store.ErrInvalid}
)

// sentinel is a kind of error within another kind.
type sentinel struct {
	text string
	kind error
}

// Error implements error.
func (s *sentinel) Error() string { return s.text }

// Unwrap returns the wider kind.
func (s *sentinel) Unwrap() error { return s.kind }

// answer is what a server said about a request that it did not grant; zero if it said nothing.
type answer struct {
	status        int
	code, message string
	request       string // the server's name for it
}

// Error is a request that was not granted, or got no answer.
type Error struct {
	answer
	kind error  // a sentinel; nil for a failure that the server does not name
	cure string // what a person can do about it, if anything
	err  error  // what the SDK made of it
}

// Error implements error.
func (e *Error) Error() string {
	text := e.said()
	if e.kind != nil {
		text = e.kind.Error() + ": " + text
	}
	if e.cure != "" {
		text += "; " + e.cure
	}
	return text
}

func (e *Error) said() string {
	if e.Silent() || e.status/100 == 2 {
		var request *url.Error
		if errors.As(e.err, &request) {
			return request.Err.Error() // without the library's words around it
		}
		return e.err.Error()
	}
	text := strings.TrimSpace(fmt.Sprintf("the server answered %d %s", e.status, e.code))
	if e.message != "" {
		text += ": " + strings.TrimSuffix(e.message, ".")
	}
	if e.request != "" {
		text += " (request " + e.request + ")"
	}
	return text
}

// Silent tells whether the server gave no answer.
func (e *Error) Silent() bool { return e.status == 0 && e.code == "" }

// Nameless tells whether the server failed for a reason that it did not name.
func (e *Error) Nameless() bool { return e.kind == nil }

// Unwrap returns what is wrapped, for errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.kind == nil {
		return []error{e.err}
	}
	return []error{e.kind, e.err}
}

// Is tells that an object is not there, or is not permitted to be used, in the words of package fs.
func (e *Error) Is(target error) bool {
	return target == fs.ErrNotExist && e.kind == store.ErrNotExist || target == fs.ErrPermission && e.kind == store.ErrDenied
}

// What a request does; some answers mean another thing then.
const (
	reading = true
	writing = false
)

// failed translates what an SDK returned. key is that of the object, empty if the request was about
// the bucket.
func (c *Client) failed(ctx context.Context, read bool, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, store.ErrInvalid): // it is ours
		return err
	}
	e := &Error{answer: c.api.answer(err), err: err}
	e.kind = e.classify(read, key)
	e.cure = e.advice(key)
	return e
}

// classify says what a failure means. The code tells more than the status.
func (e *Error) classify(read bool, key string) error {
	kind, named := codes[e.code]
	if !named {
		kind, named = statuses[e.status]
	}
	switch {
	case e.Silent(), e.status/100 == 2:
		return e.classifySilence()
	case kind == store.ErrNotExist && key == "":
		return ErrNoBucket
	case kind == store.ErrExist && read:
		return ErrChanged
	case e.status == http.StatusMethodNotAllowed && read:
		return store.ErrNotExist // the version is a delete marker
	case !named && e.status < 500:
		return store.ErrInvalid
	}
	return kind
}

// classifySilence is about what came instead of an answer of S3, if anything.
func (e *Error) classifySilence() error {
	if errors.Is(e.err, errLong) || isForeignText(e.err) && !isCutOff(e.err) {
		return store.ErrInvalid
	}
	return store.ErrUnreachable
}

// codes of Amazon S3, versitygw, MinIO and Ceph. nil is what may pass and has no name.
var codes = map[string]error{
	"NoSuchKey":     store.ErrNotExist,
	"NoSuchVersion": store.ErrNotExist,
	"NoSuchUpload":  store.ErrNotExist,
	"NoSuchBucket":  ErrNoBucket,

	"PreconditionFailed": store.ErrExist,
	"InvalidRange":       ErrRange,

	"ConditionalRequestConflict": store.ErrConflict,
	"OperationAborted":           store.ErrConflict,

	"BadDigest":                   store.ErrCorrupt,
	"ContentSHA256Mismatch":       store.ErrCorrupt,
	"InvalidChecksum":             store.ErrCorrupt,
	"InvalidDigest":               store.ErrCorrupt,
	"XAmzContentChecksumMismatch": store.ErrCorrupt,
	"XAmzContentSHA256MisMatch":   store.ErrCorrupt,
	"XAmzContentSHA256Mismatch":   store.ErrCorrupt,

	"AccessDenied":       store.ErrDenied,
	"AllAccessDisabled":  store.ErrDenied,
	"InvalidObjectState": store.ErrDenied,

	"AccountProblem":               ErrKeys,
	"AuthorizationHeaderMalformed": ErrKeys,
	"ExpiredToken":                 ErrKeys,
	"InvalidAccessKeyId":           ErrKeys,
	"InvalidSecurity":              ErrKeys,
	"InvalidToken":                 ErrKeys,
	"RequestTimeTooSkewed":         ErrKeys,
	"SignatureDoesNotMatch":        ErrKeys,
	"TokenRefreshRequired":         ErrKeys,
	"XAmzAuthorizationError":       ErrKeys,

	"InsufficientStorage":            store.ErrFull,
	"QuotaExceeded":                  store.ErrFull,
	"StorageFull":                    store.ErrFull,
	"XMinioAdminBucketQuotaExceeded": store.ErrFull,
	"XMinioStorageFull":              store.ErrFull,

	"NotImplemented": ErrUnsupported,

	// The server waited for a body in vain, or asks for patience.
	"IncompleteBody":             store.ErrUnreachable,
	"RequestTimeout":             store.ErrUnreachable,
	"ServiceUnavailable":         store.ErrUnreachable,
	"SlowDown":                   store.ErrUnreachable,
	"SlowDownRead":               store.ErrUnreachable,
	"SlowDownWrite":              store.ErrUnreachable,
	"Throttling":                 store.ErrUnreachable,
	"ThrottlingException":        store.ErrUnreachable,
	"XMinioServerNotInitialized": store.ErrUnreachable,
	"InternalError":              nil,
}

// statuses count where the code says nothing.
var statuses = map[int]error{
	http.StatusUnauthorized:                 ErrKeys,
	http.StatusForbidden:                    store.ErrDenied,
	http.StatusNotFound:                     store.ErrNotExist,
	http.StatusRequestTimeout:               store.ErrUnreachable,
	http.StatusConflict:                     store.ErrConflict,
	http.StatusPreconditionFailed:           store.ErrExist,
	http.StatusRequestedRangeNotSatisfiable: ErrRange,
	http.StatusTooManyRequests:              store.ErrUnreachable,
	499:                                     store.ErrUnreachable, // nginx: the client went away
	http.StatusNotImplemented:               ErrUnsupported,
	http.StatusBadGateway:                   store.ErrUnreachable,
	http.StatusServiceUnavailable:           store.ErrUnreachable,
	http.StatusGatewayTimeout:               store.ErrUnreachable,
	http.StatusInsufficientStorage:          store.ErrFull,
}

// advice says what a person can do.
func (e *Error) advice(key string) string {
	switch {
	case isUntrusted(e.err):
		return "if its certificate is of a private authority, name that in AWS_CA_BUNDLE"
	case e.code == "RequestTimeTooSkewed":
		return "set this machine's clock"
	case e.code == "InvalidObjectState":
		return "it is archived: have the server bring it back first"
	case e.code == "AuthorizationHeaderMalformed", e.code == "PermanentRedirect", e.status == http.StatusMovedPermanently:
		return "name the bucket's region"
	case e.kind == ErrKeys:
		return "check the access key and the secret key"
	case e.kind == ErrNoBucket:
		return "check the bucket's name"
	case e.kind == store.ErrDenied && key == "":
		return "permit these keys to list the bucket"
	case e.kind == store.ErrInvalid && (e.Silent() || e.status/100 == 2):
		return "something answers there that is not S3: check the address"
	case e.kind == store.ErrUnreachable && e.Silent():
		return "check the address and that the server runs"
	}
	return ""
}

// isCutOff tells an answer that the network has cut off.
func isCutOff(err error) bool {
	var network net.Error
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network)
}

// isForeignText tells whether there was an answer that is none of S3.
func isForeignText(err error) bool {
	var syntax *xml.SyntaxError
	var other xml.UnmarshalError
	var undone *smithy.DeserializationError
	return errors.As(err, &syntax) || errors.As(err, &other) || errors.As(err, &undone)
}

func isUntrusted(err error) bool {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	return errors.As(err, &authority) || errors.As(err, &invalid) || errors.As(err, &name)
}

// gone is the code of an answer to a deletion that had nothing to delete.
const gone = "NoSuchKey"
