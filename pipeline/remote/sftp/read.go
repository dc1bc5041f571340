package sftp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Reader reads a file from start to end, in pieces. Each piece takes two round trips; later ones
// are fetched ahead, over several connections. A piece whose connection breaks is fetched again. A
// Reader is not safe for concurrent use.
type Reader struct {
	server *Server
	ctx    context.Context
	cancel context.CancelFunc
	path   string
	begun  Attributes // of before the first piece
	named  Attributes // of the path, after the last
	same   bool       // as far as was read, by what the server said of the open file
	at     int64      // as far as the caller has read
	next   int64      // as far as pieces are under way
	pieces []*piece
}

// piece is a part of the file, fetched or being fetched.
type piece struct {
	offset int64
	data   []byte
	done   chan struct{}
	err    error
	open   Attributes // of the open file, after the piece was read
	named  Attributes // of the path, after that, with the last piece
	last   bool
}

const (
	// firstPiece is the size of the first pieces, with which Open fetches small files whole. Later
	// ones are as large as all before them, up to largestPiece.
	firstPiece   = 512 << 10
	largestPiece = 4 << 20
	// piecesAhead is how many pieces are fetched besides the one being read. There are none before
	// aheadFrom bytes were read: callers that open many files at once read long ones one after the
	// other.
	piecesAhead = 3
	aheadFrom   = 1<<20 + 1
)

