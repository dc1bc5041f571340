package archive

import (
	"errors"
	"fmt"
)

// Sentinels. Compare with errors.Is.
var (
	// ErrFormat: the repository is of a version, or needs a feature, that this program does not
	// know.
	ErrFormat = errors.New("the repository needs a newer version of packstone")
	// ErrDamaged: bytes are not what was written, or not where they should be.
	ErrDamaged = errors.New("damaged")
	// ErrOtherDirectory: what an index run says of a pack is not what lies in it.
	ErrOtherDirectory = errors.New("its directory is not the one in the index")
	// ErrWrongID: bytes do not have the id that they are stored under.
	ErrWrongID = errors.New("its bytes do not have this id")
	// ErrClosed: the writer is closed.
	ErrClosed = errors.New("the writer is closed")
)

// DamagedError says what of a pack could not be had. It matches ErrDamaged, and whatever Err
// matches: with store.ErrNotExist the whole pack is missing.
type DamagedError struct {
	Kind Kind
	Pack Name
	ID   ID // of the chunk; zero where the pack as a whole is meant
	Err  error
}

// Error implements error.
func (e *DamagedError) Error() string {
	if e.ID == (ID{}) {
		return fmt.Sprintf("pack %s: %v", e.Kind.Object(e.Pack), e.Err)
	}
	return fmt.Sprintf("chunk %s of pack %s: %v", e.ID, e.Kind.Object(e.Pack), e.Err)
}

// Unwrap lets errors.Is find ErrDamaged and the cause.
func (e *DamagedError) Unwrap() []error { return []error{ErrDamaged, e.Err} }
