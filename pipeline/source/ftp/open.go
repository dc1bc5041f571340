package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/source"
)

// file is a file being read.
type file struct {
	source *Source
	ctx    context.Context
	path   string
	reader *ftp.Reader
}

// Open opens a file. ctx is for all of the reading. A connection that breaks meanwhile is replaced.
func (s *Source) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := s.absolute(ctx, e.Path)
	if err != nil {
		return nil, err
	}
	r, err := s.server.Open(ctx, path, 0)
	if err != nil {
		return nil, source.FromRemote(err)
	}
	return &file{s, ctx, path, r}, nil
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	n, err := f.reader.Read(p)
	if err == io.EOF {
		return n, err
	}
	return n, source.FromRemote(err)
}

// Finish looks at the file again: it must still be the version that was listed and have as many bytes as were read. One that is
// younger than the options say may be being written, and is given time to show it.
func (f *file) Finish(e *entry.Entry) error {
	listed, seen := splitIdentity(e.Identity)
	if err := f.settle(seen); err != nil {
		return err
	}
	at, now := time.Now(), ftp.Entry{}
	err := f.source.server.Do(f.ctx, "look at", f.path, func(c *ftp.Conn) (err error) {
		now, err = f.look(c)
		return err
	})
	read := f.reader.Offset()
	switch {
	case errors.Is(err, ftp.ErrUnsupported): // it knows nothing but listings
		now.Size = e.Size
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return source.FromRemote(err)
	}
	same := now.Size == read && e.Size == read && (now.Modify.IsZero() || version(&now) == listed)
	if same && (err == nil || errors.Is(err, ftp.ErrUnsupported)) {
		return nil
	}
	f.bring(e, &now, at)
	return fmt.Errorf("%s on %s: %w", f.path, f.source.server.Host(), source.ErrChanged)
}

// settle waits until some time after a fresh file was listed.
func (f *file) settle(seen time.Time) error {
	wait := f.source.options.Settle - time.Since(seen)
	if seen.IsZero() || wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}

// look asks for the facts of now. Where their size is not what was read, it may be that of a link: SIZE follows it.
func (f *file) look(c *ftp.Conn) (ftp.Entry, error) {
	facts, err := c.Look(f.path)
	if err != nil || facts.Size == f.reader.Offset() || !c.Features().MLST || !c.Features().Size {
		return facts, err
	}
	size, err := c.Size(f.path)
	if err == nil && size == f.reader.Offset() {
		facts.Size = size
	}
	return facts, err
}

// bring makes e what was read of a file that changed: no later version has its identity.
func (f *file) bring(e *entry.Entry, now *ftp.Entry, at time.Time) {
	e.Size = f.reader.Offset()
	if !now.Modify.IsZero() {
		e.ModTime = entry.TimeOf(now.Modify)
	}
	e.Identity = version(now) + freshMark + strconv.FormatInt(at.UnixNano(), 10)
}

// Close ends the reading.
func (f *file) Close() error { return f.reader.Close() }
