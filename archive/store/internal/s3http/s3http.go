// Package s3http is what the two S3 adapters share: how object names become keys, how ranges are asked for and read,
// how a server's answers become the store's errors, and an HTTP transport for many bodies of some 32 MiB.
package s3http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/packstone/packstone/archive/store"
)

// Keys maps object names to keys below a prefix of the bucket.
type Keys struct{ prefix string }

// NewKeys returns the mapping below prefix, which may be empty, and may begin or end in slashes.
func NewKeys(prefix string) Keys {
	prefix = strings.Trim(prefix, "/")
	if prefix != "" {
		prefix += "/"
	}
	return Keys{prefix}
}

// Key returns the key of an object, or of a prefix of names.
func (k Keys) Key(name string) string { return k.prefix + name }

// Name returns the name of the object under key, and false for keys that are none of ours.
func (k Keys) Name(key string) (string, bool) {
	name, found := strings.CutPrefix(key, k.prefix)
	return name, found && store.ValidName(name)
}

// String returns the prefix without its final slash.
func (k Keys) String() string { return strings.TrimSuffix(k.prefix, "/") }

// Range is the value of the Range header for a Get, "" for the whole object. What it asks for may be more than the
// Get wants: Read cuts it. An empty Get asks for one byte, to learn whether the object exists.
func Range(offset, length int64) string {
	switch {
	case offset < 0:
		return "bytes=" + strconv.FormatInt(offset, 10)
	case length >= 0 && length <= math.MaxInt64-offset:
		return fmt.Sprintf("bytes=%d-%d", offset, offset+max(length, 1)-1)
	case offset > 0:
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return ""
}

// Read appends to dst what a Get at offset and length wants from the answer to a request with that Range. size is the
// length of the body, contentRange the header of that name, empty if the server sent the whole object.
func Read(dst []byte, body io.Reader, size int64, contentRange string, offset, length int64) ([]byte, error) {
	skip, n, err := wanted(size, contentRange, offset, length)
	if err != nil {
		return dst, err
	}
	if _, err := io.CopyN(io.Discard, body, skip); err != nil {
		return dst, cutOff(err)
	}
	grown := slices.Grow(dst, int(n))[:len(dst)+int(n)]
	if _, err := io.ReadFull(body, grown[len(dst):]); err != nil {
		return dst, cutOff(err)
	}
	return grown, nil
}

// wanted says which part of a body of size bytes the Get is about.
func wanted(size int64, contentRange string, offset, length int64) (skip, n int64, err error) {
	switch {
	case size < 0:
		return 0, 0, fmt.Errorf("the answer has no length: %w", store.ErrInvalid)
	case contentRange == "": // the whole object, though a part may have been asked for
		skip, n = store.Clip(offset, length, size)
	case offset < 0: // the part from offset on, or the whole if that is shorter
		skip, n = store.Clip(0, length, size)
	default:
		err = starts(contentRange, offset)
		skip, n = store.Clip(0, length, size)
	}
	if n > store.MaxObject || skip > store.MaxObject {
		return 0, 0, fmt.Errorf("%d bytes are no object: %w", size, store.ErrInvalid)
	}
	return skip, n, err
}

// starts refuses an answer that is about another part of the object than the one asked for.
func starts(contentRange string, offset int64) error {
	if !strings.HasPrefix(contentRange, fmt.Sprintf("bytes %d-", offset)) {
		return fmt.Errorf("asked for bytes from %d, the server sent %q: %w", offset, contentRange, store.ErrInvalid)
	}
	return nil
}

// cutOff is the error of a body that ended early: the connection broke, so the request may be repeated.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", store.ErrUnreachable, err)
}

// Answer is what a server said about a request that it did not grant.
type Answer struct {
	Status    int // 0 if there was no answer at all
	Code      string
	Message   string
	RequestID string
}

// Error returns the store's error for a failed request, about what (such as "bucket b"): err is what the client
// library returned for it and answer what it holds.
func Error(ctx context.Context, what string, answer Answer, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if answer.Status == 0 && answer.Code == "" {
		var request *url.Error
		if errors.As(err, &request) {
			err = request.Err // without the library's words around it
		}
		return &silence{what: what, err: err}
	}
	if answer.Code == "NoSuchBucket" {
		return fmt.Errorf("%s is not there: %w", what, store.ErrNotExist)
	}
	text := strings.TrimSpace(strings.Join([]string{strconv.Itoa(answer.Status), answer.Code, answer.Message}, " "))
	if answer.RequestID != "" {
		text += " (request " + answer.RequestID + ")"
	}
	if sentinel := sentinel(answer); sentinel != nil {
		return fmt.Errorf("%w: %s answered %s", sentinel, what, text)
	}
	return fmt.Errorf("%s answered %s", what, text)
}

