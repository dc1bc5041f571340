// Package mount shows snapshots as a read-only file system (Linux, FUSE): by-time/, by-set/ and
// latest/, in which each source is a folder, and each database a SQLite file, made when its size or
// content is first needed. It reads directories page by page from the trees. Content comes through
// pipeline/fetch into one cache of chunks that all readers share. It requests ahead what a reader
// will need next, of the file being read and of those that follow in the tree.
package mount

import (
	"context"
	"errors"
	"io/fs"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/fetch"
)

// ErrUnsupported says that this system cannot mount snapshots.
var ErrUnsupported = errors.New("mount needs Linux: here, packstone restore and packstone dump bring files back")

// Options configure a mount.
type Options struct {
	Repo      *catalog.Repository
	Snapshots []*catalog.Snapshot // that are shown
	// Latest returns the latest snapshot of a set on a host. If it fails, the mount shows none.
	Latest func(set, host string) (*catalog.Snapshot, error)
	// Fetch bounds the work. Its Memory applies to one request for content, of which two run at a
	// time.
	Fetch fetch.Options
	// Memory is the size in bytes of the cache of chunks; 32 MiB if 0.
	Memory int64
	// Database writes a database, whose rows a source holds as files, to a new SQLite file.
	Database func(ctx context.Context, source *catalog.SourceState, rows fs.FS, file string) error
	// Folder makes the directory for such files, which is removed at the end. DatabaseRoom is how
	// many bytes of them are kept, 4 GiB if 0. More are made when needed; then the least recently
	// used ones are removed.
	Folder       func() (string, error)
	DatabaseRoom int64
	// AllowOther admits other users, as far as the modes of the files allow.
	AllowOther bool
	// Ready is called when the mount is usable. Problem is called with what could not be read, by
	// its path below the mount, and Note with everything else that the user should know. All must
	// be safe for concurrent use.
	Ready   func()
	Problem func(path string, err error)
	Note    func(text string)
}
