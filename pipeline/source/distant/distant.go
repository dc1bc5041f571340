// Package distant is the common part of sources that are directories on servers, whatever the
// protocol. It lists directories with several requests at once and visits them in order, reads as
// many files at once as the server allows, and does not fetch files that are unchanged by all that
// the server tells. A file that changed shortly before it was listed may change again with the same
// time. So it also counts as changed in the next backup, and is examined a second time before it
// counts as complete.
package distant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote"
	"github.com/packstone/packstone/pipeline/remote/walk"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/exclude"
)

// Options determine what to back up. The zero value means everything in the directory in which a
// login begins.
type Options struct {
	// Path is the root. Without a leading slash it is relative to the directory in which a login
	// begins.
	Path string
	// Exclude lists patterns of what to leave out, in the syntax of exclude.Parse.
	Exclude []string
	// AllowEmpty accepts an empty root, which is source.ErrEmpty otherwise.
	AllowEmpty bool
	// Fresh is the age, by the server's clock, at which a file counts as finished (default: 10 min;
	// it tolerates a clock that is wrong by as much). Younger files are examined a second time
	// after Settle (default: 3 s).
	Fresh, Settle time.Duration
	// Class is how content is cut (default: source.ClassMedium).
	Class source.Class
}

// Directory is a directory on a server, accessed with some protocol. Its errors are those of
// package remote. All methods except Close are safe for concurrent use.
type Directory interface {
	// Host returns the server's name for messages.
	Host() string
	// Readers returns how many files are worth reading at once, Listers how many directories are
	// worth listing at once.
	Readers() int
	Listers() int
	// Root returns the directory itself.
	Root(ctx context.Context) (*entry.Entry, error)
	// List lists the directory at a path below the root; "" is the root.
	List(ctx context.Context, dir string) ([]Found, []error, error)
	// Detail adds to an entry what a listing does not return.
	Detail(ctx context.Context, e *entry.Entry) error
	// Open begins to read a file that List has found as e. ctx governs all reading.
	Open(ctx context.Context, e *entry.Entry) (Content, error)
	// Close ends the connections.
	Close() error
}

// Found is an element of a directory.
type Found struct {
	// Entry describes it. The path is only a name. The identity distinguishes this version of a
	// file from others, besides size and time.
	Entry entry.Entry
	// Key identifies a directory regardless of its path; empty if the server does not tell.
	Key string
	// Precision is the precision of its time.
	Precision time.Duration
	// Lacking, if set, says why what the server tells is not enough to back it up.
	Lacking error
}

// Content is a file that is being read. It is not safe for concurrent use.
type Content interface {
	io.ReadCloser
	// Offset returns how many bytes were read.
	Offset() int64
	// Began updates e to the file's state when it was opened, if the server has told that.
	Began(e *entry.Entry)
	// Check is called when everything was read. It reports whether the file was of one version all
	// the time, that of e; if not, it updates e to the present state. later says that some time has
	// passed since, so that the server must be asked again.
	Check(ctx context.Context, e *entry.Entry, later bool) (same bool, err error)
}

// Source is a directory on a server. It implements source.Distant and source.Excluding.
type Source struct {
	directory Directory
	options   Options
	exclude   *exclude.Patterns
}

var _ source.Distant = (*Source)(nil)

// New returns the source. Its Close closes the directory.
func New(directory Directory, options Options) (*Source, error) {
	for name := range strings.SplitSeq(options.Path, "/") {
		if name == ".." {
			return nil, fmt.Errorf("path %q on %s leads upwards", options.Path, directory.Host())
		}
	}
	options.Fresh = cmp.Or(options.Fresh, 10*time.Minute)
	options.Settle = cmp.Or(options.Settle, 3*time.Second)
	options.Class = cmp.Or(options.Class, source.ClassMedium)
	leaveOut, err := exclude.Parse(options.Exclude, exclude.Top(options.Path))
	if err != nil {
		return nil, err
	}
	return &Source{directory: directory, options: options, exclude: leaveOut}, nil
}

// Excludes implements source.Excluding.
func (s *Source) Excludes() []string { return s.exclude.Lines() }

// Class is medium unless the options say otherwise.
func (s *Source) Class() source.Class { return s.options.Class }

// Readers implements source.Distant.
func (s *Source) Readers() int { return s.directory.Readers() }

// Close closes the connections.
func (s *Source) Close() error { return s.directory.Close() }

