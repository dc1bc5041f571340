package target

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
)

// In returns a target for one folder in another target. The folder need not exist. If something
// other than a directory has the name, even a symbolic link to one, In fails with ErrPath: a user
// has named the other target, but the folder's name comes from a snapshot. With an empty name it is
// the other target itself.
func In(ctx context.Context, name string, to Target) (Target, error) {
	if name == "" {
		return to, nil
	}
	if err := CheckPath(name); err != nil {
		return nil, err
	}
	f := &folder{to: to, name: name}
	return f, f.look(ctx)
}

// folder is a target below the root of another one.
type folder struct {
	to    Target
	name  string
	there bool // when it was opened

	made    sync.Once // unless the snapshot has an entry for it
	makeErr error
}

// errSeen ends a walk that has found what it was for.
var errSeen = errors.New("seen")

// look finds out what has the folder's name.
func (f *folder) look(ctx context.Context) error {
	in := func(path string) bool { return path == f.name }
	err := f.to.Walk(ctx, in, Entries(func(e *entry.Entry) error {
		f.there = true
		if err := f.isDirectory(e); err != nil {
			return err
		}
		return errSeen
	}))
	if errors.Is(err, errSeen) {
		return nil
	}
	return err
}

func (f *folder) isDirectory(e *entry.Entry) error {
	switch e.Type {
	case entry.Directory:
		return nil
	case entry.Symlink:
		return fmt.Errorf("%s is a symbolic link (to %s), which a restore does not follow: remove it: %w", e.Path, e.Target, ErrPath)
	}
	return fmt.Errorf("%s is in the way of a directory of that name: remove it: %w", e.Path, ErrPath)
}

// Traits implements Target.
func (f *folder) Traits() Traits { return f.to.Traits() }

// path returns a path of the folder in the other target.
func (f *folder) path(path string) string {
	if path == "" {
		return f.name
	}
	return f.name + "/" + path
}

func (f *folder) entry(e *entry.Entry) *entry.Entry {
	moved := *e
	moved.Path = f.path(e.Path)
	return &moved
}

// inFolder is a visitor of what lies in a folder.
type inFolder struct {
	*folder
	v Visitor
}

// Visit implements Visitor.
func (i *inFolder) Visit(e *entry.Entry) error {
	if e.Path == i.name {
		return i.isDirectory(e)
	}
	e.Path = strings.TrimPrefix(e.Path, i.name+"/")
	return i.v.Visit(e)
}

// Remark implements Visitor.
func (i *inFolder) Remark(path string, what error) {
	switch {
	case path != i.name:
		i.v.Remark(strings.TrimPrefix(path, i.name+"/"), what)
	case !errors.Is(what, ErrMount): // whoever mounts something as a target means it
		i.v.Remark("", what)
	}
}

// Walk implements Target.
func (f *folder) Walk(ctx context.Context, in Scope, v Visitor) error {
	scope := func(path string) bool {
		rest, inside := strings.CutPrefix(path, f.name+"/")
		return path == f.name || inside && in.Means(rest)
	}
	return f.to.Walk(ctx, scope, &inFolder{f, v})
}

// Accepts implements Target.
func (f *folder) Accepts(e *entry.Entry) error { return f.to.Accepts(f.entry(e)) }

// begin makes the folder if the snapshot has no entry for it.
func (f *folder) begin(ctx context.Context) error {
	f.made.Do(func() {
		if f.there {
			return
		}
		e := &entry.Entry{Path: f.name, Type: entry.Directory, Mode: 0o755}
		if f.makeErr = f.to.Make(ctx, e); f.makeErr == nil {
			f.makeErr = f.to.Finish(ctx, e)
		}
	})
	return f.makeErr
}

// Make implements Target.
func (f *folder) Make(ctx context.Context, e *entry.Entry) error {
	if e.Path == "" {
		f.made.Do(func() {})
	} else if err := f.begin(ctx); err != nil {
		return err
	}
	return f.to.Make(ctx, f.entry(e))
}

// Link implements Target.
func (f *folder) Link(ctx context.Context, e *entry.Entry, existing string) error {
	return f.to.Link(ctx, f.entry(e), f.path(existing))
}

// Create implements Target.
func (f *folder) Create(ctx context.Context, e *entry.Entry) (File, error) {
	if e.Path == "" {
		return nil, fmt.Errorf("create a file in place of the target's root: %w", ErrPath)
	}
	if err := f.begin(ctx); err != nil {
		return nil, err
	}
	return f.to.Create(ctx, f.entry(e))
}

// Open implements Target.
func (f *folder) Open(ctx context.Context, path string) (ReadAtCloser, error) {
	return f.to.Open(ctx, f.path(path))
}

// Finish implements Target.
func (f *folder) Finish(ctx context.Context, e *entry.Entry) error {
	return f.to.Finish(ctx, f.entry(e))
}

// Finished implements Looker.
func (f *folder) Finished(there, e *entry.Entry) bool {
	return Finished(f.to, f.entry(there), f.entry(e))
}

// Remove implements Target.
func (f *folder) Remove(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) error {
	return removeMoved(ctx, f.to, all, func(e *entry.Entry) (*entry.Entry, error) {
		if e.Path == "" {
			return nil, fmt.Errorf("remove the target's root: %w", ErrPath)
		}
		return f.entry(e), nil
	}, failed)
}

// Close implements Target.
func (f *folder) Close(ctx context.Context) error { return f.to.Close(ctx) }
