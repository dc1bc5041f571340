package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/source"
)

// run performs t: it lists the directory if that is still to be done, and examines a block of
// names.
func (s *Source) run(ctx context.Context, w *walk, t *block) {
	f := t.folder
	dir, err := s.enter(ctx, t)
	if err != nil {
		t.err = s.deny(err, true)
		return
	}
	defer dir.Release()
	s.devices.learn(f.device, dir.FD)
	to := min(t.from+blockSize, f.listing.Len())
	if to < f.listing.Len() {
		t.next = w.add(f, to, joinPath(f.path, string(f.listing.Name(to))))
	}
	t.items = make([]item, 0, to-t.from)
	for at := t.from; at < to; at += slab {
		s.examine(ctx, w, t, dir, at, min(at+slab, to))
	}
}

// enter opens the directory of t, and lists it if that is still to be done.
func (s *Source) enter(ctx context.Context, t *block) (*local.Dir, error) {
	f := t.folder
	var dir *local.Dir
	err := s.again(ctx, f.path, func() (err error) {
		if err := s.injected("list", f.path); err != nil {
			return err
		}
		if dir, err = s.tree.Open(f.path); err != nil || t.from > 0 {
			return err
		}
		if err := s.list(dir, f); err != nil {
			dir.Release()
			return err
		}
		return nil
	})
	return dir, err
}

// list reads the names in a directory and removes the excluded ones.
func (s *Source) list(dir *local.Dir, f *folder) error {
	if !f.all {
		for _, name := range f.branch.names() {
			if err := f.listing.Add([]byte(name), local.KindUnknown); err != nil {
				return err
			}
		}
		return nil
	}
	if err := dir.List(&f.listing); err != nil {
		return err
	}
	f.empty = f.listing.Len() == 0
	if !f.empty && f.branch != nil && f.branch.root {
		if r := s.rootAt(f.path); r != nil {
			r.filled.Store(true)
		}
	}
	if mark := s.marker(dir, &f.listing); mark != "" {
		f.marked = true
		f.listing.Filter(func(name []byte, _ local.Kind) bool { return string(name) == mark })
	}
	if s.exclude.Any() {
		excluded := s.excludedFrom(f.path)
		f.listing.Filter(func(name []byte, kind local.Kind) bool {
			return !excluded.Match(string(name), kind == local.KindDirectory)
		})
	}
	f.listing.Sort()
	f.weight = f.listing.Bytes() / 256 // an entry takes about as much
	return nil
}

// slab is the number of entries allocated together with their paths. Keeping one keeps all.
const slab = 16

// examine examines the names in [from, to).
func (s *Source) examine(ctx context.Context, w *walk, t *block, dir *local.Dir, from, to int) {
	f := t.folder
	paths := newPaths(f, from, to)
	entries := make([]entry.Entry, to-from)
	for i := from; i < to; i++ {
		e := &entries[i-from]
		e.Path = paths.next(len(f.listing.Name(i)))
		named := f.branch.child(string(f.listing.Name(i)))
		var st local.Stat
		if err := s.stat(ctx, dir, f, i, named, &st); err != nil {
			t.items = append(t.items, s.failed(e, named, err))
			continue
		}
		if s.isApart(&st, e.Path) {
			t.items = append(t.items, item{entry: e, left: entry.Excluded})
			continue
		}
		s.describe(&st, e)
		if s.isTooLarge(e) {
			t.items = append(t.items, item{entry: e, left: entry.Excluded})
			continue
		}
		if s.leftOut(f, i, e) {
			continue
		}
		found := item{entry: e}
		if named != nil && named.root {
			found = s.examineNamed(ctx, e)
		}
		if e.Type == entry.Directory {
			found.below = s.below(w, f, e, uint64(st.Dev), named)
		}
		t.items = append(t.items, found)
	}
}

// stat examines the name at i. After a passing failure it opens the directory anew.
func (s *Source) stat(ctx context.Context, dir *local.Dir, f *folder, i int, named *branch, st *local.Stat) error {
	err := s.statOnce(dir, f, i, named, st)
	if !passing(err) {
		return s.explain(translate(err))
	}
	return s.again(ctx, f.path, func() error {
		dir, err := s.tree.Open(f.path)
		if err != nil {
			return err
		}
		defer dir.Release()
		return s.statOnce(dir, f, i, named, st)
	})
}

func (s *Source) statOnce(dir *local.Dir, f *folder, i int, named *branch, st *local.Stat) error {
	if s.inject != nil {
		if err := s.injected("stat", joinPath(f.path, string(f.listing.Name(i)))); err != nil {
			return err
		}
	}
	if named != nil && named.follow {
		return dir.Stat(string(f.listing.Name(i)), true, st)
	}
	return dir.StatListed(&f.listing, i, st)
}

func (s *Source) failed(e *entry.Entry, named *branch, err error) item {
	err = &fs.PathError{Op: "stat", Path: s.file(e.Path), Err: err}
	if named != nil {
		return item{entry: e, err: rootError(s.file(e.Path), err), fatal: true}
	}
	return item{entry: e, err: err, fatal: errors.Is(err, source.ErrUnreachable)}
}

// examineNamed examines an entry that the user has named: if it cannot be read, that is an error of
// the whole source.
func (s *Source) examineNamed(ctx context.Context, e *entry.Entry) item {
	s.remember(e)
	switch e.Type {
	case entry.File:
	case entry.Socket:
		return item{entry: e, fatal: true, err: fmt.Errorf("cannot back up %s: it is a socket, which has no content", s.file(e.Path))}
	default:
		return item{entry: e}
	}
	f, err := s.Open(ctx, e)
	if err != nil {
		return item{entry: e, err: err, fatal: true}
	}
	f.Close()
	return item{entry: e}
}

func (s *Source) isTooLarge(e *entry.Entry) bool {
	limit := s.options.ExcludeLargerThan
	return limit > 0 && e.Type == entry.File && e.Size > limit
}

// leftOut reports whether a pattern excludes an entry after it was examined.
func (s *Source) leftOut(f *folder, i int, e *entry.Entry) bool {
	if f.listing.Kind(i) != local.KindUnknown || !f.all || !s.exclude.Directories() {
		return false
	}
	return s.excludedFrom(f.path).Match(string(f.listing.Name(i)), e.Type == entry.Directory)
}

// below queues the walk of a directory found, unless it is to stay empty.
func (s *Source) below(w *walk, f *folder, e *entry.Entry, device uint64, named *branch) *task {
	inside := &folder{path: e.Path, device: device, branch: named, all: f.all || named != nil && named.root}
	crossed := f.all && device != f.device
	if crossed && s.options.OneFileSystem && (named == nil || !named.root) {
		e.Unknown = entry.OtherFileSystem
		if named == nil {
			return nil
		}
		inside.all = false
	}
	return w.add(inside, 0, e.Path)
}

// paths allocates the paths of several entries as parts of one string.
type paths struct {
	text string
	dir  int
	at   int
}

func newPaths(f *folder, from, to int) *paths {
	p := &paths{dir: len(f.path)}
	if p.dir > 0 {
		p.dir++
	}
	size := 0
	for i := from; i < to; i++ {
		size += p.dir + len(f.listing.Name(i))
	}
	text := make([]byte, 0, size)
	for i := from; i < to; i++ {
		if p.dir > 0 {
			text = append(append(text, f.path...), '/')
		}
		text = append(text, f.listing.Name(i)...)
	}
	p.text = string(text)
	return p
}

func (p *paths) next(name int) string {
	start := p.at
	p.at += p.dir + name
	return p.text[start:p.at]
}
