package sftp

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Writer writes a file from start to end. It keeps what the server has not acknowledged, and after
// a broken connection continues with another one. It sends nothing of a file of less than 256 KiB
// before Close, and then everything at once. It is not safe for concurrent use.
type Writer struct {
	server *Server
	ctx    context.Context
	path   string
	end    int64
	blocks []writing // not acknowledged
	bytes  int       // in them
	sent   int       // of the blocks
	acked  bool      // anything was since the file was opened
	kept   bool      // and ever

	conn   *Conn
	handle []byte
	begun  bool // the server may have something of the file
}

// writing is a part of the file.
type writing struct {
	offset int64
	data   []byte
	call   *call
}

const (
	unsent = 256 << 10 // what is kept before the file is opened
	ahead  = 1 << 20   // what may be sent and not acknowledged
)

// Create begins a file. It replaces an existing file, beginning with the first byte. ctx governs
// all writing.
func (s *Server) Create(ctx context.Context, path string) *Writer {
	return &Writer{server: s, ctx: ctx, path: path}
}

// Started reports whether the server may have a part of the file.
func (w *Writer) Started() bool { return w.begun }

// Size returns the end of what was written so far.
func (w *Writer) Size() int64 { return w.end }

// WriteAt writes the next bytes. A gap becomes a hole, or zeros if the server has no holes.
func (w *Writer) WriteAt(p []byte, offset int64) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, context.Cause(w.ctx)
	}
	if offset < w.end {
		return 0, fmt.Errorf("write %s at %d: %d bytes are written, and it is written in order", w.path, offset, w.end)
	}
	for done := 0; done < len(p); {
		n := min(block, len(p)-done)
		w.blocks = append(w.blocks, writing{offset: offset + int64(done), data: append([]byte(nil), p[done:done+n]...)})
		w.bytes += n
		done += n
	}
	w.end = offset + int64(len(p))
	if !w.begun && w.bytes < unsent {
		return len(p), nil
	}
	return len(p), w.again("write", func() error {
		w.send()
		return w.settle(ahead)
	})
}

// again calls do, and once more with another connection if one breaks.
func (w *Writer) again(act string, do func() error) error {
	var last error
	for tries := 0; tries < w.server.pool.Attempts(); tries++ {
		w.acked = false
		err := w.open(act)
		if err != nil {
			return err
		}
		if err = do(); !IsBroken(err) {
			return w.server.translate(act, w.path, err)
		}
		last = err
		if w.acked { // it went on
			tries = 0
		}
		w.release(last)
	}
	return w.server.translate(act, w.path, w.server.pool.Lost(last))
}

// open opens the file if it is not.
func (w *Writer) open(act string) error {
	if w.conn != nil {
		return nil
	}
	flags := uint32(openWrite | openCreate) // not exclusive: the connection may have broken after the server made the file
	if !w.kept {
		flags |= openTruncate
	}
	w.begun, w.sent = true, 0
	for range w.server.pool.Attempts() {
		c, err := w.server.pool.Acquire(w.ctx)
		if err != nil {
			return err
		}
		w.conn = c
		if w.handle, err = c.send(packetOpen, openRequest(w.path, flags), nil, nil).handle(w.ctx); err == nil {
			return nil
		}
		w.release(err)
		if !IsBroken(err) {
			return w.server.translate("create", w.path, err)
		}
	}
	return w.server.translate(act, w.path, w.server.pool.Lost(fmt.Errorf("open a file")))
}

// release releases the connection.
func (w *Writer) release(err error) {
	if w.conn != nil {
		w.server.pool.Release(w.conn, err)
	}
	w.conn, w.handle = nil, nil
}

// send sends what is not sent.
func (w *Writer) send() {
	for ; w.sent < len(w.blocks); w.sent++ {
		b := &w.blocks[w.sent]
		head := binary.BigEndian.AppendUint64(append(make([]byte, 0, len(w.handle)+12), w.handle...), uint64(b.offset))
		b.call = w.conn.send(packetWrite, appendNumbers(head, uint32(len(b.data))), b.data, nil)
	}
}

// settle waits until at most left bytes are not acknowledged.
func (w *Writer) settle(left int) error {
	for w.bytes > left {
		b := &w.blocks[0]
		if err := b.call.status(w.ctx); err != nil {
			return err
		}
		w.bytes -= len(b.data)
		w.blocks = w.blocks[1:]
		w.sent--
		w.acked, w.kept = true, true
	}
	return nil
}

// Close sends the rest, sets size and attributes, and waits until the server has everything; with
// sync, until it is on the server's disk. refused holds, for each change, the server's error, or
// nil.
func (w *Writer) Close(size int64, sync bool, changes ...Change) (refused []error, err error) {
	defer w.release(nil)
	err = w.again("complete", func() (err error) {
		refused, err = w.complete(size, sync, changes)
		return err
	})
	return refused, err
}

// complete sends everything at once. The server answers in order, so the size that it reports
// includes all writes.
func (w *Writer) complete(size int64, sync bool, changes []Change) (refused []error, err error) {
	w.send()
	var calls []*call
	if w.end < size {
		var longer Change
		longer.SetSize(uint64(size))
		calls = append(calls, w.set(longer))
	}
	set, err := w.conn.ask(w.ctx, changes, w.set, func() *call { return w.conn.send(packetFstat, w.handle, nil, nil) })
	if err != nil {
		return nil, err
	}
	if sync && w.conn.Has(extensionSync) {
		calls = append(calls, w.conn.send(packetExtended, append(texts(extensionSync), w.handle...), nil, nil))
	}
	stat := w.conn.send(packetFstat, w.handle, nil, nil)
	calls = append(calls, w.conn.send(packetClose, w.handle, nil, nil))
	if err := w.settle(0); err != nil {
		return nil, err
	}
	if refused, err = refusals(w.ctx, set); err != nil {
		return nil, err
	}
	is, err := stat.attributes(w.ctx)
	if err != nil {
		return nil, err
	}
	if want := max(w.end, size); int64(is.Size) != want {
		return nil, fmt.Errorf("the server has %d bytes of %d", is.Size, want)
	}
	for _, c := range calls {
		if err := c.status(w.ctx); err != nil {
			return nil, err
		}
	}
	return refused, nil
}

func (w *Writer) set(change Change) *call {
	return w.conn.send(packetFsetstat, change.appendTo(append([]byte(nil), w.handle...)), nil, nil)
}

// Abort ends the writing. What the server has of the file remains.
func (w *Writer) Abort() {
	if w.conn != nil {
		w.conn.send(packetClose, w.handle, nil, nil)
	}
	w.release(nil)
}
