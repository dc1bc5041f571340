package directory

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/pipeline/local"
)

// A temporary name is prefix, eight hexadecimal digits for the run and eight of a counter. The file
// with counter zero is in the root, and locked as long as its run is alive. A file of another run
// is a leftover if that lock file is missing or not locked.
const (
	prefix    = ".packstone-"
	runDigits = 8
	nameSize  = len(prefix) + 2*runDigits
	lockCount = "00000000"
)

// temporary returns an unused name.
func (t *Target) temporary() string {
	var name [nameSize]byte
	copy(name[:], prefix)
	copy(name[len(prefix):], t.run)
	n := t.counter.Add(1)
	raw := [4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	hex.Encode(name[len(prefix)+runDigits:], raw[:])
	return string(name[:])
}

// runOf returns the run in a temporary name; false if the name is not temporary.
func runOf(name string) (string, bool) {
	if len(name) != nameSize || !strings.HasPrefix(name, prefix) {
		return "", false
	}
	digits := name[len(prefix):]
	if strings.Trim(digits, "0123456789abcdef") != "" {
		return "", false
	}
	return digits[:runDigits], true
}

// takeLock makes this run's lock file. If the root is not writable (as "/" is for most users), is
// on a network file system without locks, or is append-only, there is none; then a concurrent run
// takes this run's files for leftovers.
func (t *Target) takeLock(root *local.Dir) error {
	if root.Note&appendOnly != 0 {
		return nil
	}
	name := prefix + t.run + lockCount
	var before local.Stat
	statErr := local.Fstat(root.FD, &before)
	fd, err := root.OpenFile(name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR, 0o600)
	if err == unix.EACCES || err == unix.EPERM || err == unix.EROFS {
		return nil
	}
	if err != nil {
		return translate(&fs.PathError{Op: "create", Path: root.Join(name), Err: err})
	}
	t.lock = fd
	_, _ = disk.TryLockFD(fd)
	if statErr == nil {
		keepTime(root, &before)
	}
	return nil
}

// keepTime restores the root's time after the lock file was made or removed: Finish may have set
// it, or nothing changes it otherwise.
func keepTime(root *local.Dir, before *local.Stat) {
	_ = root.SetTimes(local.Self, &[2]unix.Timespec{local.KeepTime, before.Mtim})
}

func (t *Target) dropLock() {
	if t.lock < 0 {
		return
	}
	if root, err := t.tree.Open(""); err == nil {
		t.unlinkLock(root)
		root.Release()
	}
	unix.Close(t.lock)
	t.lock = -1
}

func (t *Target) unlinkLock(root *local.Dir) {
	var before local.Stat
	statErr := local.Fstat(root.FD, &before)
	t.discard(&object{dir: root, name: prefix + t.run + lockCount})
	if statErr == nil {
		keepTime(root, &before)
	}
}

// leftovers caches which runs are over.
type leftovers map[string]bool

// isOver reports whether a run's temporary files are leftovers.
func (t *Target) isOver(run string, known leftovers) (bool, error) {
	if run == t.run {
		return false, nil
	}
	if over, ok := known[run]; ok {
		return over, nil
	}
	root, err := t.tree.Open("")
	if err != nil {
		return false, err
	}
	defer root.Release()
	over, err := lockIsFree(root, prefix+run+lockCount)
	if err != nil {
		return false, fmt.Errorf("look whether another restore is running: %w", err)
	}
	known[run] = over
	return over, nil
}

func lockIsFree(root *local.Dir, name string) (bool, error) {
	fd, err := root.OpenFile(name, unix.O_RDONLY, 0)
	if err == unix.ENOENT {
		return true, nil
	}
	if err != nil {
		return false, &fs.PathError{Op: "open", Path: root.Join(name), Err: err}
	}
	defer unix.Close(fd)
	free, err := disk.TryLockFD(fd)
	return err == nil && free, nil // without locks it may be another restore's
}
