// Package store defines the interface to the place where a repository's objects live: a directory,
// an S3 bucket, an SFTP server, memory.
//
// Objects are small (at most some 33 MiB), immutable and never overwritten. So the interface moves
// whole byte slices: callers can repeat any call, and no body is left open. Every adapter passes
// the suite in storetest, which is the executable form of the contract below.
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"syscall"
	"time"

	"github.com/packstone/packstone/archive/disk"
)

// Sentinel errors, to which adapters translate their own. Compare with errors.Is.
var (
	// ErrNotExist: the named object, or the place that should hold it, does not exist.
	ErrNotExist = errors.New("object does not exist")
	// ErrExist: an object of that name exists already. If an answer was lost, it may be the one
	// that the same caller has just put.
	ErrExist = errors.New("object exists already")
	// ErrDenied: the credentials are wrong, or do not allow the call. Waiting does not help.
	ErrDenied = errors.New("access denied")
	// ErrUnreachable: the storage did not answer, even after retries if there were any.
	ErrUnreachable = fmt.Errorf("storage %w", disk.ErrUnreachable)
	// ErrConflict: the store could not decide between concurrent writers. The caller may repeat the
	// call.
	ErrConflict = errors.New("conflicting writes, try again")
	// ErrCorrupt: the store refused the bytes because they do not match their digest.
	ErrCorrupt = errors.New("content does not match its digest")
	// ErrFull: no space left, or a quota is used up.
	ErrFull = errors.New("storage is full")
	// ErrInvalid: the store cannot do what was asked: the name is bad, the object is too large, or
	// the server lacks a feature. Repeating the call does not help.
	ErrInvalid = errors.New("invalid request")
	// ErrNoVersions is the ErrInvalid of a store that is to be read as of an earlier time, and does not
	// keep what was there then.
	ErrNoVersions = fmt.Errorf("%w: no earlier versions are kept", ErrInvalid)
)

// Unavailable returns err if it says that the store cannot answer now, and the cause of ctx if that
// has ended. It returns nil if err concerns only the object.
func Unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrDenied) || IsLimit(err) {
		return err
	}
	return nil
}

// IsLimit reports whether err comes from a limit of this process, of open files or of the size of
// files: the store was not asked, and waiting does not help.
func IsLimit(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.EFBIG) }

// MaxObject is the largest size in bytes that Put accepts and Get returns. packstone writes nothing
// near it; the limit keeps a foreign object in the repository from filling the memory.
const MaxObject = 256 << 20

// Info describes one listed object.
type Info struct {
	Name     string
	Size     int64
	Modified time.Time // the store's clock, not a writer's
}

// CheckedSize is the size in bytes up to which every store checks objects against their digest.
const CheckedSize = 256 << 10

// Digest is the SHA-256 hash of an object's bytes as stored.
type Digest = [sha256.Size]byte

// Store keeps named, immutable objects. Names are those that ValidName accepts: relative,
// slash-separated, of [0-9a-zA-Z._-] segments, never ending in a slash. Other names are refused
// with ErrInvalid and never listed. No object's name may be a directory of another's: with a/b
// there is no object a. All methods are safe for concurrent use and return promptly after ctx ends.
type Store interface {
	// Put creates the object name, or returns ErrExist if an object of that name exists; of several
	// concurrent writers one wins.
	//
	// digest is the SHA-256 of data. It travels with the request, and the store refuses other bytes
	// with ErrCorrupt. An adapter that sends no digest may trust it for data of more than
	// CheckedSize bytes, since the caller has just computed it from the same memory.
	//
	// When Put returns nil, the object is complete and visible to Get and List everywhere, and it
	// is durable after the next Sync. After ErrExist an object of that name exists, and Get shows
	// whose it is. After any other error the outcome is unknown. The caller must not change data
	// until Put returns; Put does not keep it.
	Put(ctx context.Context, name string, data []byte, digest Digest) error

	// Get appends length bytes of the object, from offset, to dst and returns the extended slice. A
	// negative length means to the end. A negative offset counts from the end, but not beyond the
	// beginning. A range that reaches past the end is cut short, without error. Get returns
	// ErrNotExist if there is no such object. With an error it returns dst unchanged.
	Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error)

	// List yields the objects whose names start with prefix and sort after the name after ("" for
	// all), in bytewise order of names. It sees every object whose Put returned before List was
	// called; it may or may not see objects that come or go meanwhile. An error ends the sequence.
	// A prefix without objects yields nothing, and no error.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Delete removes the object. It succeeds if there is no such object.
	Delete(ctx context.Context, name string) error

	// Sync returns when every Put and Delete that returned before the call is durable. In stores
	// that are durable on return it does nothing.
	Sync(ctx context.Context) error

	// Location returns the store's address for messages, without secrets.
	Location() string
}
