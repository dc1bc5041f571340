package store

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// ErrLocked: the object is locked, and cannot be deleted or its lock shortened before that ends. It
// matches ErrDenied too.
var ErrLocked = fmt.Errorf("locked by the storage: %w", ErrDenied)

// LockMode is how strict a lock is.
type LockMode string

// The modes of locks.
const (
	Governance LockMode = "GOVERNANCE" // who may bypass it can shorten it
	Compliance LockMode = "COMPLIANCE" // nobody can shorten it
)

// Lock keeps a version of an object from being deleted. The zero value is none.
type Lock struct {
	Mode  LockMode
	Until time.Time
}

// Version is one version of an object, or a mark that it was deleted.
type Version struct {
	Info
	ID      string // "null" or empty where the storage keeps one version only
	Tag     string // equal for versions with the same content
	Latest  bool
	Deleted bool // a mark
}

// Protection is what the storage does for all objects.
type Protection struct {
	Versions  bool // overwriting and deleting keep what was there
	Suspended bool // they did so once
	Locks     bool // objects can be locked
	Mode      LockMode
	Default   time.Duration // how long new objects are locked; 0: not at all
	Rules     bool          // the rules of the bucket's lifecycle could be read
	Old       time.Duration // after which a rule removes versions that are no longer the newest; 0: never
}

// Locker is what an adapter implements besides Store if its storage keeps versions of objects and
// can lock them. All methods are safe for concurrent use.
type Locker interface {
	// Protection returns what the storage does for all objects.
	Protection(ctx context.Context) (Protection, error)

	// Versions yields the versions of the objects whose names start with prefix and sort after the
	// name after, in bytewise order of names, and those of a name from the newest to the oldest. An
	// error ends the sequence.
	Versions(ctx context.Context, prefix, after string) iter.Seq2[Version, error]

	// LockOf returns the lock of a version, the zero Lock if it has none or the storage does not
	// tell. It fails with ErrNotExist if there is no such version.
	LockOf(ctx context.Context, name, version string) (Lock, error)

	// Extend locks a version until to.Until, which must not be earlier than its present end: then it
	// fails with ErrDenied. It fails with ErrNotExist if there is no such version, and with
	// ErrInvalid if the storage can't lock. It is idempotent.
	Extend(ctx context.Context, name, version string, to Lock) error

	// Ahead returns how far the storage's clock is ahead of this machine's, as of its last answer.
	Ahead() time.Duration
}

// Destroyer is what an adapter implements besides Locker, so that proofs can test what locks
// prevent. Nothing else calls it.
type Destroyer interface {
	// DeleteVersion removes a version for good, with every right that the credentials have. It fails
	// with ErrLocked while it is locked.
	DeleteVersion(ctx context.Context, name, version string) error

	// Shorten sets the end of a lock to an earlier time, with every right that the credentials have.
	Shorten(ctx context.Context, name, version string, to Lock) error
}
