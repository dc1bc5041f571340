package sftp

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/walk"
	"github.com/packstone/packstone/pipeline/target"
)

// Walk visits what is there with what a listing tells, and where links lead to. Temporary files that a killed run has left are removed on the
// way: SFTP has no locks, so two restores to one place at once take each other's for such.
func (t *Target) Walk(ctx context.Context, in target.Scope, v target.Visitor) error {
	list := func(ctx context.Context, dir string) (walk.Listing, error) { return t.list(ctx, in, dir) }
	err := walk.Tree(ctx, walk.Options{Parallel: 16, List: list, Visit: v.Visit, Problem: target.Unlisted(v)})
	if errors.Is(err, errNoRoot) {
		return nil
	}
	return err
}

var errNoRoot = errors.New("the target's root is not there")

func (t *Target) list(ctx context.Context, in target.Scope, dir string) (walk.Listing, error) {
	var l walk.Listing
	err := t.do(ctx, "list", dir, func(c *sftp.Conn, file string) error {
		found, err := c.ReadDir(ctx, file)
		if dir == "" && errors.Is(err, fs.ErrNotExist) {
			return errNoRoot
		}
		if err != nil {
			return err
		}
		l, err = t.take(ctx, c, in, dir, file, found)
		return err
	})
	return l, err
}

// take makes entries of a listing and sweeps leftovers out.
func (t *Target) take(ctx context.Context, c *sftp.Conn, in target.Scope, dir, file string, found []sftp.Named) (walk.Listing, error) {
	var l walk.Listing
	for i := range found {
		name := found[i].Name
		if strings.ContainsAny(name, "/\x00") {
			continue
		}
		full := strings.TrimSuffix(file, "/") + "/" + name
		if is, others := t.names.Is(name); is {
			if others && !t.options.ReadOnly {
				if err := c.Remove(ctx, full); sftp.IsBroken(err) {
					return l, err
				}
			}
			continue
		}
		e := &entry.Entry{Path: path.Join(dir, name)}
		if !in.Means(e.Path) {
			continue
		}
		found[i].Describe(e)
		if e.Type == entry.Symlink {
			var err error
			if e.Target, err = c.ReadLink(ctx, full); sftp.IsBroken(err) {
				return l, err
			}
		}
		l.Items = append(l.Items, walk.Item{Entry: e})
	}
	return l, nil
}

// content is a file opened to compare it.
type content struct{ *sftp.Reader }

// Open opens a file; nil where there is none, be it that a link is in the way.
func (t *Target) Open(ctx context.Context, below string) (target.ReadAtCloser, error) {
	if below == "" {
		return nil, nil
	}
	var file string
	var is sftp.Attributes
	err := t.do(ctx, "open", below, func(c *sftp.Conn, full string) error {
		file = full
		if err := t.checkAbove(ctx, c, path.Dir(below)); err != nil {
			return err
		}
		var err error
		if is, err = c.Lstat(ctx, full); err == nil && !is.IsFile() {
			err = fs.ErrNotExist
		}
		return err
	})
	switch {
	case target.CheckPath(below) != nil:
		return nil, err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, target.ErrPath):
		return nil, nil
	case err != nil:
		return nil, err
	}
	r, err := t.server.Open(ctx, file, is)
	if err != nil {
		return nil, t.translate(ctx, err)
	}
	return &content{r}, nil
}

// ReadAt implements io.ReaderAt.
func (c *content) ReadAt(p []byte, offset int64) (int, error) {
	n, err := c.Reader.ReadAt(p, offset)
	return n, target.FromRemote(err)
}
