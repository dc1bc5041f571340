package drill

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// What scratch places take beside the bytes that were backed up.
const (
	perEntry    = 4 << 10   // of a file, in blocks and names
	perServer   = 300 << 20 // of an empty server and its log
	timesOfRows = 3         // rows with their indexes, and the log of their making
)

// Need is how many bytes a drill of a snapshot takes, at most, as far as its coverage tells.
func Need(s *catalog.Snapshot) (bytes uint64) {
	for i := range s.Sources {
		c := s.Sources[i].Coverage
		if s.Sources[i].IsDatabase() {
			bytes += timesOfRows*c.Bytes + perServer
			continue
		}
		bytes += c.Bytes + perEntry*(c.Files+c.Directories+c.Others)
	}
	return bytes
}

// NeedOf is how many bytes entries and the rows of databases take that are restored to files, at
// most.
func NeedOf(entries, bytes, rows uint64) uint64 { return bytes + perEntry*entries + timesOfRows*rows }

// checkSpace refuses a drill for which there is too little space.
func (d *drill) checkSpace() error {
	need := Need(d.Snapshot)
	free, err := d.Free(existing(d.Directory))
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	if free < need {
		return catalog.Refuse("a drill of this snapshot takes up to %s, and %s has %s left: name another directory, or make room; nothing was restored",
			entry.Count(int64(need))+" bytes", d.Directory, entry.Count(int64(free))+" bytes")
	}
	return nil
}

// existing is a directory, or the first above it that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
