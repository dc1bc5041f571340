package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/database/scratch"
)

// ErrBusy: another drill holds the directory of drills.
var ErrBusy = errors.New("another drill is at work there")

// room is the directory of one drill: what is restored, its servers, and a lease that says whose it
// is. The lease is locked as long as the process lives; so whoever can lock it may remove the room.
type room struct {
	dir   string
	lock  *os.File
	lease lease
}

// lease is what a room says of itself, for whoever removes it after its process was killed.
type lease struct {
	PID      int        `json:"pid"`
	Began    time.Time  `json:"began"`
	Borrowed []borrowed `json:"borrowed,omitempty"`
}

// borrowed is a database on a server that is there.
type borrowed struct {
	Server string `json:"server"` // a file with a URL
	Mark   string `json:"mark"`
}

// Names in the directory of drills, and in a room.
const (
	roomPrefix    = "drill-"
	doorFile      = "lock" // held while a room is made, or rooms are removed
	leaseFile     = "lease"
	borrowedFile  = "lease.json"
	sourcesFolder = "sources"
	serversFolder = "db"
)

// newRoom makes a room in a directory, which is made if it is not there.
func newRoom(ctx context.Context, parent string) (_ *room, err error) {
	if err := prepareParent(parent); err != nil {
		return nil, err
	}
	door, err := waitFor(ctx, filepath.Join(parent, doorFile))
	if err != nil {
		return nil, err
	}
	defer door.Close()
	r := &room{lease: lease{PID: os.Getpid(), Began: time.Now().UTC()}}
	if r.dir, err = os.MkdirTemp(parent, roomPrefix); err != nil {
		return nil, fmt.Errorf("make a scratch room: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(r.dir))
		}
	}()
	if r.lock, err = waitFor(ctx, filepath.Join(r.dir, leaseFile)); err != nil {
		return nil, err
	}
	for _, dir := range []string{r.sources(), r.servers()} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a scratch room: %w", err)
		}
	}
	// The user of a server gets through to it, and sees nothing of the rest.
	err = errors.Join(os.Chmod(r.dir, 0o711), os.Chmod(r.servers(), 0o711), r.write())
	return r, err
}

// prepareParent makes the directory of all rooms.
func prepareParent(parent string) error {
	err := disk.MakeGuarded(parent, "drills", 0o711, os.Lstat)
	if errors.Is(err, disk.ErrShared) {
		return catalog.Refuse("%s: others can write there, or it is no directory: run chmod go-w, or name another directory for drills", parent)
	}
	return err
}

func (r *room) sources() string { return filepath.Join(r.dir, sourcesFolder) }
func (r *room) servers() string { return filepath.Join(r.dir, serversFolder) }

// mark is what tells the room from all others.
func (r *room) mark() string { return strings.TrimPrefix(filepath.Base(r.dir), roomPrefix) }

// note writes down a database before it is made.
func (r *room) note(b borrowed) error {
	r.lease.Borrowed = append(r.lease.Borrowed, b)
	return r.write()
}

func (r *room) write() error {
	text, err := json.Marshal(r.lease)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, borrowedFile), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write down whose the scratch room is: %w", err)
	}
	return nil
}

// remove removes the room with all that is in it, and gives back what was borrowed.
func (r *room) remove(ctx context.Context, db Databases) error {
	err := clear(ctx, r.dir, db)
	return errors.Join(err, r.lock.Close())
}

// Clean removes the rooms in a directory whose processes are no more, and ends what still runs in
// them. It names them.
func Clean(ctx context.Context, parent string, db Databases) (removed []string, err error) {
	rooms, err := filepath.Glob(filepath.Join(escape(parent), roomPrefix+"*"))
	if len(rooms) == 0 || err != nil {
		return nil, err
	}
	for _, dir := range rooms {
		gone, err := cleanAlone(ctx, parent, dir, db)
		if err != nil {
			return removed, fmt.Errorf("remove what a drill left in %s: %w", dir, err)
		}
		if gone {
			removed = append(removed, dir)
		}
	}
	return removed, nil
}

// cleanAlone is cleanRoom while no other drill makes or cleans a room. Others may come between two
// rooms: one may take long.
func cleanAlone(ctx context.Context, parent, dir string, db Databases) (gone bool, err error) {
	door, err := waitFor(ctx, filepath.Join(parent, doorFile))
	if err != nil {
		return false, err
	}
	defer door.Close()
	return cleanRoom(ctx, dir, db)
}

// escape makes a pattern that matches a path alone.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// cleanRoom removes a room unless its process lives.
func cleanRoom(ctx context.Context, dir string, db Databases) (gone bool, err error) {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, leaseFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	defer lock.Close()
	free, err := disk.TryLock(lock)
	if !free || err != nil {
		return false, err
	}
	return true, clear(ctx, dir, db)
}

// clear ends what runs in a room, gives back what was borrowed, and removes its files. The lease
// goes last: as long as something is left the next one tries again.
func clear(ctx context.Context, dir string, db Databases) error {
	if _, err := scratch.EndIn(ctx, filepath.Join(dir, serversFolder)); err != nil {
		return err
	}
	if err := giveBack(ctx, dir, db); err != nil {
		return err
	}
	for _, folder := range []string{sourcesFolder, serversFolder, ""} {
		if err := removeAll(ctx, filepath.Join(dir, folder)); err != nil {
			return err
		}
	}
	return nil
}

// giveBack drops the databases on servers that are there.
func giveBack(ctx context.Context, dir string, db Databases) error {
	text, err := os.ReadFile(filepath.Join(dir, borrowedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var of lease
	if json.Unmarshal(text, &of) != nil {
		return nil // it was killed while it wrote, before anything was borrowed
	}
	for _, b := range of.Borrowed {
		server, err := db.Read(b.Server)
		if err != nil {
			return err
		}
		asker, err := db.Asker(server)
		if err == nil {
			err = scratch.Return(ctx, server, b.Mark, asker)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removals is how often it is tried to remove files that a process which ends may still add to.
const removals = 50

// removeAll removes a directory with all that is in it, though its modes forbid that.
func removeAll(ctx context.Context, dir string) (err error) {
	for range removals {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if e != nil && e.IsDir() {
				_ = os.Chmod(path, 0o700) // before it is listed
			}
			return nil
		})
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
	return err
}

// lockPatience is how long to wait for another drill that makes its room, or removes what others have
// left: it takes moments.
const lockPatience = time.Minute

// waitFor locks a file, which it makes if need be, as soon as nobody else holds it, and notes there
// who holds it now. After lockPatience it fails with ErrBusy, and says who that is.
func waitFor(ctx context.Context, path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		if err = lockWithin(ctx, file, lockPatience); err == nil {
			_ = noteHolder(file) // a full disk, too, is cleaned by who holds the lock
		}
	}
	switch {
	case err == nil:
		return file, nil
	case file != nil:
		file.Close()
	}
	if ctx.Err() != nil {
		return nil, err
	}
	return nil, fmt.Errorf("lock the directory of drills: %w", err)
}

// lockWithin locks a file within a time.
func lockWithin(ctx context.Context, file *os.File, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		if got, err := disk.TryLock(file); got || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %s has held %s for %v; if it hangs, end it and drill again: its room is removed then", ErrBusy, holderOf(file), file.Name(), patience)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// noteHolder writes into a locked file whose lock it is.
func noteHolder(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holderOf is who has noted that a file is locked.
func holderOf(file *os.File) string {
	text := make([]byte, 20)
	n, _ := file.ReadAt(text, 0)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n]))); err == nil {
		return fmt.Sprintf("the drill of process %d", pid)
	}
	return "another process"
}
