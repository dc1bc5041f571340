package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	pkg "github.com/pkg/sftp"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/source"
)

// file is a file being read. What counts is its size when it was opened.
type file struct {
	source *Source
	ctx    context.Context
	path   string
	reader *sftp.Reader
}

// Open opens a file. ctx is for all of the reading. A connection that breaks meanwhile is replaced.
func (s *Source) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := s.file(ctx, e.Path)
	if err != nil {
		return nil, err
	}
	r, err := s.server.Open(ctx, path)
	if err != nil {
		return nil, source.FromRemote(err)
	}
	if types[r.Begun().Mode&0o170000] != entry.File {
		r.Close()
		return nil, fmt.Errorf("%s on %s is no longer a regular file: %w", path, s.server.Host(), source.ErrVanished)
	}
	return &file{s, ctx, path, r}, nil
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	n, err := f.reader.Read(p)
	return n, f.failed(err)
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.reader.ReadAt(p, offset)
	return n, f.failed(err)
}

func (f *file) failed(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, sftp.ErrReplaced):
		return fmt.Errorf("%w: %w", source.ErrChanged, err)
	}
	return source.FromRemote(err)
}

// Finish looks at the file again: it must be as it was when it was opened. One that is younger than the options say may be being
// written, and is given time to show it.
func (f *file) Finish(e *entry.Entry) error {
	begun := f.reader.Begun()
	is := *e
	describe(begun, &is)
	if is.ModTime != e.ModTime || is.Size != e.Size || is.Mode != e.Mode {
		is.Identity = freshMark + strconv.FormatInt(time.Now().UnixNano(), 10)
	}
	*e = is
	if err := f.settle(e.Identity); err != nil {
		return err
	}
	now, named, err := f.reader.Now()
	if err != nil {
		return f.failed(err)
	}
	if same(begun, now) && same(begun, named) && f.reader.Offset() == int64(begun.Size) {
		return nil
	}
	e.Size = f.reader.Offset()
	e.Identity = freshMark + strconv.FormatInt(time.Now().UnixNano(), 10)
	return fmt.Errorf("%s on %s: %w", f.path, f.source.server.Host(), source.ErrChanged)
}

func same(a, b *pkg.FileStat) bool { return a.Size == b.Size && a.Mtime == b.Mtime }

// settle waits until some time after a fresh file was listed.
func (f *file) settle(identity string) error {
	seen, fresh := strings.CutPrefix(identity, freshMark)
	if !fresh {
		return nil
	}
	ns, err := strconv.ParseInt(seen, 10, 64)
	if err != nil {
		ns = time.Now().UnixNano()
	}
	wait := f.source.options.Settle - time.Since(time.Unix(0, ns))
	if wait <= 0 {
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

// Close closes the file.
func (f *file) Close() error { return f.reader.Close() }
