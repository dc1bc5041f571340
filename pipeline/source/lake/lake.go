// Package lake is the source for a data lake in an S3 bucket. Key, size, time and ETag identify an
// object, so unchanged objects are never downloaded. A changed object is read as one version, or
// with requests that all demand the same ETag. A bucket with versions is read as of one moment.
// Content type, metadata and tags come with the content.
package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/exclude"
)

// Options determine what to back up. The zero value means everything below the bucket's prefix,
// except for what jobs are still writing.
type Options struct {
	// Exclude lists patterns of what to leave out, in the syntax of exclude.Parse.
	Exclude []string
	// AllowEmpty accepts an empty bucket, which is source.ErrEmpty otherwise.
	AllowEmpty bool
	// KeepTemporary also backs up what jobs are still writing.
	KeepTemporary bool
	// Latest reads the latest state of a bucket with versions, instead of one moment. AsOf is the
	// past moment to read; zero means when the walk begins.
	Latest bool
	AsOf   time.Time
	// Tags requests the tags of each object that is read, even if the server does not tell with the
	// content whether it has any.
	Tags bool
	// FileMode and DirectoryMode are the modes of entries, which a bucket does not have (default:
	// 0o644, 0o755).
	FileMode, DirectoryMode uint32
	// Class is how content is cut (default: source.ClassLarge).
	Class source.Class
	// Readers is how many objects are worth reading at once (default: 32).
	Readers int
	// Note is called with what the user should know although nothing is wrong. It may be nil.
	Note func(text string)
}

// Source is a bucket. It implements source.Source, source.Dated and source.Distant.
type Source struct {
	bucket             *s3.Bucket
	options            Options
	exclude, temporary patterns

	mu      sync.Mutex
	moment  time.Time
	skipped []string        // the first of what jobs are still writing
	skips   int             // how many there are
	torn    map[string]bool // keys that were replaced while they were read
}

var (
	_ source.Dated   = (*Source)(nil)
	_ source.Distant = (*Source)(nil)
)

// New returns the source.
func New(bucket *s3.Bucket, options Options) (*Source, error) {
	leaveOut, err := exclude.Parse(options.Exclude, exclude.Top(bucket.Address().String()))
	if err != nil {
		return nil, err
	}
	temporary, err := exclude.Parse(Temporary, exclude.Place{})
	if err != nil {
		return nil, err
	}
	if options.Latest && !options.AsOf.IsZero() {
		return nil, errors.New("a lake can't be read both as it is and as of a moment")
	}
	options.FileMode = cmp.Or(options.FileMode, 0o644)
	options.DirectoryMode = cmp.Or(options.DirectoryMode, 0o755)
	options.Class = cmp.Or(options.Class, source.ClassLarge)
	options.Readers = max(1, cmp.Or(options.Readers, 32))
	if options.Note == nil {
		options.Note = func(string) {}
	}
	return &Source{bucket: bucket, options: options, exclude: patterns{all: leaveOut}, temporary: patterns{all: temporary}, torn: map[string]bool{}}, nil
}

// Excludes implements source.Excluding.
func (s *Source) Excludes() []string {
	lines := s.exclude.all.Lines()
	if !s.options.KeepTemporary {
		lines = append(lines, s.temporary.all.Lines()...)
	}
	return lines
}

// Class is large unless the options say otherwise.
func (s *Source) Class() source.Class { return s.options.Class }

// Readers returns how many objects are worth reading at once.
func (s *Source) Readers() int { return s.options.Readers }

// Close has nothing to do: idle connections end by themselves.
func (s *Source) Close() error { return nil }

// Moment returns the moment as of which the bucket was read; for a bucket without versions, when
// the walk began.
func (s *Source) Moment() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moment
}

// Walk lists the bucket. It fails if that is impossible, and with source.ErrEmpty.
func (s *Source) Walk(ctx context.Context, v source.Visitor) error {
	before, err := s.choose(ctx)
	if err != nil {
		return translate(err)
	}
	root := &entry.Entry{Type: entry.Directory, Mode: s.options.DirectoryMode}
	var failed error
	visit := func(e *entry.Entry) error { failed = v.Visit(e); return failed }
	problem := func(path string, err error) { v.Problem(path, fmt.Errorf("%s: %w", s.bucket, err)) }
	err = s.bucket.Tree(ctx, s3.TreeOptions{Before: before, Skip: s.skip, Problem: problem}, func(n s3.Node) error {
		if root != nil {
			if err := visit(root); err != nil {
				return err
			}
			root = nil
		}
		return visit(s.entry(n, !before.IsZero()))
	})
	switch {
	case err != nil && err == failed:
		return err
	case err != nil:
		return translate(err)
	}
	s.report()
	switch {
	case root == nil:
		return nil
	case !s.options.AllowEmpty:
		return fmt.Errorf("%s: %w", s.bucket, source.ErrEmpty)
	}
	return visit(root)
}

