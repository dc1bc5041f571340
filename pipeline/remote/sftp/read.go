package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pkg/sftp"
)

// ErrReplaced: after a reconnection there is another file, or another version of it, under the path.
var ErrReplaced = errors.New("the file was replaced while it was read")

// Reader reads a file. When the connection breaks it goes on with another one, if the file is still the same by size and time.
// It is for one goroutine.
type Reader struct {
	server *Server
	ctx    context.Context
	path   string
	conn   *Conn
	file   *sftp.File
	begun  *sftp.FileStat
	at     int64
}

// Open opens a file for reading. ctx is for all of the reading.
func (s *Server) Open(ctx context.Context, path string) (*Reader, error) {
	r := &Reader{server: s, ctx: ctx, path: path}
	return r, s.Do(ctx, "open", path, r.open)
}

func (r *Reader) open(c *Conn) error {
	file, err := c.Open(r.path)
	if err != nil {
		return err
	}
	is, err := statOf(file)
	if err == nil && r.begun != nil && (is.Size != r.begun.Size || is.Mtime != r.begun.Mtime) {
		err = ErrReplaced
	}
	if err != nil {
		file.Close()
		return err
	}
	if r.begun == nil {
		r.begun = is
	}
	r.conn, r.file = c, file
	return nil
}

func statOf(file *sftp.File) (*sftp.FileStat, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return attributes(info)
}

// attributes are what SFTP says in an os.FileInfo.
func attributes(info os.FileInfo) (*sftp.FileStat, error) {
	is, ok := info.Sys().(*sftp.FileStat)
	if !ok {
		return nil, fmt.Errorf("%s: no attributes", info.Name())
	}
	return is, nil
}

// Begun is what the server said of the file when it was opened.
func (r *Reader) Begun() *sftp.FileStat { return r.begun }

// Offset is how far the file was read.
func (r *Reader) Offset() int64 { return r.at }

// Read implements io.Reader, up to the size that the file had when it was opened. A large p is filled by several requests at once.
func (r *Reader) Read(p []byte) (int, error) {
	p = p[:min(int64(len(p)), int64(r.begun.Size)-r.at)]
	if len(p) == 0 {
		if r.at >= int64(r.begun.Size) {
			return 0, io.EOF
		}
		return 0, nil
	}
	n, err := r.ReadAt(p, r.at)
	r.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, offset int64) (int, error) {
	var n int
	ended := false
	err := r.again("read", func() error {
		var err error
		n, err = r.file.ReadAt(p, offset)
		if ended = err == io.EOF; ended {
			return nil
		}
		return err
	})
	if err == nil && ended {
		err = io.EOF
	}
	return n, err
}

// Now asks what the server says of the file now: of the one that is open, and of the path.
func (r *Reader) Now() (open, named *sftp.FileStat, err error) {
	err = r.again("look at", func() error {
		var err error
		if open, err = statOf(r.file); err != nil {
			return err
		}
		info, err := r.conn.Stat(r.path)
		if err != nil {
			return err
		}
		named, err = attributes(info)
		return err
	})
	return open, named, err
}

// again calls f, and with another connection while they break.
func (r *Reader) again(act string, f func() error) error {
	var err error
	for range attempts {
		if err = r.ctx.Err(); err != nil {
			return context.Cause(r.ctx)
		}
		if err = f(); !IsBroken(err) {
			return r.server.translate(act, r.path, err)
		}
		r.server.Drop(r.conn)
		if err := r.server.Do(r.ctx, "open", r.path, r.open); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s %s: %w: %s breaks the connection again and again: %w", act, r.path, ErrUnreachable, r.server.options.Host, err)
}

// Close closes the file.
func (r *Reader) Close() error {
	if r.file != nil {
		_ = r.file.Close() // nothing was written
		r.file = nil
	}
	return nil
}
