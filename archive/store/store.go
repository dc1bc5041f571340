// Package store defines where a repository's objects live: a directory, an S3 bucket, memory.
//
// Objects are small (at most some 33 MiB), immutable and never overwritten. So the interface moves
// whole byte slices: any call can be repeated, and no body is left open. Every adapter passes the
// suite in storetest, which is the executable form of the contract below.
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"time"
)

// Sentinels that adapters translate their own errors to. Compare with errors.Is.
var (
	// ErrNotExist: the named object, or the place that should hold it, is not there.
	ErrNotExist = errors.New("object does not exist")
	// ErrExist: an object of that name is already there. Where an answer was lost on the way, it
	// may be the one that the same caller has just put.
	ErrExist = errors.New("object exists already")
	// ErrDenied: the credentials are wrong or do not allow the act. Waiting does not cure it.
	ErrDenied = errors.New("access denied")
	// ErrUnreachable: the storage could not be reached at all, after retries where there were any.
	ErrUnreachable = errors.New("storage unreachable")
	// ErrConflict: the store could not decide between concurrent writers; the same call may be
	// repeated.
	ErrConflict = errors.New("conflicting writes, try again")
	// ErrCorrupt: the store refused the bytes since they do not match the digest given with them.
	ErrCorrupt = errors.New("content does not match its digest")
	// ErrFull: no space left, or a quota is used up.
	ErrFull = errors.New("storage is full")
	// ErrInvalid: the store cannot do what was asked (a bad name, an object that is too large, a
	// feature that the server lacks). Repeating it does not help.
	ErrInvalid = errors.New("invalid request")
)

// Unavailable returns err if it says that the store cannot answer now, and the cause of ctx if that
// has ended; nil if err is about the object.
func Unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrDenied) {
		return err
	}
	return nil
}

// MaxObject bounds what one Put takes and what one Get returns, in bytes. Nothing that packstone
// writes comes near; it keeps a foreign object in the repository's place from filling the memory.
const MaxObject = 256 << 20

// Info describes one listed object.
type Info struct {
	Name     string
	Size     int64
	Modified time.Time // the store's clock, not a writer's
}

// CheckedSize is up to how many bytes every store compares with their digest.
const CheckedSize = 256 << 10

// Digest is the SHA-256 of an object's bytes as stored.
type Digest = [sha256.Size]byte

// Store keeps named, immutable objects. Names are those that ValidName accepts: relative,
// slash-separated, of [0-9a-zA-Z._-] segments, never ending in a slash; others are refused with
// ErrInvalid and never listed. No object's name may be a directory of another's (with a/b there is
// no object a). All methods are safe to call at once from several goroutines and return promptly
// after ctx ends.
type Store interface {
	// Put creates the object name if no object of that name exists (one winner among racing
	// writers), else returns ErrExist. digest is the SHA-256 of data; it travels with the request,
	// and the store refuses other bytes with ErrCorrupt. Where nothing travels, a store may trust
	// the digest of more than CheckedSize bytes, which the caller has just computed from the same
	// memory. When Put returns nil the object is whole and visible to Get and List everywhere; it
	// is durable after the next Sync. After ErrExist there is such an object, and Get tells whose;
	// after any other error the outcome is unknown. data must not be changed until Put returns, and
	// is not kept after.
	Put(ctx context.Context, name string, data []byte, digest Digest) error

	// Get appends length bytes of the object from offset to dst and returns the extended slice.
	// length < 0 means to the end. A negative offset counts from the end, at most back to the
	// beginning. A range that reaches past the end is cut short, without error. It returns
	// ErrNotExist if there is no such object. With an error the returned slice is dst as it was.
	Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error)

	// List yields the objects whose name starts with prefix and sorts after the name after ("" for
	// all), in bytewise order of names. It sees every object whose Put returned before List was
	// called. Objects that come or go meanwhile may be seen or not. An error ends the sequence. A
	// prefix under which nothing lies is empty, not an error.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Delete removes the object; one that is not there is no error.
	Delete(ctx context.Context, name string) error

	// Sync returns when every Put and Delete that returned before is durable. Stores that are
	// durable on return do nothing.
	Sync(ctx context.Context) error

	// Location is the store's address for messages, without secrets.
	Location() string
}