// choose decides as of when the bucket is read: versions from before that moment count. Zero means
// the latest state.
func (s *Source) choose(ctx context.Context) (before time.Time, err error) {
	s.setMoment(time.Now().UTC())
	if s.options.Latest {
		return time.Time{}, nil
	}
	versioned, err := s.bucket.Versioned(ctx)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, s3.ErrUnsupported) {
		if s.options.AsOf.IsZero() {
			s.options.Note(fmt.Sprintf("%s does not tell whether it has versions, so it is read as it is: %v", s.bucket, err))
			return time.Time{}, nil
		}
	}
	switch {
	case err != nil:
		return time.Time{}, err
	case versioned && !s.options.AsOf.IsZero():
		s.setMoment(s.options.AsOf.UTC())
		return s.options.AsOf.Add(time.Nanosecond), nil
	case versioned:
		return s.now(ctx)
	case !s.options.AsOf.IsZero():
		return time.Time{}, fmt.Errorf("%s keeps no versions, so it can't be read as of %s", s.bucket, s.options.AsOf.Format(time.RFC3339))
	}
	return time.Time{}, nil
}

// now waits until a second is over by the server's clock: times of versions may be truncated to
// seconds, and everything written in a second that counts must be visible when the listing begins.
func (s *Source) now(ctx context.Context) (time.Time, error) {
	end, wait := s.bucket.Moment()
	s.setMoment(end.UTC())
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return end, nil
	case <-ctx.Done():
		return end, context.Cause(ctx)
	}
}

func (s *Source) setMoment(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moment = t
}

// SameContent implements source.Identifying. An ETag is a hash of the content, or of the content as
// it is encrypted there.
func (s *Source) SameContent(a, b *entry.Entry) bool {
	return a.Size == b.Size && a.Identity == b.Identity && a.Identity != ""
}

// Names of stored metadata, besides those of headers.
const (
	versionName   = "x-amz-version-id"
	tagsName      = "x-amz-tagging"
	directoryName = "s3-directory-object" // of a directory for which an object stands
)

func (s *Source) entry(n s3.Node, versions bool) *entry.Entry {
	e := &entry.Entry{Path: n.Path, Type: entry.File, Mode: s.options.FileMode, Size: n.Object.Size, Identity: n.Object.ETag}
	if n.Directory {
		e.Type, e.Mode, e.Identity = entry.Directory, s.options.DirectoryMode, ""
	}
	if n.Object.Key == "" {
		return e
	}
	e.ModTime = entry.TimeOf(n.Object.Modified.Truncate(time.Second))
	if n.Directory {
		e.Remote = append(e.Remote, entry.Attribute{Name: directoryName, Value: []byte(n.Object.ETag)})
	}
	if versions {
		e.Remote = append(e.Remote, entry.Attribute{Name: versionName, Value: []byte(n.Object.Version)})
	}
	return e
}

// Temporary lists patterns of what jobs are still writing: the output committers of Hadoop and
// Spark write below _temporary and .spark-staging-…, and Delta Lake writes a commit as
// _delta_log/.tmp… before it renames it.
var Temporary = []string{"_temporary/", ".spark-staging*/", "**/_delta_log/.tmp*"}

// patterns caches the patterns for the last directory, since keys come in order.
type patterns struct {
	all    *exclude.Patterns
	dir    string
	folder *exclude.Folder
}

func (p *patterns) in(dir string) *exclude.Folder {
	if p.folder == nil || p.dir != dir {
		p.dir, p.folder = dir, p.all.In(dir)
	}
	return p.folder
}

func (s *Source) skip(file string, directory bool) bool {
	dir, name := "", file
	if i := strings.LastIndexByte(file, '/'); i >= 0 {
		dir, name = file[:i], file[i+1:]
	}
	if s.exclude.in(dir).Match(name, directory) {
		return true
	}
	if s.options.KeepTemporary || !s.temporary.in(dir).Match(name, directory) {
		return false
	}
	if s.skips++; len(s.skipped) < 3 {
		s.skipped = append(s.skipped, file)
	}
	return true
}

// report says what was left out by rule.
func (s *Source) report() {
	if s.skips == 0 {
		return
	}
	more := ""
	if s.skips > len(s.skipped) {
		more = fmt.Sprintf(" and %d more", s.skips-len(s.skipped))
	}
	s.options.Note(fmt.Sprintf("left out what jobs are still writing: %s%s", strings.Join(s.skipped, ", "), more))
}

// Detail requests the metadata of the object that stands for a directory. That of a file comes with
// its content.
func (s *Source) Detail(ctx context.Context, e *entry.Entry) error {
	if err := ctx.Err(); err != nil || e.Type != entry.Directory || remote(e, directoryName) == "" {
		return err
	}
	o, err := s.bucket.Head(ctx, s3.Ref{Key: s.bucket.DirectoryKey(e.Path), Version: remote(e, versionName)})
	if err == nil {
		setRemote(e, o, "")
	}
	return translate(err)
}

// remote returns a value of an object's metadata.
func remote(e *entry.Entry, name string) string {
	for _, a := range e.Remote {
		if a.Name == name {
			return string(a.Value)
		}
	}
	return ""
}

// translate wraps err with the matching sentinel of package source.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, s3.ErrUnreachable):
		return fmt.Errorf("%w: %w", source.ErrUnreachable, err)
	case errors.Is(err, s3.ErrDenied), errors.Is(err, s3.ErrNoBucket):
		return fmt.Errorf("%w: %w", source.ErrFailed, err)
	case errors.Is(err, s3.ErrChanged):
		return fmt.Errorf("%w: %w", source.ErrChanged, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", source.ErrVanished, err)
	}
	return err
}
