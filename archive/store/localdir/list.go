package localdir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/packstone/packstone/archive/store"
)

// List implements store.Store. In memory it holds the entries of one directory on each level. It
// follows links to files and directories, so that a part of the repository may lie on another disk.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		w := &walk{ctx: ctx, store: s, prefix: prefix, after: after, yield: yield}
		if err := w.begin(); err != nil && !errors.Is(err, errStop) {
			yield(store.Info{}, fmt.Errorf("list %q: %w", prefix, translate(err)))
		}
	}
}

// errStop ends a walk whose consumer wants no more.
var errStop = errors.New("stop")

type walk struct {
	ctx           context.Context
	store         *Store
	prefix, after string
	yield         func(store.Info, error) bool
}

// begin starts at the deepest directory that holds all names with the prefix.
func (w *walk) begin() error {
	if _, err := os.Stat(w.store.root); err != nil {
		return err // a repository that is gone must never look like an empty one
	}
	dir, _ := path.Split(w.prefix)
	if dir == "" {
		return w.dir("")
	}
	if !store.ValidName(strings.TrimSuffix(dir, "/")) || !w.wants(dir) {
		return w.ctx.Err()
	}
	return w.dir(dir)
}

// wants reports whether a name that starts with dir (which ends in a slash) can be part of the
// listing.
func (w *walk) wants(dir string) bool {
	if !strings.HasPrefix(dir, w.prefix) && !strings.HasPrefix(w.prefix, dir) {
		return false
	}
	return dir > w.after || strings.HasPrefix(w.after, dir)
}

// dir lists a directory, given as "" or with its final slash.
func (w *walk) dir(dir string) error {
	entries, err := w.entries(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.entry(dir+e.key, e); err != nil {
			return err
		}
	}
	return w.ctx.Err()
}

func (w *walk) entry(name string, e entry) error {
	if strings.HasSuffix(name, "/") {
		if !w.wants(name) {
			return nil
		}
		return w.dir(name)
	}
	if name <= w.after || !strings.HasPrefix(name, w.prefix) {
		return nil
	}
	info, err := w.stat(name, e)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if !w.yield(store.Info{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil) {
		return errStop
	}
	return nil
}

func (w *walk) stat(name string, e entry) (fs.FileInfo, error) {
	if e.Type()&fs.ModeSymlink != 0 {
		return os.Stat(w.store.path(name))
	}
	return e.Info()
}

// entry is a directory entry. key is its part of object names: the entry's name, followed by a
// slash if it is a directory. A walk sorted by it yields whole names in bytewise order: "a-b"
// before "a/b" before "a0".
type entry struct {
	fs.DirEntry
	key string
}

// entries reads a directory, and leaves out what cannot be part of a name.
func (w *walk) entries(dir string) ([]entry, error) {
	list, err := os.ReadDir(w.store.path(dir))
	if dir != "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(list))
	for _, e := range list {
		if !store.ValidName(dir + e.Name()) {
			continue
		}
		key := e.Name()
		if w.isDir(dir+key, e) {
			key += "/"
		}
		entries = append(entries, entry{e, key})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	return entries, nil
}

func (w *walk) isDir(name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(w.store.path(name))
	return err == nil && info.IsDir()
}
