package sftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/pkg/sftp"

	"github.com/packstone/packstone/archive/store"
)

// ahead is how many directories are listed before they are needed.
const ahead = 16

// List implements store.Store. In memory it holds the entries of one directory on each level, and
// of the directories that are listed ahead. It follows links to files and directories, so that a
// part of the repository may lie on another disk.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		w := &walk{ctx: inner, store: s, prefix: prefix, after: after, yield: yield}
		err := w.begin()
		cancel()
		w.asking.Wait()
		switch {
		case err == nil, errors.Is(err, errStop):
		case ctx.Err() != nil:
			yield(store.Info{}, fmt.Errorf("list %q: %w", prefix, ctx.Err()))
		default:
			yield(store.Info{}, fmt.Errorf("list %q: %w", prefix, err))
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
	asking        sync.WaitGroup
}

// begin starts at the deepest directory that holds all names with the prefix.
func (w *walk) begin() error {
	dir, _ := path.Split(w.prefix)
	if dir != "" && (!store.ValidName(strings.TrimSuffix(dir, "/")) || !w.wants(dir)) {
		return w.ctx.Err()
	}
	seen := false
	err := w.dir(dir, func() ([]entry, error) {
		entries, err := w.entries(dir)
		seen = len(entries) > 0
		return entries, err
	})
	if err != nil || seen || w.store.options.Create {
		return err
	}
	// A repository that is gone must never look like an empty one.
	return w.store.do(w.ctx, "look at", w.store.path("."), func(c *sftp.Client) error {
		_, err := c.Stat(w.store.path("."))
		return err
	})
}

// wants reports whether a name that starts with dir (which ends in a slash) can be part of the
// listing.
func (w *walk) wants(dir string) bool {
	if !strings.HasPrefix(dir, w.prefix) && !strings.HasPrefix(w.prefix, dir) {
		return false
	}
	return dir > w.after || strings.HasPrefix(w.after, dir)
}

// dir lists a directory, given as "" or with its final slash. found waits for its entries.
func (w *walk) dir(dir string, found func() ([]entry, error)) error {
	entries, err := found()
	if err != nil {
		return err
	}
	below := w.ask(dir, entries)
	for _, e := range entries {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		name := dir + e.key
		switch {
		case !e.dir && name > w.after && strings.HasPrefix(name, w.prefix):
			if !w.yield(store.Info{Name: name, Size: e.info.Size(), Modified: e.info.ModTime()}, nil) {
				return errStop
			}
		case e.dir && w.wants(name):
			if err := w.dir(name, below()); err != nil {
				return err
			}
		}
	}
	return w.ctx.Err()
}

// ask lists the wanted directories among entries, some of them ahead. Each call of next is for the
// next directory, and returns a function that waits for its entries.
func (w *walk) ask(dir string, entries []entry) (next func() func() ([]entry, error)) {
	var names []string
	for _, e := range entries {
		if e.dir && w.wants(dir+e.key) {
			names = append(names, dir+e.key)
		}
	}
	var asked []func() ([]entry, error)
	return func() func() ([]entry, error) {
		for len(names) > 0 && len(asked) < ahead {
			asked = append(asked, w.begun(names[0]))
			names = names[1:]
		}
		first := asked[0]
		asked = asked[1:]
		return first
	}
}

// begun asks for the entries of a directory, and returns a function that waits for the answer.
func (w *walk) begun(dir string) func() ([]entry, error) {
	var entries []entry
	var err error
	done := make(chan struct{})
	w.asking.Go(func() {
		defer close(done)
		entries, err = w.entries(dir)
	})
	return func() ([]entry, error) {
		<-done
		return entries, err
	}
}

// entry is a directory entry. key is its part of object names: the entry's name, followed by a
// slash if it is a directory. A walk sorted by it yields whole names in bytewise order: "a-b"
// before "a/b" before "a0".
type entry struct {
	info os.FileInfo
	key  string
	dir  bool
}

// entries reads a directory, and leaves out what cannot be part of a name. A missing directory has
// no entries.
func (w *walk) entries(dir string) ([]entry, error) {
	var entries []entry
	err := w.store.do(w.ctx, "list", w.store.path(dir), func(c *sftp.Client) error {
		list, err := c.ReadDirContext(w.ctx, w.store.path(dir))
		if err != nil {
			return w.store.orAbsent(c, path.Join(dir, "any"), err) // in what is a file is nothing
		}
		entries = w.named(c, dir, list)
		return nil
	})
	if errors.Is(err, store.ErrNotExist) {
		return nil, nil
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	return entries, err
}

// named returns entries for the files and directories in list, and for links to them, that have
// valid names.
func (w *walk) named(c *sftp.Client, dir string, list []os.FileInfo) []entry {
	entries := make([]entry, 0, len(list))
	for _, info := range list {
		if !store.ValidName(dir + info.Name()) {
			continue
		}
		e := entry{info: info, key: info.Name()}
		if info.Mode()&os.ModeSymlink != 0 {
			there, err := c.Stat(w.store.path(dir + info.Name()))
			if err != nil {
				continue
			}
			e.info = there
		}
		switch {
		case e.info.IsDir():
			e.key, e.dir = e.key+"/", true
		case !e.info.Mode().IsRegular():
			continue
		}
		entries = append(entries, e)
	}
	return entries
}