// Walk lists the tree. It fails if the server or the root cannot be listed, and with
// source.ErrEmpty.
func (s *Source) Walk(ctx context.Context, v source.Visitor) error {
	root, err := s.directory.Root(ctx)
	if err != nil {
		return source.FromRemote(err)
	}
	if root.Type != entry.Directory {
		return fmt.Errorf("%s on %s is not a directory", s.options.Path, s.directory.Host())
	}
	return walk.Tree(ctx, walk.Options{
		Root: root, AllowEmpty: s.options.AllowEmpty, Parallel: s.directory.Listers(), List: s.list, Visit: v.Visit, Problem: v.Problem,
		Translate: func(err error) error {
			if errors.Is(err, walk.ErrEmpty) {
				return fmt.Errorf("%s on %s: %w", cmp.Or(s.options.Path, "the directory of the login"), s.directory.Host(), source.ErrEmpty)
			}
			return source.FromRemote(err)
		},
	})
}

func (s *Source) list(ctx context.Context, dir string) (walk.Listing, error) {
	found, problems, err := s.directory.List(ctx, dir)
	if err != nil {
		return walk.Listing{}, err
	}
	now, excluded := time.Now(), s.exclude.In(dir)
	var l walk.Listing
	for _, err := range problems {
		l.Problems = append(l.Problems, walk.Problem{Path: dir, Err: err})
	}
	for i := range found {
		s.take(&l, dir, &found[i], excluded, now)
	}
	return l, nil
}

// take adds one element of a listing.
func (s *Source) take(l *walk.Listing, dir string, f *Found, excluded *exclude.Folder, now time.Time) {
	e, name := f.Entry, f.Entry.Path
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		l.Problems = append(l.Problems, walk.Problem{Path: dir, Err: fmt.Errorf("the server lists %q, which is no name", name)})
		return
	}
	if dir != "" {
		e.Path = dir + "/" + name
	}
	if excluded.Match(name, e.Type == entry.Directory) {
		return
	}
	if f.Lacking != nil {
		l.Problems = append(l.Problems, walk.Problem{Path: e.Path, Err: f.Lacking})
		return
	}
	if e.Type == entry.File && (!e.HasModTime() || e.ModTime.Time().Add(f.Precision+s.options.Fresh).After(now)) {
		e.Identity = seen(e.Identity, now)
	}
	l.Items = append(l.Items, walk.Item{Entry: &e, Key: f.Key})
}

// freshMark precedes, in the identity of a fresh file, the moment at which it was listed. A fresh
// file may still change without another time, so its identity must differ from every other.
const freshMark = ";seen="

func seen(version string, now time.Time) string {
	return version + freshMark + strconv.FormatInt(now.UnixNano(), 10)
}

// Version returns the part of an identity that identifies the version of a file, without the moment
// of listing.
func Version(identity string) string {
	version, _, _ := strings.Cut(identity, freshMark)
	return version
}

// moment returns when a fresh file was listed; false if it was not fresh.
func moment(identity string) (time.Time, bool) {
	_, text, fresh := strings.Cut(identity, freshMark)
	if !fresh {
		return time.Time{}, false
	}
	ns, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Now(), true
	}
	return time.Unix(0, ns), true
}

// Detail implements source.Source.
func (s *Source) Detail(ctx context.Context, e *entry.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return source.FromRemote(s.directory.Detail(ctx, e))
}

// file is a file being read.
type file struct {
	Content
	source *Source
	ctx    context.Context
}

// Open opens a file. ctx governs all reading. A broken connection is replaced.
func (s *Source) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	content, err := s.directory.Open(ctx, e)
	if err != nil {
		return nil, source.FromRemote(err)
	}
	return &file{content, s, ctx}, nil
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	n, err := f.Content.Read(p)
	if err == io.EOF {
		return n, err
	}
	return n, source.FromRemote(err)
}

// Finish checks whether what was read is of one version. A file younger than Fresh may still be
// written to, and gets time to show that.
func (f *file) Finish(e *entry.Entry) error {
	is := *e
	f.Began(&is)
	if is.ModTime != e.ModTime || is.Size != e.Size || is.Mode != e.Mode {
		is.Identity = seen(Version(is.Identity), time.Now())
	}
	*e = is
	at, fresh := moment(e.Identity)
	if fresh && !remote.Sleep(f.ctx, max(0, f.source.options.Settle-time.Since(at))) {
		return context.Cause(f.ctx)
	}
	now := time.Now()
	same, err := f.Check(f.ctx, e, fresh)
	if err != nil {
		return source.FromRemote(err)
	}
	if same {
		return nil
	}
	e.Size, e.Identity = f.Offset(), seen(Version(e.Identity), now)
	return fmt.Errorf("%s on %s: %w", e.Path, f.source.directory.Host(), source.ErrChanged)
}
