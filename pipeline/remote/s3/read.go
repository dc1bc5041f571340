package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

const (
	// segmentBytes is the size of each of the concurrent requests for a large object.
	segmentBytes = 8 << 20
	// segments is how many segments are held ahead of all readers together.
	segments = 8
	// readersSegments is how many segments one reader may hold.
	readersSegments = 4
	// headBytes is how many bytes are read before anything is fetched ahead: the caller may want no
	// more.
	headBytes = 1 << 20
)

// Reader reads an object from start to end. It fetches a large one with several concurrent
// requests, all for the same version or ETag. After a broken connection it continues at the same
// offset. It is not safe for concurrent use.
type Reader struct {
	bucket *Bucket
	ctx    context.Context
	cancel context.CancelFunc
	ref    Ref
	object Object
	size   int64

	at    int64
	body  io.ReadCloser
	end   int64 // of what body gives
	next  int64 // what was not asked for yet
	ahead []*segment
	busy  sync.WaitGroup
}

// segment is a piece that is fetched ahead.
type segment struct {
	data []byte // a buffer of the bucket's, cut to length
	err  error
	done chan struct{}
}

// Unknown says that the size of an object is not known.
const Unknown = -1

// Read opens an object with one request. about is the expected size. It fails with ErrChanged if
// the object does not have the ETag in r. ctx governs all reading.
func (b *Bucket) Read(ctx context.Context, r Ref, about int64) (*Reader, error) {
	reader := &Reader{bucket: b, ref: r}
	reader.ctx, reader.cancel = context.WithCancel(ctx)
	length := int64(-1)
	if about > 2*segmentBytes || about == Unknown {
		length = segmentBytes
	}
	err := reader.open(length)
	if errors.Is(err, bucket.ErrRange) { // it is empty
		err = reader.open(-1)
	}
	if err != nil {
		reader.cancel()
		return nil, err
	}
	return reader, nil
}

// open makes the first request, which shows what the object is.
func (r *Reader) open(length int64) error {
	err := r.bucket.do(r.ctx, "get", r.ref.Key, func() (err error) {
		r.object, r.body, err = r.bucket.get(r.ctx, r.ref, 0, length)
		return err
	})
	if err != nil {
		return err
	}
	r.end, r.next = r.object.Size, r.object.Size
	r.size = r.object.Size
	if total, ok := total(r.object.Range); ok {
		r.size = total
	}
	r.object.Size = r.size
	if r.ref.Version == "" {
		r.ref.ETag = r.object.ETag
	}
	return nil
}

// get makes one request, and checks that the answer is for what was requested.
func (b *Bucket) get(ctx context.Context, r Ref, offset, length int64) (Object, io.ReadCloser, error) {
	o, body, err := b.client.Get(ctx, r, offset, length)
	switch {
	case err != nil:
		return o, nil, err
	case o.Size < 0:
		err = fmt.Errorf("%w: the answer has no length", store.ErrInvalid)
	case offset > 0 && !strings.HasPrefix(o.Range, fmt.Sprintf("bytes %d-", offset)):
		err = fmt.Errorf("%w: asked for bytes from %d, the server sent %q", ErrUnsupported, offset, o.Range)
	default:
		return o, body, nil
	}
	body.Close()
	return o, nil, err
}

// total returns the size of the object from a Content-Range.
func total(contentRange string) (int64, bool) {
	_, text, ok := strings.Cut(contentRange, "/")
	n, err := strconv.ParseInt(text, 10, 64)
	return n, ok && err == nil && n >= 0
}

// Object returns what is being read.
func (r *Reader) Object() Object { return r.object }

// Offset returns how many bytes were read.
func (r *Reader) Offset() int64 { return r.at }

