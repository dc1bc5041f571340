// Package room keeps what was restored for somebody to look at: each time in a folder of its own
// below one directory, with a note of what it is and who has asked for it.
//
// A room lasts until somebody removes it. One whose process ends before it is done is removed by
// the next (Sweep): its lease is locked as long as the process lives. Names come from outside, so
// everything goes through an os.Root and a room is removed only if it has a note of ours.
package room

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog"
)

// ErrNone: there is no such room.
var ErrNone = errors.New("there is no such scratch place of ours")

// Note is what a room says of itself.
type Note struct {
	By       string    `json:"by"` // who has asked for it
	Snapshot string    `json:"snapshot"`
	Set      string    `json:"set"`
	Host     string    `json:"host"`
	Time     time.Time `json:"time"` // of the snapshot
	Source   string    `json:"source"`
	Path     string    `json:"path"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended,omitzero"` // zero: it is at work, or was killed
	Restored uint64    `json:"restored"`       // entries
	Bytes    uint64    `json:"bytes"`
	Missing  string    `json:"missing,omitempty"` // why it is not complete; "": it is

	Databases []Database `json:"databases,omitempty"`
}

// Database is one that was made for a room on a server.
type Database struct {
	Source string `json:"source"`
	Server string `json:"server"` // a file with the URL of another one there
	Mark   string `json:"mark"`   // that tells it apart
	Name   string `json:"name"`
}

// GiveBack drops a database; that there is none is no error.
type GiveBack func(Database) error

// Room is a folder with what was restored.
type Room struct {
	Name string
	Note
	dir   string
	lease *os.File // locked; nil: it is not ours to fill
}

// Names in a room.
const (
	prefix    = "restored-"
	noteFile  = "restored.json"
	leaseFile = "lease"
	content   = "content"
)

// ours is what the name of a room looks like.
var ours = regexp.MustCompile(`^restored-[0-9]{8}-[0-9]{6}-[a-z2-7]{6}$`)

// mostNote is the largest note in bytes.
const mostNote = 64 << 10

// Content is the directory that holds what was restored.
func (r *Room) Content() string { return filepath.Join(r.dir, content) }

// New makes a room in a directory, which is made if it is not there. Nobody else gets in.
func New(parent string, note Note) (r *Room, err error) {
	if err := prepare(parent); err != nil {
		return nil, err
	}
	name := prefix + note.Began.UTC().Format("20060102-150405") + "-" + strings.ToLower(rand.Text()[:6])
	r = &Room{Name: name, Note: note, dir: filepath.Join(parent, name)}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a scratch place: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Discard(nil))
		}
	}()
	if r.lease, err = os.OpenFile(filepath.Join(r.dir, leaseFile), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return r, fmt.Errorf("make a scratch place: %w", err)
	}
	if _, err = disk.TryLock(r.lease); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return r, fmt.Errorf("make a scratch place: %w", err)
	}
	if err = r.write(); err != nil {
		return r, err
	}
	if err = os.Mkdir(r.Content(), 0o700); err != nil {
		return r, fmt.Errorf("make a scratch place: %w", err)
	}
	return r, nil
}

// prepare makes the directory of all rooms.
func prepare(parent string) error {
	err := disk.MakeGuarded(parent, "scratch places", 0o700, os.Stat)
	if errors.Is(err, disk.ErrShared) {
		return catalog.Refuse("%s (serve.scratch): others can write there, or it is no directory: run chmod go-w, or name another directory", parent)
	}
	return err
}

// Borrow notes a database before it is made.
func (r *Room) Borrow(d Database) error {
	r.Databases = append(r.Databases, d)
	return r.write()
}

// Finish notes how it went: what is in the room stays.
func (r *Room) Finish(note Note) error {
	note.Databases = r.Databases
	r.Note = note
	if err := r.write(); err != nil {
		return err
	}
	return r.lease.Close()
}

// write replaces the note as a whole.
func (r *Room) write() error {
	text, err := json.Marshal(r.Note)
	next := filepath.Join(r.dir, noteFile+".next")
	if err == nil {
		err = os.WriteFile(next, text, 0o600)
	}
	if err == nil {
		err = os.Rename(next, filepath.Join(r.dir, noteFile))
	}
	if err != nil {
		return fmt.Errorf("note what the scratch place %s is: %w", r.dir, err)
	}
	return nil
}

// Discard removes a room that New has made, with all that is in it and was made for it.
func (r *Room) Discard(back GiveBack) error {
	root, err := os.OpenRoot(filepath.Dir(r.dir))
	if err != nil {
		return fmt.Errorf("remove the scratch place %s: %w", r.dir, err)
	}
	err = errors.Join(clear(root, r.Name, r.Note, back), root.Close())
	if r.lease != nil {
		err = errors.Join(err, r.lease.Close())
	}
	return err
}

