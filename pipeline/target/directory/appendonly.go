package directory

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/packstone/packstone/pipeline/local"
	"golang.org/x/sys/unix"
)

// errAppendOnly: nothing in a directory can be removed, renamed or replaced. What is new is made
// without a name and gets its own when it is complete, or has that from the start, so that no
// temporary name stays behind.
var errAppendOnly = errors.New("the directory is append-only (chattr +a), so what is there cannot be replaced")

// vacant fails unless nothing bears a name in an append-only directory.
func (o *object) vacant(name string) error {
	var st local.Stat
	err := o.dir.Stat(name, false, &st)
	if err == nil {
		return o.failed("replace", errAppendOnly)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return o.failed("stat", err)
	}
	return nil
}

// openNameless makes the file without a name.
func (f *file) openNameless() error {
	_, name := local.Split(f.entry.Path)
	if err := f.object.vacant(name); err != nil {
		return err
	}
	f.object.name, f.nameless = name, true
	var err error
	if f.object.fd, err = local.OpenNameless(f.object.dir.FD, f.mode()); err != nil {
		return f.object.failed("create without a temporary name, since the directory is append-only,", err)
	}
	return nil
}

// discard removes what was made under a temporary name, and names it where it stays.
func (t *Target) discard(o *object) {
	if err := unix.Unlinkat(o.dir.FD, o.name, 0); err != nil && err != unix.ENOENT {
		t.options.Warn(o.path, fmt.Errorf("a temporary file stays behind: %w", &fs.PathError{Op: "remove", Path: o.dir.Join(o.name), Err: err}))
	}
}
