package lake

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/target"
)

const (
	// minPart is the size of parts of large objects, unless there would be too many; maxPart is the
	// largest size that is tried to get the same ETag as the source.
	minPart  = 8 << 20
	maxPart  = 64 << 20
	maxParts = 10_000
	// wholeBytes is the largest size of an object that is put with one request.
	wholeBytes = 16 << 20
)

// file is an object being written. A large one is sent in parts; while one part is sent, the next
// is filled.
type file struct {
	target  *Target
	ctx     context.Context
	entry   *entry.Entry
	key     string
	options s3.PutOptions
	part    int   // bytes of a part; 0: the object is put whole
	weight  int64 // of memory

	at     int64
	data   []byte // not sent yet
	spare  []byte
	upload *s3.Upload
	etags  []string
	flying chan sent // of the part that is being sent; nil: none is
	failed error
	done   bool
}

type sent struct {
	etag string
	data []byte
	err  error
}

// Create begins an object. It waits for memory.
func (t *Target) Create(ctx context.Context, e *entry.Entry) (target.File, error) {
	if err := t.writable(ctx, "create", e.Path); err != nil {
		return nil, err
	}
	if e.Path == "" {
		return nil, fmt.Errorf("create the root of %s: %w", t.bucket, target.ErrPath)
	}
	if err := t.bucket.CheckKey(t.bucket.Key(e.Path)); err != nil {
		return nil, fmt.Errorf("create an object: %w", err)
	}
	f := &file{target: t, ctx: ctx, entry: e, key: t.bucket.Key(e.Path), options: putOptions(e), part: partSize(e.Size, e.Identity), weight: e.Size}
	f.options.Absent = t.options.Absent
	if f.part > 0 {
		f.weight = 2 * int64(f.part)
	}
	f.weight = min(f.weight, t.options.Memory)
	if err := t.memory.Acquire(ctx, f.weight); err != nil {
		return nil, context.Cause(ctx)
	}
	return f, nil
}

// partSize returns the size of the parts of an object, 0 if it is put whole. If etag shows how many
// parts the object had at the source, partSize chooses a usual size that gives the same number:
// then the same bytes get the same ETag.
func partSize(size int64, etag string) int {
	_, parts, several := strings.Cut(etag, "-")
	n, err := strconv.ParseInt(parts, 10, 64)
	switch {
	case size == 0:
		return 0
	case several && err == nil && n > 0:
		for _, mib := range []int64{8, 16, 5, 64, 32, 10, 15, 20, 25, 50} {
			if part := mib << 20; (size+part-1)/part == n {
				return int(part)
			}
		}
	case size <= wholeBytes, etag != "" && size <= maxPart:
		return 0
	}
	part := int64(minPart)
	for (size+part-1)/part > maxParts {
		part *= 2
	}
	return int(part)
}

// putOptions returns the metadata with which e is stored.
func putOptions(e *entry.Entry) s3.PutOptions {
	o := s3.PutOptions{Header: map[string]string{}, Tags: remote(e, "x-amz-tagging")}
	for _, a := range e.Remote {
		if s3.IsStored(a.Name) {
			o.Header[a.Name] = string(a.Value)
		}
	}
	if len(e.Remote) == 0 && e.HasModTime() {
		o.Header[timeName] = formatTime(e.ModTime)
	}
	return o
}

func remote(e *entry.Entry, name string) string {
	for _, a := range e.Remote {
		if a.Name == name {
			return string(a.Value)
		}
	}
	return ""
}

var zeros [64 << 10]byte

// WriteAt writes the next bytes. It fills a gap with zeros.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	if offset < f.at {
		return 0, fmt.Errorf("write %s: offset %d comes after %d", f.entry.Path, offset, f.at)
	}
	if err := f.fillTo(offset); err != nil {
		return 0, err
	}
	return f.write(p)
}

func (f *file) fillTo(offset int64) error {
	for f.at < offset {
		if _, err := f.write(zeros[:min(int64(len(zeros)), offset-f.at)]); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) write(p []byte) (n int, err error) {
	if f.at+int64(len(p)) > f.entry.Size {
		return 0, fmt.Errorf("write %s: there is more than its %d bytes", f.entry.Path, f.entry.Size)
	}
	for n < len(p) {
		if f.data == nil {
			f.data = f.buffer()
		}
		k := copy(f.data[len(f.data):cap(f.data)], p[n:])
		f.data = f.data[:len(f.data)+k]
		n += k
		f.at += int64(k)
		if f.part > 0 && len(f.data) == f.part && f.at < f.entry.Size {
			if err := f.send(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// parts pools buffers of the usual size of a part.
var parts = sync.Pool{New: func() any { return new([minPart]byte) }}

func (f *file) buffer() []byte {
	switch {
	case f.part == 0:
		return make([]byte, 0, f.entry.Size)
	case f.spare != nil:
		data := f.spare
		f.spare = nil
		return data[:0]
	case f.part == minPart:
		return parts.Get().(*[minPart]byte)[:0]
	}
	return make([]byte, 0, f.part)
}

// send sends a part, after the previous one has arrived.
func (f *file) send() error {
	if err := f.settle(); err != nil {
		return err
	}
	if f.upload == nil {
		if f.upload, f.failed = f.target.bucket.Begin(f.ctx, f.key, f.options); f.failed != nil {
			f.upload = nil
			return translate(f.failed)
		}
	}
	data, number := f.data, len(f.etags)+1
	f.data, f.flying = nil, make(chan sent, 1)
	go func() {
		etag, err := f.upload.Put(f.ctx, number, s3.NewBody(data))
		f.flying <- sent{etag, data, err}
	}()
	return nil
}

// settle waits for the part that is being sent.
func (f *file) settle() error {
	if f.flying == nil {
		return translate(f.failed)
	}
	s := <-f.flying
	f.flying, f.spare = nil, s.data
	if s.err != nil {
		f.failed = s.err
		return translate(s.err)
	}
	f.etags = append(f.etags, s.etag)
	return nil
}

// Commit sends the rest. Then the object appears.
func (f *file) Commit(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := f.fillTo(f.entry.Size); err != nil {
		return err
	}
	if f.part == 0 {
		if err := f.target.bucket.Put(ctx, f.key, s3.NewBody(f.data), f.options); err != nil {
			return translate(err)
		}
		f.end()
		return nil
	}
	if err := f.send(); err != nil {
		return err
	}
	if err := f.settle(); err != nil {
		return err
	}
	if err := f.upload.Complete(ctx, f.etags, f.entry.Size); err != nil {
		return translate(err)
	}
	f.upload = nil
	f.end()
	return nil
}

// dropTime is how long a server may take to delete the parts of an aborted object.
const dropTime = 10 * time.Second

// Abort deletes what was sent.
func (f *file) Abort() {
	if f.done {
		return
	}
	_ = f.settle() // the object is given up whatever became of the part
	if f.upload != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), dropTime)
		defer cancel()
		_ = f.upload.Abort(ctx) // what stays behind is for the bucket's rule against unfinished uploads
	}
	f.end()
}

// end frees memory.
func (f *file) end() {
	f.done = true
	for _, data := range [][]byte{f.data, f.spare} {
		if cap(data) == minPart {
			parts.Put((*[minPart]byte)(data[:minPart]))
		}
	}
	f.data, f.spare = nil, nil
	f.target.memory.Release(f.weight)
}
