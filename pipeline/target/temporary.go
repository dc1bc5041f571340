package target

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
)

// CheckPath fails with ErrPath unless path is the root, "", or below it.
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

// Temporaries generates names for incomplete files: a prefix, eight digits for the run and eight of
// a counter. It is safe for concurrent use.
type Temporaries struct {
	run     string
	counter atomic.Uint32
}

const temporaryPrefix = ".packstone-"

// NewTemporaries returns a generator whose names no other run uses.
func NewTemporaries() *Temporaries {
	var run [4]byte
	rand.Read(run[:])
	return &Temporaries{run: hex.EncodeToString(run[:])}
}

// Next returns a new name.
func (t *Temporaries) Next() string {
	return fmt.Sprintf("%s%s%08x", temporaryPrefix, t.run, t.counter.Add(1))
}

// Is reports whether a name is a temporary one, and whether it belongs to another run.
func (t *Temporaries) Is(name string) (is, others bool) {
	digits, ok := strings.CutPrefix(name, temporaryPrefix)
	if !ok || len(digits) != 16 || strings.Trim(digits, "0123456789abcdef") != "" {
		return false, false
	}
	return true, digits[:8] != t.run
}