// Read implements io.Reader. It fails with ErrChanged if the object was replaced meanwhile.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for stalled := 0; ; {
		if r.at >= r.size {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
		n, err := r.body.Read(p)
		r.at += int64(n)
		if r.at >= r.end || err != nil {
			r.drop()
		}
		if n > 0 {
			r.fetchAhead()
			return n, nil
		}
		if stalled++; stalled > 100 {
			return 0, fmt.Errorf("get %s from %s: %w: nothing comes, again and again: %w", r.ref.Key, r.bucket.client.Host(), ErrUnreachable, err)
		}
	}
}

// fill ensures that there is something to read: what was fetched ahead, or the rest of a broken
// stream.
func (r *Reader) fill() error {
	switch {
	case r.body != nil:
		return nil
	case r.at < r.end: // it broke off
		return r.request(r.end)
	case len(r.ahead) > 0:
		return r.shift()
	}
	end := min(r.at+segmentBytes, r.size)
	r.next = end
	return r.request(end)
}

func (r *Reader) request(end int64) error {
	err := r.bucket.do(r.ctx, "get", r.ref.Key, func() (err error) {
		_, r.body, err = r.bucket.get(r.ctx, r.ref, r.at, end-r.at)
		return err
	})
	r.end = end
	return err
}

// shift moves on to the next segment that was fetched ahead.
func (r *Reader) shift() error {
	s := r.ahead[0]
	select {
	case <-s.done:
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
	if s.err != nil {
		return s.err
	}
	r.ahead = r.ahead[1:]
	r.end = r.at + int64(len(s.data))
	r.body = &buffered{bytes.NewReader(s.data), func() { r.bucket.release(s.data) }}
	return nil
}

type buffered struct {
	io.Reader
	release func()
}

// Close implements io.Closer.
func (b *buffered) Close() error { b.release(); return nil }

func (r *Reader) drop() {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
}

// fetchAhead starts requests for what comes next, as far as there are buffers.
func (r *Reader) fetchAhead() {
	for r.at >= headBytes && r.next < r.size && len(r.ahead) < readersSegments {
		buffer := r.bucket.buffer()
		if buffer == nil {
			return
		}
		from := r.next
		s := &segment{data: buffer[:min(segmentBytes, r.size-from)], done: make(chan struct{})}
		r.next += int64(len(s.data))
		r.ahead = append(r.ahead, s)
		r.busy.Go(func() {
			defer close(s.done)
			s.err = r.bucket.fetch(r.ctx, r.ref, from, s.data)
		})
	}
}

// fetch fills data from offset on.
func (b *Bucket) fetch(ctx context.Context, r Ref, offset int64, data []byte) error {
	n := 0
	return b.do(ctx, "get", r.Key, func() error {
		_, body, err := b.get(ctx, r, offset+int64(n), int64(len(data)-n))
		if err != nil {
			return err
		}
		defer body.Close()
		more, err := io.ReadFull(body, data[n:])
		n += more
		if err == nil {
			return nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: %w", ErrUnreachable, io.ErrUnexpectedEOF)
		}
		if more > 0 {
			return retry.Progress(err)
		}
		return err
	})
}

// Close ends the reading.
func (r *Reader) Close() error {
	r.cancel()
	r.drop()
	r.busy.Wait()
	for _, s := range r.ahead {
		r.bucket.release(s.data)
	}
	r.ahead = nil
	return nil
}

// buffer returns a buffer for a segment, nil if all are in use.
func (b *Bucket) buffer() []byte {
	select {
	case data := <-b.buffers:
		if data == nil {
			data = make([]byte, segmentBytes)
		}
		return data
	default:
		return nil
	}
}

func (b *Bucket) release(data []byte) { b.buffers <- data[:segmentBytes] }

// ReadRange fills data from an offset of an object, with one request.
func (b *Bucket) ReadRange(ctx context.Context, r Ref, offset int64, data []byte) (int, error) {
	if len(data) == 0 {
		return 0, ctx.Err()
	}
	if err := b.fetch(ctx, r, offset, data); err != nil {
		return 0, err
	}
	return len(data), nil
}
