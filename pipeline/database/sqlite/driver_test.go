package sqlite

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// A file that can't be made on a full disk is no database that is away.
func TestAFullDiskIsNoDatabaseThatIsAway(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE} {
		if err := translate(fmt.Errorf("%w: %w", sqlite3.CANTOPEN, cause)); !errors.Is(err, cause) || errors.Is(err, database.ErrUnreachable) {
			t.Errorf("%v: got %v", cause, err)
		}
	}
	if err := translate(sqlite3.CANTOPEN); !errors.Is(err, database.ErrUnreachable) {
		t.Errorf("got %v, want that it is unreachable", err)
	}
}