// silence is a request that got no answer.
type silence struct {
	what string
	err  error
}

// Error implements error.
func (s *silence) Error() string {
	return fmt.Sprintf("%v: %s: %v", store.ErrUnreachable, s.what, s.err)
}

// Unwrap returns what is wrapped, for errors.Is and errors.As.
func (s *silence) Unwrap() []error { return []error{store.ErrUnreachable, s.err} }

// Refused turns the error of a Put that got no answer into store.ErrExist if the object is there. Servers that answer
// 412 before they have read the body close the connection, and the reset destroys the answer on its way. It asks by a
// listing, which every writer may do.
func Refused(ctx context.Context, s store.Store, name string, err error) error {
	var silent *silence
	if !errors.As(err, &silent) {
		return err
	}
	var network *net.OpError
	if errors.As(silent.err, &network) && network.Op == "dial" {
		return err // there is no server to ask
	}
	for info, failed := range s.List(ctx, name, "") {
		if failed == nil && info.Name == name {
			return store.ErrExist
		}
		break // name itself is the first that begins with it
	}
	return err
}

// sentinel prefers the code, which says more than the status; both are nil for what may pass on its own.
func sentinel(answer Answer) error {
	if err, found := codes[answer.Code]; found {
		return err
	}
	if err, found := statuses[answer.Status]; found {
		return err
	}
	switch {
	case answer.Status >= 300 && answer.Status < 500:
		return store.ErrInvalid
	}
	return nil
}

// codes of Amazon S3, versitygw and MinIO.
var codes = map[string]error{
	"NoSuchKey": store.ErrNotExist,

	"PreconditionFailed": store.ErrExist,

	"ConditionalRequestConflict": store.ErrConflict,
	"OperationAborted":           store.ErrConflict,

	"BadDigest":                    store.ErrCorrupt,
	"InvalidDigest":                store.ErrCorrupt,
	"XAmzContentSHA256Mismatch":    store.ErrCorrupt,
	"XAmzContentChecksumMismatch":  store.ErrCorrupt,
	"XAmzContentSHA256MisMatch":    store.ErrCorrupt,
	"InvalidChecksum":              store.ErrCorrupt,
	"ContentSHA256Mismatch":        store.ErrCorrupt,
	"AccessDenied":                 store.ErrDenied,
	"AllAccessDisabled":            store.ErrDenied,
	"AccountProblem":               store.ErrDenied,
	"AuthorizationHeaderMalformed": store.ErrDenied,
	"ExpiredToken":                 store.ErrDenied,
	"InvalidAccessKeyId":           store.ErrDenied,
	"InvalidToken":                 store.ErrDenied,
	"RequestTimeTooSkewed":         store.ErrDenied,
	"SignatureDoesNotMatch":        store.ErrDenied,

	"InsufficientStorage":            store.ErrFull,
	"QuotaExceeded":                  store.ErrFull,
	"StorageFull":                    store.ErrFull,
	"XMinioStorageFull":              store.ErrFull,
	"XMinioAdminBucketQuotaExceeded": store.ErrFull,

	// The server waited for a body in vain, or asks for patience.
	"IncompleteBody":     store.ErrUnreachable,
	"RequestTimeout":     store.ErrUnreachable,
	"ServiceUnavailable": store.ErrUnreachable,
	"SlowDown":           store.ErrUnreachable,
	"SlowDownRead":       store.ErrUnreachable,
	"SlowDownWrite":      store.ErrUnreachable,
	"Throttling":         store.ErrUnreachable,
	"InternalError":      nil,
}

var statuses = map[int]error{
	http.StatusUnauthorized:        store.ErrDenied,
	http.StatusForbidden:           store.ErrDenied,
	http.StatusNotFound:            store.ErrNotExist,
	http.StatusRequestTimeout:      store.ErrUnreachable,
	http.StatusConflict:            store.ErrConflict,
	http.StatusPreconditionFailed:  store.ErrExist,
	http.StatusTooManyRequests:     store.ErrUnreachable,
	499:                            store.ErrUnreachable, // nginx: the client went away
	http.StatusNotImplemented:      store.ErrInvalid,
	http.StatusBadGateway:          store.ErrUnreachable,
	http.StatusServiceUnavailable:  store.ErrUnreachable,
	http.StatusGatewayTimeout:      store.ErrUnreachable,
	http.StatusInsufficientStorage: store.ErrFull,
}

// Ascending returns a function that is called with one listed name after the other, and errs when a server does not
// list in order: then a collector could not trust that what it did not see is not there.
func Ascending(after string) func(name string) error {
	last := after
	return func(name string) error {
		if name <= last {
			return fmt.Errorf("the server lists %q after %q, out of order: %w", name, last, store.ErrInvalid)
		}
		last = name
		return nil
	}
}
