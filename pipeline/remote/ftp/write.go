package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// kept is how many bytes before the last one sent are kept, to be sent again if the connection
	// breaks. They are more than fit into the buffers of both sides: ours is sendBuffer, the
	// server's is at most 6 MiB on a Linux with default settings.
	kept   = 10 << 20
	unsent = 1 << 20 // how far writing may be ahead of sending
	slack  = 2 << 20 // what is kept beyond, so that dropping is done seldom

	sendBuffer = 512 << 10
)

// Writer uploads a file from start to end. It replaces a broken connection and continues after what
// the server has. It is not safe for concurrent use.
type Writer struct {
	server *Server
	ctx    context.Context
	path   string

	mu      sync.Mutex
	changed sync.Cond
	buffer  []byte // what is kept, from base on
	pooled  *[]byte
	base    int64
	sent    int64 // as far as the connection has taken it
	closed  bool  // all is in the buffer
	failed  error

	started bool
	over    chan struct{} // closed when the sender is done
}

// Create begins an upload to an absolute path. It replaces an existing file, beginning with the
// first byte. ctx governs all of it. Close sends a file of less than 1 MiB at once.
func (s *Server) Create(ctx context.Context, path string) (*Writer, error) {
	if err := CheckName(path); err != nil {
		return nil, s.translate("create", path, err)
	}
	w := &Writer{server: s, ctx: ctx, path: path, over: make(chan struct{})}
	w.changed.L = &w.mu
	return w, nil
}

// Write implements io.Writer. It returns when p is stored, before it is sent.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := 0
	for done < len(p) && w.failed == nil {
		if w.end()-w.sent >= unsent {
			w.start()
			w.changed.Wait()
			continue
		}
		n := min(len(p)-done, unsent)
		w.drop(n)
		w.grow(n)
		w.buffer = append(w.buffer, p[done:done+n]...)
		done += n
		w.changed.Broadcast()
	}
	return done, w.failed
}

func (w *Writer) end() int64 { return w.base + int64(len(w.buffer)) }

// drop makes room for n bytes by dropping what was sent long ago.
func (w *Writer) drop(n int) {
	old := int(w.sent-w.base) - kept
	if old < slack || len(w.buffer)+n <= cap(w.buffer) {
		return
	}
	w.buffer = append(w.buffer[:0], w.buffer[old:]...)
	w.base += int64(old)
}

// long pools buffers for large files: room for what is kept, and more.
var long = sync.Pool{New: func() any { b := make([]byte, 0, kept+slack+2*unsent); return &b }}

// grow switches to a long buffer when the file proves large.
func (w *Writer) grow(n int) {
	if w.pooled != nil || len(w.buffer)+n <= unsent {
		return
	}
	w.pooled = long.Get().(*[]byte)
	w.buffer = append((*w.pooled)[:0], w.buffer...)
}

// free returns the long buffer when the sender has ended.
func (w *Writer) free() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pooled != nil {
		long.Put(w.pooled)
		w.pooled, w.buffer = nil, nil
	}
}

// start starts the sender, once.
func (w *Writer) start() {
	if w.started {
		return
	}
	w.started = true
	stop := context.AfterFunc(w.ctx, func() { w.fail(context.Cause(w.ctx)) })
	go func() {
		defer close(w.over)
		defer stop()
		if err := w.send(); err != nil {
			w.fail(err)
		}
	}()
}

func (w *Writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
	w.changed.Broadcast()
}

// Close sends the rest, waits until the server has confirmed everything, and compares the size of
// its file.
func (w *Writer) Close() error {
	w.mu.Lock()
	w.closed = true
	w.start()
	w.changed.Broadcast()
	w.mu.Unlock()
	<-w.over
	defer w.free()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// Started reports whether the server may have a part of the file.
func (w *Writer) Started() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started
}

// Abort ends the upload. What the server has of it remains.
func (w *Writer) Abort() {
	w.fail(errAborted)
	w.mu.Lock()
	started := w.started
	w.mu.Unlock()
	if started {
		<-w.over
	}
	w.free()
}

var errAborted = fmt.Errorf("%wupload aborted", errOurs)

// send uploads with one connection after another until the server has everything.
func (w *Writer) send() error {
	tries, best := 0, int64(-1)
	for {
		c, err := w.server.pool.Acquire(w.ctx)
		if err != nil {
			return err
		}
		err = c.guard(w.ctx)(w.sendOn(c, best >= 0))
		w.server.pool.Release(c, err)
		switch {
		case w.ctx.Err() != nil:
			return context.Cause(w.ctx)
		case err == nil:
			return nil
		case !IsBroken(err) && !errors.Is(err, errTruncated):
			return w.server.translate("write", w.path, err)
		}
		if sent := w.position(); sent > best {
			tries, best = 0, sent
		}
		if tries++; tries >= w.server.pool.Attempts() {
			return w.server.lost("write", w.path, err)
		}
	}
}

var errTruncated = errors.New("the server has another size than was sent")

func (w *Writer) position() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// sendOn uploads with one connection. With again, it begins where the server's file ends.
func (w *Writer) sendOn(c *Conn, again bool) error {
	from := int64(0)
	if again {
		var err error
		if from, err = w.resumeAt(c); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.sent = from
	w.mu.Unlock()
	err := c.StorFrom(w.path, (*sending)(w), uint64(from))
	if answer := answerIn(err); answer != nil { // its own word counts more than how the data connection ended
		return answer
	}
	if err != nil {
		return err
	}
	return w.confirm(c)
}

// resumeAt returns how much of the file the server has, if the following bytes are kept. Otherwise
// the upload begins again, if all bytes are kept.
func (w *Writer) resumeAt(c *Conn) (int64, error) {
	size, err := c.Size(w.path)
	if IsBroken(err) {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && c.Features().Resume && size >= w.base && size <= w.end() && size > 0 {
		return size, nil
	}
	if w.base == 0 {
		return 0, nil
	}
	return 0, fmt.Errorf("%wthe connection broke, and the server has kept %d bytes of the file where %d to %d are needed to go on", errOurs, size, w.base, w.end())
}

// confirm compares sizes.
func (w *Writer) confirm(c *Conn) error {
	size, err := c.size(w.path, true)
	if code, _ := reply(err); code == 500 || code == 502 {
		return nil // it cannot tell
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if size != w.end() {
		return fmt.Errorf("%w: %d bytes instead of %d", errTruncated, size, w.end())
	}
	return nil
}

// sending is the Writer from which the connection reads.
type sending Writer

// Read waits for something to send.
func (s *sending) Read(p []byte) (int, error) {
	w := (*Writer)(s)
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.failed == nil && w.sent == w.end() && !w.closed {
		w.changed.Wait()
	}
	if w.failed != nil {
		return 0, w.failed
	}
	n := copy(p, w.buffer[w.sent-w.base:])
	w.sent += int64(n)
	w.changed.Broadcast()
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
