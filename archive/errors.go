package archive

import (
	"errors"
	"fmt"
)

// Sentinel errors; compare with errors.Is.
var (
	// ErrFormat: the repository has a version, or needs a feature, that this program does not know.
	ErrFormat = errors.New("the repository needs a newer version of packstone")
	// ErrDamaged: bytes are not those that were written, or are missing where they should be.
	ErrDamaged = errors.New("damaged")
	// ErrOtherDirectory: an index run and the pack itself list different content.
	ErrOtherDirectory = errors.New("its directory is not the one in the index")
	// ErrWrongID: a chunk's bytes do not have the id under which they are stored.
	ErrWrongID = errors.New("its bytes do not have this id")
	// ErrClosed: the writer is closed.
	ErrClosed = errors.New("the writer is closed")
)

// DamagedError says which pack, or which chunk of it, could not be read. It matches ErrDamaged, and
// whatever Err matches: with store.ErrNotExist the whole pack is missing.
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
