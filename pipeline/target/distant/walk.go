package distant

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/walk"
	"github.com/packstone/packstone/pipeline/target"
)

// Walk visits what exists, with what listings tell, and the targets of links. It removes temporary
// files of killed runs. The protocols have no locks, so two concurrent restores to one place remove
// each other's files.
func (t *Target) Walk(ctx context.Context, in target.Scope, v target.Visitor) error {
	list := func(ctx context.Context, dir string) (walk.Listing, error) { return t.list(ctx, in, dir) }
	err := walk.Tree(ctx, walk.Options{Parallel: t.protocol.Listers(), List: list, Visit: v.Visit, Problem: target.Unlisted(v)})
	if errors.Is(err, errNoRoot) {
		return nil
	}
	return err
}

var errNoRoot = fmt.Errorf("the target's root: %w", fs.ErrNotExist)

func (t *Target) list(ctx context.Context, in target.Scope, dir string) (walk.Listing, error) {
	var l walk.Listing
	err := t.do(ctx, "list", dir, func(c Conn, file string) (err error) {
		l, err = c.List(file)
		switch {
		case err == nil:
			return t.take(c, in, dir, file, &l)
		case dir == "" && (errors.Is(err, fs.ErrNotExist) || t.isAway(c, file, err)):
			return errNoRoot
		}
		return err
	})
	return l, err
}

// isAway reports whether a directory that could not be listed does not exist.
func (t *Target) isAway(c Conn, dir string, err error) bool {
	if t.protocol.IsBroken(err) {
		return false
	}
	is, looked := c.IsDirectory(dir, true)
	return looked == nil && !is
}

// take reduces a listing to what is in scope, and removes leftovers.
func (t *Target) take(c Conn, in target.Scope, dir, file string, l *walk.Listing) error {
	for i := range l.Problems {
		l.Problems[i].Path = dir
	}
	kept := l.Items[:0]
	for _, found := range l.Items {
		name := found.Entry.Path
		if name == "" || strings.ContainsAny(name, "/\x00") {
			continue
		}
		found.Entry.Path = strings.TrimPrefix(dir+"/"+name, "/")
		keep, err := t.takeOne(c, in, join(file, name), found.Entry)
		if err != nil {
			return err
		}
		if keep {
			kept = append(kept, found)
		}
	}
	l.Items = kept
	return nil
}

// takeOne reports whether to visit the entry at file, and reads the target of a link. It removes
// leftovers of another run.
func (t *Target) takeOne(c Conn, in target.Scope, file string, e *entry.Entry) (keep bool, err error) {
	leftover, others := t.names.Is(path.Base(file))
	switch {
	case leftover && others && !t.options.ReadOnly:
		err = c.Remove(file, false)
	case leftover, !in.Means(e.Path):
	case e.Type == entry.Symlink && e.Target == "":
		keep = true
		e.Target, err = c.ReadLink(file)
	default:
		keep = true
	}
	if !t.protocol.IsBroken(err) {
		err = nil
	}
	return keep, err
}

// content is a file opened for comparison.
type content struct{ target.ReadAtCloser }

// Open opens a file. It returns nil if there is none, or a link is in the way.
func (t *Target) Open(ctx context.Context, below string) (target.ReadAtCloser, error) {
	if err := target.CheckPath(below); err != nil || below == "" {
		return nil, err
	}
	var file string
	var is entry.Entry
	err := t.do(ctx, "open", below, func(c Conn, full string) error {
		file = full
		if err := c.CheckWay(file, below); err != nil {
			return err
		}
		var err error
		if is, err = c.Look(file); err == nil && is.Type != entry.File {
			err = fs.ErrNotExist
		}
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, target.ErrPath), errors.Is(err, target.ErrUnsupported):
		return nil, nil
	case err != nil:
		return nil, err
	}
	r, err := t.server.Open(ctx, file, &is)
	if err != nil {
		return nil, target.FromRemote(err)
	}
	return content{r}, nil
}

// ReadAt implements io.ReaderAt.
func (c content) ReadAt(p []byte, offset int64) (int, error) {
	n, err := c.ReadAtCloser.ReadAt(p, offset)
	return n, target.FromRemote(err)
}
