package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/target"
)

// reader reads an existing object. If the object is not large, reading from start to end takes no
// further requests.
type reader struct {
	target *Target
	ctx    context.Context
	ref    s3.Ref // with its ETag

	mu     sync.Mutex
	stream *s3.Reader
}

// Open opens an object. ctx governs all reading.
func (t *Target) Open(ctx context.Context, path string) (target.ReadAtCloser, error) {
	if err := check(path); err != nil {
		return nil, err
	}
	if path == "" {
		return nil, nil
	}
	ref := s3.Ref{Key: t.bucket.Key(path)}
	stream, err := t.bucket.Read(ctx, ref, s3.Unknown)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, translate(err)
	}
	ref.ETag = stream.Object().ETag
	return &reader{target: t, ctx: ctx, ref: ref, stream: stream}, nil
}

// ReadAt implements io.ReaderAt.
func (r *reader) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, fmt.Errorf("read %s: offset %d", r.ref.Key, offset)
	}
	size := r.stream.Object().Size
	if offset >= size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), size-offset)]
	n, err := r.read(want, offset)
	if err == nil && len(want) < len(p) {
		err = io.EOF
	}
	if err == io.EOF {
		return n, err
	}
	return n, translate(err)
}

// read continues the open stream if that is at offset; otherwise it makes a request.
func (r *reader) read(want []byte, offset int64) (int, error) {
	r.mu.Lock()
	if r.stream.Offset() == offset {
		defer r.mu.Unlock()
		return io.ReadFull(r.stream, want)
	}
	r.mu.Unlock()
	return r.target.bucket.ReadRange(r.ctx, r.ref, offset, want)
}

// Close ends the reading.
func (r *reader) Close() error { return r.stream.Close() }
