// Package mount shows snapshots as a file system, read only (Linux, FUSE): by-time/, by-set/ and
// latest/, in which each source is a folder and a database is a SQLite file, made when somebody
// first asks for its size or content. Directories are read page by page from the trees. Content
// comes through pipeline/fetch into one store of chunks, which all readers share: what a reader
// will need next is asked for before he needs it, of the file that he reads and of those that
// follow it in the tree.
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

// Options of a mount.
type Options struct {
	Repo      *catalog.Repository
	Snapshots []*catalog.Snapshot // that are shown
	// Latest picks the snapshot that is the latest of a set of a host. Where it fails there is
	// none.
	Latest func(set, host string) (*catalog.Snapshot, error)
	// Fetch bounds the work; its Memory is of one request for content, of which two are under way.
	Fetch fetch.Options
	// Memory is for chunks that were read or will be, bytes; 32 MiB if 0.
	Memory int64
	// Database writes the database whose rows a source holds as files to a SQLite file that is not
	// there yet.
	Database func(ctx context.Context, source *catalog.SourceState, rows fs.FS, file string) error
	// Folder makes the directory for such files, which is removed at the end. DatabaseRoom is how
	// many bytes of them stay for the next reader; more are made where they are needed, and the one
	// that nobody has read for longest goes. 4 GiB if 0.
	Folder       func() (string, error)
	DatabaseRoom int64
	// AllowOther lets users other than the one who mounts in, as far as the modes of the files do.
	AllowOther bool
	// Ready is told that the mount is there. Problem is told of what could not be read, by its path
	// below the mount; Note of everything else that a person should know. They are called from
	// several goroutines.
	Ready   func()
	Problem func(path string, err error)
	Note    func(text string)
}
