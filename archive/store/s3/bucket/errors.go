package s3

import (
	"context"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// Sentinels. Besides, errors of a single object are fs.ErrNotExist and fs.ErrPermission. Compare with errors.Is.
var (
	// ErrUnreachable: the server cannot be reached, or not any more, or it only answers that it cannot.
	ErrUnreachable = errors.New("S3 server unreachable")
	// ErrDenied: the server does not accept the keys, or there are none.
	ErrDenied = errors.New("keys not accepted")
	// ErrNoBucket: the server has no such bucket.
	ErrNoBucket = errors.New("no such bucket")
	// ErrChanged: the object is not any more the one that was asked for.
	ErrChanged = errors.New("the object was replaced")
	// ErrExist: there is an object under the key already.
	ErrExist = errors.New("there is an object already")
	// ErrKey: no object can have this key.
	ErrKey = errors.New("not a key of S3")
	// ErrFull: no space left, or a quota is used up.
	ErrFull = errors.New("no space left in the bucket")
	// ErrUnsupported: the server does not know the request.
	ErrUnsupported = errors.New("not supported by the S3 server")
)

// answer is what a server said about a request that it did not grant; zero if it said nothing.
type answer struct {
	status        int
	code, message string
	request       string
	err           error // what the SDK made of it
}

// Error implements error.
func (a *answer) Error() string {
	if a.status == 0 && a.code == "" {
		var request *url.Error
		if errors.As(a.err, &request) {
			return request.Err.Error() // without the library's words around it
		}
		return a.err.Error()
	}
	text := fmt.Sprintf("the server answered %d %s", a.status, a.code)
	if a.message != "" {
		text += ": " + strings.TrimSuffix(a.message, ".")
	}
	if a.request != "" {
		text += " (request " + a.request + ")"
	}
	return text
}

// Unwrap returns what is wrapped, for errors.Is and errors.As.
func (a *answer) Unwrap() error { return a.err }

var (
	refusedKeys = []string{"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidSecurity",
		"AuthorizationHeaderMalformed", "RequestTimeTooSkewed", "AccountProblem", "XAmzAuthorizationError"}
	waits = []string{"SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException", "ServiceUnavailable", "RequestTimeout", "InternalError",
		"IncompleteBody", "OperationAborted", "ConditionalRequestConflict", "XMinioServerNotInitialized"}
	full = []string{"InsufficientStorage", "QuotaExceeded", "StorageFull", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
)

// transient tells whether waiting may help.
func (a *answer) transient() bool {
	if slices.Contains(full, a.code) || a.status == http.StatusInsufficientStorage || a.status == http.StatusNotImplemented {
		return false
	}
	if a.status == 0 && a.code == "" {
		return !untrusted(a.err)
	}
	return a.status >= 500 || a.status == http.StatusTooManyRequests || a.status == http.StatusRequestTimeout || slices.Contains(waits, a.code)
}

func untrusted(err error) bool {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	return errors.As(err, &authority) || errors.As(err, &invalid) || errors.As(err, &name)
}

// unreadable tells whether there was an answer that is none of S3.
func unreadable(err error) bool {
	var syntax *xml.SyntaxError
	var other xml.UnmarshalError
	var undone *smithy.DeserializationError
	return errors.As(err, &syntax) || errors.As(err, &other) || errors.As(err, &undone)
}

// sentinel is what the answer means for an object, or for the bucket if there is no key.
func (a *answer) sentinel(key string) error {
	switch {
	case slices.Contains(full, a.code), a.status == http.StatusInsufficientStorage:
		return ErrFull
	case slices.Contains(refusedKeys, a.code), a.status == http.StatusUnauthorized:
		return ErrDenied
	case a.code == "NoSuchBucket", a.status == http.StatusNotFound && key == "":
		return ErrNoBucket
	case a.code == "NoSuchKey", a.code == "NoSuchVersion", a.code == "NoSuchUpload", a.status == http.StatusNotFound, a.status == http.StatusMethodNotAllowed:
		return fs.ErrNotExist // 405: the version is a delete marker
	case a.code == "PreconditionFailed", a.status == http.StatusPreconditionFailed:
		return ErrChanged
	case a.code == "AccessDenied", a.code == "AllAccessDisabled", a.status == http.StatusForbidden:
		return fs.ErrPermission
	case a.code == "NotImplemented", a.status == http.StatusNotImplemented:
		return ErrUnsupported
	case a.transient(), a.status == 0:
		return ErrUnreachable
	}
	return nil
}

// cure says what a person can do about it.
func (a *answer) cure(key string, sentinel error) string {
	switch {
	case untrusted(a.err):
		return "; if its certificate is of a private authority, name that in AWS_CA_BUNDLE"
	case a.code == "RequestTimeTooSkewed":
		return "; set this machine's clock"
	case a.code == "InvalidObjectState":
		return "; it is archived: have the server bring it back first"
	case a.code == "AuthorizationHeaderMalformed", a.code == "PermanentRedirect", a.status == http.StatusMovedPermanently:
		return "; name the bucket's region"
	case sentinel == ErrDenied:
		return "; check the access key and the secret key"
	case sentinel == ErrNoBucket:
		return "; check the bucket's name"
	case sentinel == fs.ErrPermission && key == "":
		return "; permit these keys to list the bucket"
	case (sentinel == ErrUnreachable || sentinel == nil) && unreadable(a.err):
		return "; something answers there that is not S3: check the address"
	case sentinel == ErrUnreachable && a.status == 0:
		return "; check the address and that the server runs"
	}
	return ""
}

// failed names the act, the object and the server, and wraps what the answer means.
func (b *Bucket) failed(act, key string, err error) error {
	var a *answer
	if !errors.As(err, &a) {
		return fmt.Errorf("%s %s: %w", act, b.place(key), err)
	}
	sentinel := a.sentinel(key)
	if sentinel == nil {
		return fmt.Errorf("%s %s: %w%s", act, b.place(key), err, a.cure(key, nil))
	}
	return fmt.Errorf("%s %s: %w: %w%s", act, b.place(key), sentinel, err, a.cure(key, sentinel))
}

func (b *Bucket) place(key string) string {
	if key == "" {
		return b.String()
	}
	return fmt.Sprintf("%s/%s on %s", b.address.Bucket, key, b.host)
}

// do calls f until it succeeds, its failure will not pass, or patience is at an end.
func (b *Bucket) do(ctx context.Context, act, key string, f func() error) error {
	err := b.persist(ctx, f)
	if err == nil || ctx.Err() != nil && err == context.Cause(ctx) {
		return err
	}
	return b.failed(act, key, err)
}

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	// newcomers is the patience with a server that has never answered: it may just be starting.
	newcomers = 5 * time.Second
)

func (b *Bucket) persist(ctx context.Context, f func() error) error {
	pause := firstPause
	begun := time.Time{}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := f()
		if ctx.Err() != nil && err != nil {
			return context.Cause(ctx)
		}
		if err == nil || !passing(err) {
			return err
		}
		var further *progressed
		if errors.As(err, &further) || begun.IsZero() {
			begun, pause = time.Now(), firstPause
		}
		if time.Since(begun)+pause > b.patience() {
			return err
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, maxPause)
	}
}

func (b *Bucket) patience() time.Duration {
	if b.clock.reached.Load() {
		return b.options.Patience
	}
	return min(newcomers, b.options.Patience)
}

// passing tells whether it may help to repeat what ended with err.
func passing(err error) bool {
	var a *answer
	if errors.As(err, &a) {
		return a.transient()
	}
	return errors.Is(err, io.ErrUnexpectedEOF)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
