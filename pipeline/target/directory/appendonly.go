package directory

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/packstone/packstone/pipeline/local"
	"golang.org/x/sys/unix"
)

// errAppendOnly: nothing in the directory can be removed, renamed or replaced. New files are made
// without a name and get one when they are complete, or have it from the start, so that no
// temporary name remains.
var errAppendOnly = errors.New("the directory is append-only (chattr +a), so what is there cannot be replaced")

// vacant returns an error if something in an append-only directory has this name.
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

// discard removes what was made under a temporary name. If that fails, it warns of the file.
func (t *Target) discard(o *object) {
	if err := unix.Unlinkat(o.dir.FD, o.name, 0); err != nil && err != unix.ENOENT {
		t.options.Warn(o.path, fmt.Errorf("a temporary file stays behind: %w", &fs.PathError{Op: "remove", Path: o.dir.Join(o.name), Err: err}))
	}
}
