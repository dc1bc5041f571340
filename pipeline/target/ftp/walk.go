package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/walk"
	"github.com/packstone/packstone/pipeline/target"
)

// Walk visits what is there with what a listing tells. Temporary files that a killed run has left are removed on the way: FTP
// has no locks, so two restores to one place at once take each other's for such.
func (t *Target) Walk(ctx context.Context, in target.Scope, v target.Visitor) error {
	list := func(ctx context.Context, dir string) (walk.Listing, error) { return t.list(ctx, in, dir) }
	err := walk.Tree(ctx, walk.Options{Parallel: t.server.Connections(), List: list, Visit: v.Visit, Problem: target.Unlisted(v)})
	if errors.Is(err, errNoRoot) {
		return nil
	}
	return err
}

var errNoRoot = fmt.Errorf("the target's root: %w", fs.ErrNotExist)

func (t *Target) list(ctx context.Context, in target.Scope, dir string) (walk.Listing, error) {
	var l walk.Listing
	err := t.do(ctx, "list", dir, func(c *ftp.Conn, file string) error {
		found, err := c.ListAll(file)
		if err != nil && dir == "" && !ftp.IsBroken(err) {
			if is, looked := c.IsDirectory(file); looked == nil && !is {
				return errNoRoot
			}
		}
		if err != nil {
			return err
		}
		l, err = t.take(c, in, dir, file, found)
		return err
	})
	return l, err
}

// take makes entries of a listing and sweeps leftovers out.
func (t *Target) take(c *ftp.Conn, in target.Scope, dir, file string, found ftp.Listing) (walk.Listing, error) {
	var l walk.Listing
	for _, err := range found.Problems {
		l.Problems = append(l.Problems, walk.Problem{Path: dir, Err: err})
	}
	for i := range found.Entries {
		f := &found.Entries[i]
		if is, others := t.names.Is(f.Name); is {
			if others && !t.options.ReadOnly {
				if err := c.Delete(ftp.Join(file, f.Name)); ftp.IsBroken(err) {
					return l, err
				}
			}
			continue
		}
		e := describe(f)
		if dir != "" {
			e.Path = dir + "/" + e.Path
		}
		if !in.Means(e.Path) {
			continue
		}
		l.Items = append(l.Items, walk.Item{Entry: e, Key: f.Unique})
	}
	return l, nil
}

func describe(f *ftp.Entry) *entry.Entry {
	e := f.Describe()
	if e.Type == 0 {
		e.Type = entry.Fifo // of what it is FTP tells only that it is no file
	}
	return &e
}

// content is a file opened to compare it.
type content struct {
	server *ftp.Server
	ctx    context.Context
	path   string
	reader *ftp.Reader
}

// Open opens a file; nil where there is none. It is read best from start to end: going elsewhere begins a new transfer.
func (t *Target) Open(ctx context.Context, below string) (target.ReadAtCloser, error) {
	if below == "" {
		return nil, nil
	}
	c := &content{server: t.server, ctx: ctx}
	err := t.do(ctx, "open", below, func(conn *ftp.Conn, file string) error {
		c.path = file
		facts, err := conn.Look(file)
		if err == nil && facts.Kind != ftp.File {
			return fs.ErrNotExist
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, target.ErrUnsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ReadAt implements io.ReaderAt.
func (c *content) ReadAt(p []byte, offset int64) (int, error) {
	if c.reader == nil || c.reader.Offset() != offset {
		if err := c.Close(); err != nil {
			return 0, err
		}
		r, err := c.server.Open(c.ctx, c.path, offset)
		if err != nil {
			return 0, translate(fmt.Errorf("at %d: %w", offset, err))
		}
		c.reader = r
	}
	n, err := io.ReadFull(c.reader, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	if err != nil && err != io.EOF {
		err = translate(err)
	}
	return n, err
}

// Close ends the transfer.
func (c *content) Close() error {
	if c.reader == nil {
		return nil
	}
	err := c.reader.Close()
	c.reader = nil
	return err
}