// Open opens a file for reading and fetches its first piece. listed is what a listing says of the
// file, which may have changed since. ctx governs all reading.
func (s *Server) Open(ctx context.Context, path string, listed Attributes) (*Reader, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &Reader{server: s, ctx: ctx, cancel: cancel, path: path, begun: listed, same: true}
	first, err := r.first()
	if err == nil && !sameVersion(&first.open, &listed) { // it has changed since; what counts is what it is now
		r.begun = first.open
		first, err = r.first()
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	r.begun.Mode, r.begun.UID, r.begun.GID, r.begun.has = first.open.Mode, first.open.UID, first.open.GID, first.open.has
	return r, nil
}

// first fetches the first piece.
func (r *Reader) first() (*piece, error) {
	r.pieces, r.next = nil, 0
	r.fetchNext()
	p := r.pieces[0]
	<-p.done
	return p, p.err
}

func sameVersion(a, b *Attributes) bool { return a.Size == b.Size && a.Modify == b.Modify }

// Begun returns what the server said of the file before it was read.
func (r *Reader) Begun() *Attributes { return &r.begun }

// Offset returns how many bytes of the file were read.
func (r *Reader) Offset() int64 { return r.at }

// Same reports whether, by all that the server said, the file was the same from the first byte to
// the last, and its path still led to it.
func (r *Reader) Same() bool {
	return r.same && r.at == int64(r.begun.Size) && r.named.has != 0 && sameVersion(&r.named, &r.begun)
}

// Look returns what the path leads to now.
func (r *Reader) Look() (is Attributes, err error) {
	err = r.server.Do(r.ctx, "look at", r.path, func(c *Conn) (err error) {
		is, err = c.Stat(r.ctx, r.path)
		return err
	})
	return is, err
}

// Read implements io.Reader, up to the size that the file had when it was opened.
func (r *Reader) Read(p []byte) (int, error) {
	if r.at >= int64(r.begun.Size) {
		return 0, r.end()
	}
	if len(p) == 0 {
		return 0, nil
	}
	at, err := r.current()
	if err != nil {
		return 0, err
	}
	from := r.at - at.offset
	if from >= int64(len(at.data)) { // it is shorter by now
		r.same = false
		return 0, io.EOF
	}
	n := copy(p, at.data[from:])
	r.at += int64(n)
	return n, nil
}

// end records what the last piece has shown, even for an empty file.
func (r *Reader) end() error {
	if len(r.pieces) > 0 && r.pieces[0].last {
		r.take(r.pieces[0])
	}
	return io.EOF
}

func (r *Reader) take(p *piece) {
	r.same = r.same && sameVersion(&p.open, &r.begun)
	if p.last {
		r.named = p.named
	}
}

// current waits for the piece that is read next, and starts fetching those after it.
func (r *Reader) current() (*piece, error) {
	for len(r.pieces) > 0 && !r.pieces[0].last && r.at >= r.pieces[0].end() {
		r.take(r.pieces[0])
		r.pieces = r.pieces[1:]
	}
	ahead := 1
	if r.at >= aheadFrom {
		ahead += piecesAhead
	}
	for len(r.pieces) < ahead && r.next < int64(r.begun.Size) {
		r.fetchNext()
	}
	p := r.pieces[0]
	select {
	case <-p.done:
		return p, p.err
	case <-r.ctx.Done():
		return nil, context.Cause(r.ctx)
	}
}

// end returns where the next piece begins.
func (p *piece) end() int64 {
	<-p.done
	return p.offset + int64(len(p.data))
}

// fetchNext begins to fetch the next piece.
func (r *Reader) fetchNext() {
	size := min(max(r.next, firstPiece), largestPiece, int64(r.begun.Size)-r.next)
	p := &piece{offset: r.next, done: make(chan struct{})}
	r.next += size
	p.last = r.next == int64(r.begun.Size)
	r.pieces = append(r.pieces, p)
	go func() {
		defer close(p.done)
		p.err = r.server.fetch(r.ctx, r.path, p, size)
	}()
}

// fetch fetches a piece of this many bytes, or as many as there are.
func (s *Server) fetch(ctx context.Context, path string, p *piece, size int64) error {
	weight := 1
	if size > firstPiece {
		weight = busy
	}
	return s.do(ctx, weight, "read", path, func(c *Conn) error {
		p.data = make([]byte, 0, size) // another one each time: the answers of a connection that broke may still come
		for {
			again, err := s.fetchOn(ctx, c, path, p)
			if !again || err != nil {
				return err
			}
		}
	})
}

// fetchOn requests what p lacks, in two round trips: the second begins when the server has returned
// a handle. again reports that the server returned less in one answer than requested, so that
// something is still missing.
func (s *Server) fetchOn(ctx context.Context, c *Conn, path string, p *piece) (again bool, _ error) {
	handle, err := c.send(packetOpen, openRequest(path, openRead), nil, nil).handle(ctx)
	if err != nil {
		return false, err
	}
	unit := int(s.block.Load())
	whole := p.data[:cap(p.data)]
	var reads []*call
	for from := len(p.data); from < len(whole); from += unit {
		into := whole[from:min(from+unit, len(whole)):len(whole)]
		reads = append(reads, c.send(packetRead, readRequest(handle, p.offset+int64(from), len(into)), nil, into))
	}
	open := c.send(packetFstat, handle, nil, nil)
	var named *call
	if p.last {
		named = c.send(packetStat, texts(path), nil, nil)
	}
	c.send(packetClose, handle, nil, nil)
	if again, err = p.collect(ctx, s, reads); err != nil {
		return false, err
	}
	if p.open, err = open.attributes(ctx); err != nil {
		return false, err
	}
	if p.last {
		if p.named, err = named.attributes(ctx); errors.Is(err, fs.ErrNotExist) {
			err = nil // then it is not the same
		}
	}
	return again, err
}

// collect reads the answers up to the first one with less than was requested.
func (p *piece) collect(ctx context.Context, s *Server, reads []*call) (again bool, _ error) {
	var failed error
	for _, r := range reads {
		n, err := r.data(ctx)
		switch {
		case failed != nil || again: // all that is asked for is waited for: nobody else may write to the buffer
		case err == io.EOF:
			return false, nil
		case err != nil:
			failed = err
		default:
			p.data = p.data[:len(p.data)+n]
			if again = n > 0 && n < len(r.into); again && n < int(s.block.Load()) && r != reads[len(reads)-1] {
				s.block.Store(int32(max(n, 1<<10)))
			}
		}
	}
	return again, failed
}

const (
	openRead     = 0x1
	openWrite    = 0x2
	openCreate   = 0x8
	openTruncate = 0x10
)

func openRequest(path string, flags uint32) []byte {
	return (&Change{}).appendTo(appendNumbers(texts(path), flags))
}

func readRequest(handle []byte, offset int64, length int) []byte {
	b := append(make([]byte, 0, len(handle)+12), handle...)
	return appendNumbers(binary.BigEndian.AppendUint64(b, uint64(offset)), uint32(length))
}

// ReadAt implements io.ReaderAt. It is efficient if most reads continue at the previous offset.
func (r *Reader) ReadAt(p []byte, offset int64) (int, error) {
	if offset != r.at {
		if err := r.seek(offset); err != nil {
			return 0, err
		}
	}
	n, err := io.ReadFull(r, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// seek moves to another offset.
func (r *Reader) seek(offset int64) error {
	if offset < 0 {
		return fmt.Errorf("read %s at %d: %w", r.path, offset, fs.ErrInvalid)
	}
	if len(r.pieces) > 0 && r.pieces[0].offset <= offset && offset < r.pieces[0].end() {
		r.at = offset
		return nil
	}
	r.pieces, r.at, r.next = nil, offset, offset
	return nil
}

// Close ends the reading.
func (r *Reader) Close() error {
	r.cancel()
	r.pieces = nil
	return nil
}