// List returns the rooms of a directory that are done, the newest first.
func List(parent string) (rooms []*Room, err error) {
	err = each(parent, func(root *os.Root, name string) error {
		note, err := read(root, name)
		if err == nil && !note.Ended.IsZero() {
			rooms = append(rooms, &Room{Name: name, Note: note, dir: filepath.Join(parent, name)})
		}
		return nil // what has no note of ours is none
	})
	slices.SortFunc(rooms, func(a, b *Room) int { return strings.Compare(b.Name, a.Name) })
	return rooms, err
}

// Remove removes a room that is done, with all that is in it and was made for it. Anything else is
// ErrNone.
func Remove(parent, name string, back GiveBack) error {
	if !ours.MatchString(name) {
		return ErrNone
	}
	root, err := os.OpenRoot(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err != nil {
		return fmt.Errorf("remove the scratch place %s: %w", name, err)
	}
	defer root.Close()
	note, err := read(root, name)
	if err != nil || note.Ended.IsZero() {
		return ErrNone
	}
	return clear(root, name, note, back)
}

// Sweep removes the rooms that were not done when their process ended, and names them.
func Sweep(parent string, back GiveBack) (removed []string, err error) {
	err = each(parent, func(root *os.Root, name string) error {
		note, err := read(root, name)
		if err != nil || !note.Ended.IsZero() {
			return nil
		}
		lease, err := root.OpenFile(filepath.Join(name, leaseFile), os.O_RDWR, 0)
		if err != nil {
			return nil // it is no room
		}
		defer lease.Close()
		if free, err := disk.TryLock(lease); !free || err != nil {
			return nil // its process lives, or nobody can tell
		}
		if err := clear(root, name, note, back); err != nil {
			return err
		}
		removed = append(removed, filepath.Join(parent, name))
		return nil
	})
	return removed, err
}

// each calls do with what may be a room in a directory, as far as the name tells.
func each(parent string, do func(root *os.Root, name string) error) error {
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the scratch places: %w", err)
	}
	root, err := os.OpenRoot(parent)
	if err != nil {
		return fmt.Errorf("look at the scratch places: %w", err)
	}
	defer root.Close()
	for _, e := range entries {
		if e.IsDir() && ours.MatchString(e.Name()) {
			err = errors.Join(err, do(root, e.Name()))
		}
	}
	return err
}

// read reads the note of a room. What is no folder of ours is no room, nor what leads elsewhere.
func read(root *os.Root, name string) (note Note, err error) {
	info, err := root.Lstat(name)
	if err != nil || !info.IsDir() {
		return note, ErrNone
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return note, ErrNone
	}
	path := filepath.Join(name, noteFile)
	if info, err = root.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() > mostNote {
		return note, ErrNone
	}
	text, err := root.ReadFile(path)
	if err == nil {
		note, err = parse(text)
	}
	return note, err
}

// parse reads a note.
func parse(text []byte) (note Note, err error) {
	if err := json.Unmarshal(text, &note); err != nil {
		return Note{}, fmt.Errorf("read the note of a scratch place: %w", err)
	}
	if note.Snapshot == "" || note.Began.IsZero() {
		return Note{}, fmt.Errorf("read the note of a scratch place: %w", ErrNone)
	}
	return note, nil
}

// clear removes a room, though modes of folders in it forbid that. The note goes last, so that what
// is left is still known.
func clear(root *os.Root, name string, note Note, back GiveBack) error {
	for _, d := range note.Databases {
		if err := back(d); err != nil {
			return fmt.Errorf("drop the database %s of the scratch place %s: %w", d.Name, name, err)
		}
	}
	inside := filepath.Join(name, content)
	err := root.RemoveAll(inside)
	if errors.Is(err, fs.ErrPermission) {
		open(root, inside)
		err = root.RemoveAll(inside)
	}
	if err == nil {
		err = root.RemoveAll(name)
	}
	if err != nil {
		return fmt.Errorf("remove the scratch place %s: %w", name, err)
	}
	return nil
}

// open lets us into all folders below one.
func open(root *os.Root, dir string) {
	info, err := root.Lstat(dir)
	if err != nil || !info.IsDir() {
		return
	}
	_ = root.Chmod(dir, 0o700) // what it does not help, the removal tells
	folder, err := root.Open(dir)
	if err != nil {
		return
	}
	entries, _ := folder.ReadDir(-1)
	folder.Close()
	for _, e := range entries {
		if e.IsDir() {
			open(root, filepath.Join(dir, e.Name()))
		}
	}
}
