package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Temporary is how names of files begin that are not whole yet, in directories from which RemoveLeft
// removes them.
const Temporary = ".tmp-"

// leftAge is how long nobody has written to a temporary file that a killed process has left. No
// process writes one for so long, but its clock may jump, so it also has it locked.
const leftAge = 24 * time.Hour

// WriteNew makes a file below a root, which must not be there, for its owner only. It is locked as
// long as it is called name: when WriteNew returns it is called whole, or is gone.
func WriteNew(root *os.Root, name, whole string, data []byte) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer hold(file)()
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil {
		err = root.Rename(name, whole)
	}
	if err != nil {
		_ = root.Remove(name)
	}
	return err
}

// RemoveLeft removes a temporary file below a root if a process that was killed has left it: it is a
// day old, and no process has it locked. It reports whether it is gone.
func RemoveLeft(root *os.Root, name string, now time.Time) bool {
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || now.Sub(info.ModTime()) < leftAge {
		return errors.Is(err, fs.ErrNotExist)
	}
	file, err := root.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer file.Close()
	if free, err := TryLock(file); err != nil || !free {
		return false
	}
	// Its process may have renamed it meanwhile, and another have taken its name.
	if is, err := root.Lstat(name); err != nil || !os.SameFile(info, is) || !is.ModTime().Equal(info.ModTime()) {
		return errors.Is(err, fs.ErrNotExist)
	}
	return root.Remove(name) == nil
}
