package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/source"
)

// file is an object being read.
type file struct {
	source *Source
	ctx    context.Context
	ref    s3.Ref
	reader *s3.Reader
}

// Open opens an object: the version that was listed, or the content with the listed ETag. If the
// content was replaced since, Open returns the new content. ctx governs all reading.
func (s *Source) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := &file{source: s, ctx: ctx, ref: s3.Ref{Key: s.bucket.Key(e.Path), Version: remote(e, versionName)}}
	if f.ref.Version == "" {
		f.ref.ETag = e.Identity
	}
	var err error
	f.reader, err = s.bucket.Read(ctx, f.ref, e.Size)
	if errors.Is(err, s3.ErrChanged) {
		f.ref.ETag = ""
		f.reader, err = s.bucket.Read(ctx, f.ref, e.Size)
	}
	if err != nil {
		return nil, translate(err)
	}
	return f, nil
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	n, err := f.reader.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	if errors.Is(err, s3.ErrChanged) && f.source.tornBefore(f.ref.Key) {
		// Bytes of two different contents must not be mixed, and there is no third try.
		return n, fmt.Errorf("%s is replaced again and again while it is read", f.ref.Key)
	}
	return n, translate(err)
}

// maxTorn is how many objects that were replaced while being read are remembered.
const maxTorn = 1 << 14

// tornBefore records that an object was replaced while it was read, and reports whether that had
// happened before.
func (s *Source) tornBefore(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.torn[key] || len(s.torn) >= maxTorn {
		return true
	}
	s.torn[key] = true
	return false
}

// Finish updates e to what was read, which is all of one version.
func (f *file) Finish(e *entry.Entry) error {
	o := f.reader.Object()
	if f.reader.Offset() != o.Size {
		return fmt.Errorf("%s: %d bytes of %d were read: %w", f.ref.Key, f.reader.Offset(), o.Size, source.ErrChanged)
	}
	tags := ""
	if o.Tags > 0 || f.source.options.Tags {
		var err error
		if tags, err = f.source.bucket.Tags(f.ctx, f.ref); err != nil {
			return translate(err)
		}
	}
	e.Size, e.Identity = o.Size, o.ETag
	e.ModTime = entry.TimeOf(o.Modified.Truncate(time.Second))
	setRemote(e, o, tags)
	return nil
}

// setRemote stores an object's metadata in e.
func setRemote(e *entry.Entry, o s3.Object, tags string) {
	all := map[string]string{}
	maps.Copy(all, o.Header)
	for _, name := range []string{versionName, directoryName} {
		all[name] = remote(e, name)
	}
	all[tagsName] = tags
	e.Remote = nil
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] != "" {
			e.Remote = append(e.Remote, entry.Attribute{Name: name, Value: []byte(all[name])})
		}
	}
}

// Close ends the reading.
func (f *file) Close() error { return f.reader.Close() }
