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

// Sentinel errors in addition to those of package store. Each also matches one of package store,
// for callers that need less detail.
var (
	// ErrKeys: the server does not accept the keys, or there are none.
	ErrKeys error = &sentinel{"keys not accepted", store.ErrDenied}
	// ErrNoBucket: the server has no such bucket.
	ErrNoBucket error = &sentinel{"no such bucket", store.ErrNotExist}
	// ErrNoVersions: the bucket has the current version of each object only.
	ErrNoVersions error = &sentinel{"the bucket keeps no versions", store.ErrNoVersions}
	// ErrChanged: the object is no longer the one that was asked for.
	ErrChanged error = &sentinel{"the object was replaced", store.ErrInvalid}
	// ErrRange: the object ends before the requested range.
	ErrRange error = &sentinel{"the object ends before that", store.ErrInvalid}
	// ErrUnsupported: the server does not support the request.
	ErrUnsupported error = &sentinel{"not supported by the S3 server", store.ErrInvalid}
)

// sentinel is an error that belongs to a wider kind.
type sentinel struct {
	text string
	kind error
}

// Error implements error.
func (s *sentinel) Error() string { return s.text }

// Unwrap returns the wider kind.
func (s *sentinel) Unwrap() error { return s.kind }

// answer is what a server said about a request that it refused; zero if it said nothing.
type answer struct {
	status        int
	code, message string
	request       string // the server's name for it
}

// Error is a request that was refused, or got no answer.
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

// Silent reports whether the server gave no answer.
func (e *Error) Silent() bool { return e.status == 0 && e.code == "" }

// Nameless reports whether the server gave no reason for the failure.
func (e *Error) Nameless() bool { return e.kind == nil }

// Unwrap returns the causes, for errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.kind == nil {
		return []error{e.err}
	}
	return []error{e.kind, e.err}
}

// Is matches fs.ErrNotExist and fs.ErrPermission if an object does not exist, or must not be used.
func (e *Error) Is(target error) bool {
	return target == fs.ErrNotExist && e.kind == store.ErrNotExist || target == fs.ErrPermission && (e.kind == store.ErrDenied || e.kind == store.ErrLocked || e.kind == store.ErrArchived)
}

// The kinds of requests. Some answers depend on them.
const (
	reading = true
	writing = false
)

// failed translates an error of an SDK. key is the object's key, empty if the request concerned the
// bucket.
func (c *Client) failed(ctx context.Context, read bool, key string, err error) error {
	var ours *sentinel
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &ours) && ours.kind == store.ErrInvalid:
		return fmt.Errorf("%w", ours)
	case errors.Is(err, store.ErrInvalid): // it is ours
		return err
	}
	e := &Error{answer: c.api.answer(err), err: err}
	e.kind = e.classify(read, key)
	e.cure = e.advice(key)
	return e
}

// classify returns the sentinel for a failure. The code says more than the status.
func (e *Error) classify(read bool, key string) error {
	kind, named := codes[e.code]
	if !named {
		kind, named = statuses[e.status]
	}
	switch {
	case e.Silent(), e.status/100 == 2:
		return e.classifySilence()
	case e.isLocked():
		return store.ErrLocked
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

// classifySilence returns the sentinel for what came instead of an answer of S3.
func (e *Error) classifySilence() error {
	if errors.Is(e.err, errLong) || isForeignText(e.err) && !isCutOff(e.err) {
		return store.ErrInvalid
	}
	return store.ErrUnreachable
}

// codes maps the error codes of Amazon S3, versitygw, MinIO and Ceph. nil is a passing failure
// without a sentinel.
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
	"InvalidObjectState": store.ErrArchived,

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

	"NotImplemented":                        ErrUnsupported,
	"GlacierExpeditedRetrievalNotAvailable": store.ErrInvalid,

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

// statuses maps HTTP statuses, for answers whose code says nothing.
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

// advice returns what a person can do.
func (e *Error) advice(key string) string {
	switch {
	case isUntrusted(e.err):
		return "if its certificate is of a private authority, name that in AWS_CA_BUNDLE"
	case e.code == "RequestTimeTooSkewed":
		return "set this machine's clock"
	case e.code == "InvalidObjectState":
		return "it must be thawed first: packstone restore --thaw asks for what a restore needs"
	case e.code == "GlacierExpeditedRetrievalNotAvailable":
		return "ask for the tier standard or bulk"
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

// isCutOff reports whether the network has cut off the answer.
func isCutOff(err error) bool {
	var network net.Error
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network)
}

// isForeignText reports whether the answer does not come from an S3 server.
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

// gone is the code with which a server says that there was nothing to delete.
const gone = "NoSuchKey"
