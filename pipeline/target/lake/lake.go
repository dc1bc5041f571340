// Package lake is the target for an S3 bucket. An object appears complete, with its content type,
// metadata and tags, or not at all; the server checks the digests of what it receives. A bucket has
// no directories, owners, modes, links or nodes; an empty directory is restored only if an object
// stood for it. A file that does not come from a bucket keeps its time in the metadata "mtime", in
// seconds since 1970.
package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/target"
)

// Options determine how to write.
type Options struct {
	// Absent never replaces an object, even one that appeared after the target was listed.
	Absent bool
	// Times makes Walk ask for the original time of each file that this package has put and that
	// does not come from a bucket. That takes one request for each object.
	Times bool
	// ReadOnly refuses to write. It is for plans.
	ReadOnly bool
	// Parallel is the number of files that may be written at once (default: 32).
	Parallel int
	// Memory limits the buffers of all files together (default: 128 MiB).
	Memory int64
}

// Target is a bucket. It implements target.Target.
type Target struct {
	bucket  *s3.Bucket
	options Options
	memory  *semaphore.Weighted
}

var _ target.Target = (*Target)(nil)

// New returns the target.
func New(bucket *s3.Bucket, options Options) *Target {
	options.Parallel = max(1, cmp.Or(options.Parallel, 32))
	options.Memory = max(2*maxPart, cmp.Or(options.Memory, 128<<20))
	return &Target{bucket: bucket, options: options, memory: semaphore.NewWeighted(options.Memory)}
}

// Traits implements target.Target. Files are written from start to end.
func (t *Target) Traits() target.Traits {
	return target.Traits{Sequential: true, Parallel: t.options.Parallel}
}

// Close does nothing: what was committed is durable.
func (t *Target) Close(ctx context.Context) error { return ctx.Err() }

// directoryName is the metadata that marks an object as standing for a directory.
const directoryName = "s3-directory-object"

// walkBatch is how many objects are asked for their times at once.
const walkBatch = 512

