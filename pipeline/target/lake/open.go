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

// reader reads an object that is in the bucket. Reading on where it stopped costs no further request.
type reader struct {
	target *Target
	ctx    context.Context
	object s3.Object
	ref    s3.Ref

	mu     sync.Mutex
	stream *s3.Reader
}

// Open opens an object. ctx is for all of the reading.
func (t *Target) Open(ctx context.Context, path string) (target.ReadAtCloser, error) {
	if err := check(path); err != nil {
		return nil, err
	}
	ref := s3.Ref{Key: t.bucket.Key(path)}
	o, err := t.bucket.Head(ctx, ref)
	if errors.Is(err, fs.ErrNotExist) || path == "" {
		return nil, nil
	}
	if err != nil {
		return nil, translate(err)
	}
	ref.ETag = o.ETag
	return &reader{target: t, ctx: ctx, object: o, ref: ref}, nil
}

// ReadAt implements io.ReaderAt.
func (r *reader) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, fmt.Errorf("read %s: offset %d", r.ref.Key, offset)
	}
	if offset >= r.object.Size {
		return 0, io.EOF
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stream == nil && offset == 0 {
		var err error
		if r.stream, err = r.target.bucket.Read(r.ctx, r.ref, r.object.Size); err != nil {
			return 0, translate(err)
		}
	}
	want := p[:min(int64(len(p)), r.object.Size-offset)]
	n, err := 0, error(nil)
	if r.stream != nil && r.stream.Offset() == offset {
		n, err = io.ReadFull(r.stream, want)
	} else {
		n, err = r.target.bucket.ReadRange(r.ctx, r.ref, offset, want)
	}
	if err == nil && len(want) < len(p) {
		err = io.EOF
	}
	if err == io.EOF {
		return n, err
	}
	return n, translate(err)
}

// Close ends the reading.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stream == nil {
		return nil
	}
	return r.stream.Close()
}
