package localdir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/archive/store"
)

// reserveSize is how much room is kept for who deletes where the disk is full: what that writes
// first are names, of 64 bytes each.
const reserveSize = 2 << 20

const reserveName = "reserve"

// KeepReserve keeps some room, if none is kept yet, as a file that is no object: a full disk gives
// it back to who has called UseReserve. It fails where there is no room any more.
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

// UseReserve lets this store give up the reserve where a Put finds the disk full. It is for who is
// about to delete; call it before any other goroutine uses the store.
func (s *Store) UseReserve() { s.mayUseReserve = true }

// spend gives up the reserve after an error that it cures, and tells whether there was one.
func (s *Store) spend(err error) bool {
	return s.mayUseReserve && errors.Is(translate(err), store.ErrFull) && os.Remove(filepath.Join(s.root, tempDir, reserveName)) == nil
}
