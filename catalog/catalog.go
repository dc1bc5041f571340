// Package catalog records what a repository holds: its configuration, its writers' records, its
// snapshots, and which chunks lie where. It keeps all of it as signed and chained objects beside
// the data, so that the storage and an identity are enough to read it. The cache directory only
// saves time.
//
// archive/FORMAT.md describes the bytes. Trees are in package tree.
package catalog

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/packstone/packstone/archive"
)

// Sentinel errors; compare with errors.Is.
var (
	// ErrNoRepository: there is no packstone.json.
	ErrNoRepository = errors.New("no repository there")
	// ErrExists: init found a repository already.
	ErrExists = errors.New("there is a repository already")
	// ErrUntrusted: a signature, a chain of records or the owner's pin does not verify.
	ErrUntrusted = errors.New("not signed by anyone whom the repository's owner trusts")
	// ErrTooNew: the repository was written by a version that this version would misread.
	ErrTooNew = errors.New("the repository needs a newer version")
	// ErrNoIdentity: the operation needs an age identity that opens the repository.
	ErrNoIdentity = errors.New("an identity is needed")
	// ErrNoWriter: the operation needs a writer's key.
	ErrNoWriter = errors.New("a writer's key is needed")
	// ErrNames: a snapshot gives its sources names that packstone never gives.
	ErrNames = errors.New("ignoring a snapshot with such names")
	// ErrNoSnapshot: no snapshot matches.
	ErrNoSnapshot = errors.New("no such snapshot")
	// ErrBadName: the text cannot be the name of a snapshot.
	ErrBadName = errors.New("not a snapshot's name")
	// ErrOutside: a writer's key was used for a host for which the owner has not admitted it.
	ErrOutside = errors.New("the owner has admitted the writer for other hosts")
	// ErrAmbiguous: several sets or snapshots match.
	ErrAmbiguous = errors.New("ambiguous")
	// ErrNoPage: a page of the last tree is not cached, and there is no identity with which to
	// fetch it.
	ErrNoPage = errors.New("a page of the last tree is not in the cache")
	// ErrRestart: the session has ended before its record was written, or relies on something that
	// is being collected. The caller must begin again with a new session; what it has uploaded is
	// kept.
	ErrRestart = errors.New("this session is over; begin again")
	// ErrRolledBack: the store knows less than this host remembers of it.
	ErrRolledBack = errors.New("the storage has lost records that were there before")
	// ErrForeign: somebody other than the owner has put objects where the owner's configs are, or
	// newer configs are damaged.
	ErrForeign = errors.New("not signed by the repository's owner: it is forged, or a newer configuration is damaged")
	// ErrKeyTwice: another process writes with the same writer's key.
	ErrKeyTwice = errors.New("this writer's key is in use somewhere else: give every host a key of its own")
)

// hash returns the SHA-256 of an object's bytes, in hex.
func hash(data []byte) string { return archive.Name(sha256.Sum256(data)).String() }

// encodeLine writes v as one line of JSON, the body of a signed note.
func encodeLine(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return append(body, '\n'), nil
}
