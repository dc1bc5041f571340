package localdir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/archive/store"
)

// reserveSize is the room in bytes that a reserve keeps for deleting on a full disk. What a
// deletion writes first are names, of 64 bytes each.
const reserveSize = 2 << 20

const reserveName = "reserve"

// KeepReserve sets some room aside, unless that is done already, as a file that is no object. On a
// full disk, a Store whose UseReserve was called gives the room back. KeepReserve fails if there is
// no room left.
func (s *Store) KeepReserve(ctx context.Context) error {
	name := filepath.Join(s.root, tempDir, reserveName)
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return translate(err)
	}
	filler := make([]byte, reserveSize)
	for i := range filler { // which no file system can leave out or compress to nothing
		filler[i] = byte(i * i >> 7)
	}
	temp, err := s.writeTemp(ctx, filler)
	if err != nil {
		return translate(err)
	}
	return translate(errors.Join(os.Rename(temp, name), removeLeft(temp)))
}

// UseReserve allows this store to give up the reserve when a Put finds the disk full. Callers that
// are about to delete use it, before any other goroutine uses the store.
func (s *Store) UseReserve() { s.mayUseReserve = true }

// spend gives up the reserve if err says that the disk is full, and reports whether there was one.
func (s *Store) spend(err error) bool {
	return s.mayUseReserve && errors.Is(translate(err), store.ErrFull) && os.Remove(filepath.Join(s.root, tempDir, reserveName)) == nil
}