// Walk lists the bucket. The identity of a file is its ETag; that of a directory is the ETag of the
// object that stands for it.
func (t *Target) Walk(ctx context.Context, in target.Scope, v target.Visitor) error {
	var failed error
	var batch []*entry.Entry
	flush := func() error {
		if err := t.times(ctx, batch); err != nil {
			return err
		}
		for _, e := range batch {
			if failed = v.Visit(e); failed != nil {
				return failed
			}
		}
		batch = batch[:0]
		return nil
	}
	skip := func(path string, _ bool) bool { return !in.Means(path) }
	err := t.bucket.Tree(ctx, s3.TreeOptions{Skip: skip}, func(n s3.Node) error {
		batch = append(batch, entryOf(n))
		if len(batch) < walkBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil && err == failed {
		return err
	}
	return translate(err)
}

func entryOf(n s3.Node) *entry.Entry {
	e := &entry.Entry{Path: n.Path, Type: entry.File, Size: n.Object.Size, Identity: n.Object.ETag}
	if n.Directory {
		e.Type = entry.Directory
	}
	if !n.Object.Modified.IsZero() {
		e.ModTime = entry.TimeOf(n.Object.Modified.Truncate(time.Second))
	}
	return e
}

// times sets the original times of files, if the options ask for that.
func (t *Target) times(ctx context.Context, batch []*entry.Entry) error {
	if !t.options.Times {
		return nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(2 * t.options.Parallel)
	for _, e := range batch {
		if e.Type != entry.File {
			continue
		}
		g.Go(func() error {
			o, err := t.bucket.Head(gctx, s3.Ref{Key: t.bucket.Key(e.Path)})
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if at, ok := parseTime(o.Header[timeName]); ok {
				e.ModTime, e.Identity = at, "" // the time tells more: another ETag may be due to the size of parts
			}
			return err
		})
	}
	return g.Wait()
}

// timeName is the metadata for the time of a file that does not come from a bucket. Other programs
// use it too.
const timeName = "x-amz-meta-mtime"

func formatTime(t entry.Time) string { return fmt.Sprintf("%d.%09d", t.Seconds, t.Nanos) }

func parseTime(text string) (t entry.Time, ok bool) {
	seconds, fraction, _ := strings.Cut(text, ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return t, false
	}
	n, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 64)
	return entry.Time{Seconds: s, Nanos: uint32(n)}, err == nil
}

// Accepts refuses links and nodes, and names that are too long for a key.
func (t *Target) Accepts(e *entry.Entry) error {
	if err := check(e.Path); err != nil {
		return err
	}
	switch e.Type {
	case entry.Directory:
		return nil
	case entry.File:
		return t.bucket.CheckKey(t.bucket.Key(e.Path))
	}
	return fmt.Errorf("make %s in a bucket: %w", e.Path, target.ErrUnsupported)
}

// Make puts the object that stood for a directory. Other directories need nothing.
func (t *Target) Make(ctx context.Context, e *entry.Entry) error {
	if err := t.writable(ctx, "make", e.Path); err != nil {
		return err
	}
	if e.Type != entry.Directory {
		return fmt.Errorf("make %s in a bucket: %w", e.Path, target.ErrUnsupported)
	}
	if remote(e, directoryName) == "" || e.Path == "" {
		return nil
	}
	return translate(t.bucket.Put(ctx, t.bucket.DirectoryKey(e.Path), s3.NewBody(nil), putOptions(e)))
}

// Link is not supported: the caller writes a copy.
func (t *Target) Link(_ context.Context, e *entry.Entry, existing string) error {
	return cmp.Or(check(e.Path), check(existing), fmt.Errorf("hard link %s in a bucket: %w", e.Path, target.ErrUnsupported))
}

// Finish does nothing: metadata are stored with the object.
func (t *Target) Finish(_ context.Context, e *entry.Entry) error { return check(e.Path) }

// removeBatch is how many keys one request removes.
const removeBatch = 1000

// Remove removes objects. In a bucket with versions they remain behind delete markers. A directory
// disappears with its content; an object that stands for one is removed.
func (t *Target) Remove(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) error {
	for batch := range slices.Chunk(all, removeBatch) {
		if err := t.writable(ctx, "remove", ""); err != nil {
			return err
		}
		var keys []string
		for _, e := range batch {
			if key, err := t.removable(e); err != nil {
				failed(e, err)
			} else if key != "" {
				keys = append(keys, key)
			}
		}
		err := translate(t.bucket.Remove(ctx, keys))
		if errors.Is(err, target.ErrUnreachable) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			t.removeEach(ctx, batch, failed)
		}
	}
	return nil
}

// removable returns the key to remove for an entry, empty if there is none.
func (t *Target) removable(e *entry.Entry) (string, error) {
	switch err := check(e.Path); {
	case err != nil:
		return "", err
	case e.Path == "":
		return "", fmt.Errorf("remove the root of %s: %w", t.bucket, target.ErrPath)
	case e.Type != entry.Directory:
		return t.bucket.Key(e.Path), nil
	case e.Identity != "":
		return t.bucket.DirectoryKey(e.Path), nil
	}
	return "", nil
}

// removeEach finds out which of several objects cannot be removed.
func (t *Target) removeEach(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) {
	for _, e := range all {
		if key, err := t.removable(e); err == nil && key != "" {
			if err := t.bucket.Remove(ctx, []string{key}); err != nil {
				failed(e, translate(err))
			}
		}
	}
}

// writable returns an error for what must not be written.
func (t *Target) writable(ctx context.Context, act, path string) error {
	if err := check(path); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if t.options.ReadOnly {
		return fmt.Errorf("%s %s: the target was opened to read only: %w", act, path, fs.ErrPermission)
	}
	return nil
}

// check refuses a path that is not one below the root.
func check(path string) error {
	if path == "" {
		return nil
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." || strings.IndexByte(name, 0) >= 0 {
			return fmt.Errorf("path %q: %w", path, target.ErrPath)
		}
	}
	return nil
}

// translate wraps err with the matching sentinel of package target.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, s3.ErrUnreachable):
		return fmt.Errorf("%w: %w", target.ErrUnreachable, err)
	case errors.Is(err, s3.ErrFull):
		return fmt.Errorf("%w: %w", target.ErrFull, err)
	}
	return err
}
