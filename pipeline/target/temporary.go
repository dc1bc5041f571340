package target

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
)

// CheckPath refuses a path that is not one below the root, with ErrPath. The root itself, "", is
// none the worse.
func CheckPath(path string) error {
	if path == "" {
		return nil
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." || strings.IndexByte(name, 0) >= 0 {
			return fmt.Errorf("path %q: %w", path, ErrPath)
		}
	}
	return nil
}

// Temporaries are names for what is not whole yet: a prefix, eight digits of the run and eight of a
// counter. Safe for concurrent use.
type Temporaries struct {
	run     string
	counter atomic.Uint32
}

const temporaryPrefix = ".packstone-"

// NewTemporaries returns names that no other run has.
func NewTemporaries() *Temporaries {
	var run [4]byte
	rand.Read(run[:])
	return &Temporaries{run: hex.EncodeToString(run[:])}
}

// Next returns a new name.
func (t *Temporaries) Next() string {
	return fmt.Sprintf("%s%s%08x", temporaryPrefix, t.run, t.counter.Add(1))
}

// Is tells whether a name is a temporary one, and whether it is of another run.
func (t *Temporaries) Is(name string) (is, others bool) {
	digits, ok := strings.CutPrefix(name, temporaryPrefix)
	if !ok || len(digits) != 16 || strings.Trim(digits, "0123456789abcdef") != "" {
		return false, false
	}
	return true, digits[:8] != t.run
}
