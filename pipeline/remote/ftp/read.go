package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/jlaffaye/ftp"
)

// Reader reads a file from start to end. After a broken connection it continues with another one at
// the same offset.
type Reader struct {
	server *Server
	ctx    context.Context
	path   string
	at     int64

	conn     *Conn
	transfer *ftp.Response
	release  func(error) error // ends the guard of conn
	tries    int               // since there was progress
	err      error

	look  bool // at the file, when it was read
	facts Entry
	asked error
}

// LookAfter makes the reader ask for the facts of the file as soon as all of it was read.
func (r *Reader) LookAfter() { r.look = true }

// Facts returns what the server said of the file when all of it was read, if LookAfter was called
// before.
func (r *Reader) Facts() (Entry, error) { return r.facts, r.asked }

// Open begins to read the file at an absolute path, from an offset. ctx governs all reading.
func (s *Server) Open(ctx context.Context, path string, offset int64) (*Reader, error) {
	if err := CheckName(path); err != nil {
		return nil, s.translate("open", path, err)
	}
	r := &Reader{server: s, ctx: ctx, path: path, at: offset}
	return r, r.begin()
}

// begin requests the rest of the file, again while connections break.
func (r *Reader) begin() error {
	for {
		c, err := r.server.pool.Acquire(r.ctx)
		if err != nil {
			return err
		}
		r.conn, r.release = c, c.guard(r.ctx)
		if err = r.retrieve(); err == nil {
			return nil
		}
		err = r.end(err)
		if !IsBroken(err) || r.ctx.Err() != nil {
			return r.server.translate("open", r.path, err)
		}
		if r.tries++; r.tries >= r.server.pool.Attempts() {
			return r.server.lost("read", r.path, err)
		}
	}
}

// retrieve starts the transfer at r.at. If a server without REST sends the whole file, it skips
// what is known.
func (r *Reader) retrieve() error {
	from := r.at
	if from > 0 && !r.conn.Features().Resume {
		from = 0
	}
	transfer, err := r.conn.RetrFrom(r.path, uint64(from))
	if code, text := reply(err); code == 550 && !mentions(text, notThere) && !mentions(text, denied) {
		return r.whyNot(err)
	}
	if err != nil {
		return err
	}
	r.transfer = transfer
	_, err = io.CopyN(io.Discard, transfer, r.at-from)
	return err
}

// whyNot checks whether a file that cannot be opened exists at all.
func (r *Reader) whyNot(refused error) error {
	_, err := r.conn.Look(r.path)
	if err == nil {
		return fmt.Errorf("%w: %w", fs.ErrPermission, refused)
	}
	if IsBroken(err) {
		return err
	}
	return fmt.Errorf("%w: %w", fs.ErrNotExist, refused)
}

// end releases the connection.
func (r *Reader) end(err error) error {
	if r.conn == nil {
		return err
	}
	err = r.release(err)
	r.server.pool.Release(r.conn, err)
	r.conn, r.transfer = nil, nil
	return err
}

// Read implements io.Reader. io.EOF says that the server has confirmed the end of the file.
func (r *Reader) Read(p []byte) (int, error) {
	for r.err == nil {
		n, err := r.transfer.Read(p)
		r.at += int64(n)
		if n > 0 {
			r.tries = 0
			return n, nil
		}
		if err == nil {
			return 0, nil
		}
		r.next(err)
	}
	return 0, r.err
}

// next ends the transfer, or begins it again if it was not complete.
func (r *Reader) next(err error) {
	ahead := r.askAhead(err)
	closed := r.transfer.Close()
	if err == io.EOF && closed == nil {
		r.lookAt(ahead)
		r.err = io.EOF
		return
	}
	if ahead != nil && !IsBroken(closed) {
		_, _ = ahead.answers() // so that they are not taken for others
	}
	if err == io.EOF {
		err = closed
	}
	if code, _ := reply(closed); code >= 500 {
		err = closed
	}
	err = r.end(err)
	switch {
	case r.ctx.Err() != nil:
		r.err = context.Cause(r.ctx)
	case !IsBroken(err):
		r.err = r.server.translate("read", r.path, err)
	case r.tries >= r.server.pool.Attempts():
		r.err = r.server.lost("read", r.path, err)
	default:
		r.tries++
		r.err = r.begin()
	}
}

// askAhead requests the facts of a file whose last byte has arrived. The answers then need not wait
// until the server has seen the end of the data connection. It returns nil if it requested nothing.
func (r *Reader) askAhead(end error) *inquiry {
	if end != io.EOF || !r.look || r.conn.lacks(early) {
		return nil
	}
	ahead := r.conn.inquiry(r.path, true)
	if ahead.ask() != nil {
		return nil // the connection is broken, which the end of the transfer tells
	}
	return ahead
}

// lookAt reads the answers to what askAhead has requested, or requests it now, and releases the
// connection.
func (r *Reader) lookAt(ahead *inquiry) {
	switch {
	case ahead != nil:
		r.facts, r.asked = ahead.answers()
		if errors.Is(r.asked, os.ErrDeadlineExceeded) {
			r.conn.notes(early)
		}
	case r.look:
		r.facts, r.asked = r.conn.Look(r.path)
	}
	r.end(r.asked)
	if r.asked != nil {
		r.asked = r.server.translate("look at", r.path, r.asked)
	}
}

// Offset returns how many bytes of the file were read.
func (r *Reader) Offset() int64 { return r.at }

// Close ends the transfer, even an incomplete one; then it ignores the server's complaint.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = fs.ErrClosed
	}
	if r.conn == nil {
		return nil
	}
	err := r.transfer.Close()
	if code, _ := reply(err); code == 0 && err != nil || r.conn.NoOp() != nil {
		r.end(errors.Join(errOurs, err))
		return nil
	}
	r.end(nil)
	return nil
}
