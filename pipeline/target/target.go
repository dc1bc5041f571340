// Package target defines where a restore writes. If the target can rename, no incomplete file ever
// has its final name. Nothing is written outside the target's root, whatever a path or a link says.
// A target removes one thing at a time, and only empty directories: the caller decides what to
// remove. Every adapter passes the suite in targettest.
package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog/entry"
)

// Sentinel errors, to which adapters translate their own. Compare with errors.Is.
var (
	// ErrFull: no space left, or a quota is used up.
	ErrFull = errors.New("target is full")
	// ErrUnreachable: the server that holds the target cannot be reached.
	ErrUnreachable = fmt.Errorf("target %w", disk.ErrUnreachable)
	// ErrDenied: the server that holds the target refuses the login, or its identity cannot be
	// verified; or the root cannot be made.
	ErrDenied = errors.New("no access to the target")
	// ErrUnsupported: the target cannot hold such a thing, such as a symbolic link in a bucket. The
	// entry is reported and left out.
	ErrUnsupported = errors.New("not supported by this target")
	// ErrPath: the path leads outside the target's root.
	ErrPath = errors.New("path leads outside the target")
	// ErrNotEmpty: a directory that is not empty is in the way, or should be removed.
	ErrNotEmpty = errors.New("a directory that is not empty is there")
)

// Remarks of a Walk on what it has just visited.
var (
	// ErrMount: a file system is mounted there.
	ErrMount = errors.New("a file system is mounted there")
	// ErrUnlisted: a directory cannot be listed, or not completely, or something cannot be
	// examined.
	ErrUnlisted = errors.New("cannot look at what is there")
	// ErrOwn: it belongs to packstone itself, and must be neither changed nor removed. The walk
	// does not visit its content.
	ErrOwn = errors.New("it is packstone's own")
)

// Scope reports whether a path is included. nil includes all paths.
type Scope func(path string) bool

// Means reports whether a path is included.
func (s Scope) Means(path string) bool { return s == nil || s(path) }

// Visitor receives what a Walk finds. Its methods are called from one goroutine at a time.
type Visitor interface {
	// Visit is called with each entry, in the order of entry.ComparePaths. The visitor owns the
	// entry from then on. An error ends the walk, which returns it unchanged.
	Visit(e *entry.Entry) error
	// Remark is called about the entry that was visited last, before the next one, or about the
	// root before all entries. what wraps ErrMount, ErrUnlisted or ErrOwn.
	Remark(path string, what error)
}

// Entries is a Visitor that ignores remarks.
type Entries func(e *entry.Entry) error

// Visit implements Visitor.
func (f Entries) Visit(e *entry.Entry) error { return f(e) }

// Remark implements Visitor.
func (f Entries) Remark(string, error) {}

// Traits describe how to write to a target.
type Traits struct {
	// Sequential: a File is written from start to end without gaps; otherwise in any order, from
	// several goroutines.
	Sequential bool
	// Parallel is the number of files that may be open at once.
	Parallel int
	// Near: existing content is read faster than content is fetched.
	Near bool
	// Precision is the precision with which the target keeps times; 0 means nanoseconds.
	Precision time.Duration
}

// Target is a place to restore to. Methods are safe for concurrent use on different paths. The
// caller makes a directory before its content.
type Target interface {
	Traits() Traits
	// Walk visits what exists and is in scope, in the order of entry.ComparePaths, without the
	// root. It enters directories that are in scope. A root that does not exist is empty.
	Walk(ctx context.Context, in Scope, v Visitor) error
	// Accepts fails with ErrUnsupported if the target cannot hold such a thing. It does not access
	// the target.
	Accepts(e *entry.Entry) error
	// Make creates a directory, a link, a node or anything else without content, except for an
	// empty file. It keeps an existing directory. It replaces anything else in the way, but a
	// directory only if that is empty; otherwise it fails with ErrNotEmpty. Directories are
	// writable for their owner until Finish.
	Make(ctx context.Context, e *entry.Entry) error
	// Link makes e a hard link to the file at the path existing. After ErrUnsupported the caller
	// writes a copy.
	Link(ctx context.Context, e *entry.Entry, existing string) error
	// Create begins the file e. It appears at its path, with its metadata, when Commit returns. It
	// replaces what is in the way, like Make.
	Create(ctx context.Context, e *entry.Entry) (File, error)
	// Open opens the content at path for reading, to compare it. It returns nil, nil if there is no
	// regular file.
	Open(ctx context.Context, path string) (ReadAtCloser, error)
	// Finish sets owner, mode, times and attributes of a directory after all its content is in
	// place, or of a file whose content was kept.
	Finish(ctx context.Context, e *entry.Entry) error
	// Remove removes entries that a Walk has found, the content of a directory before the
	// directory. It keeps a directory that is not empty (ErrNotEmpty), and a mount point
	// (ErrMount). A missing entry counts as removed. It calls failed, from one goroutine at a time,
	// for what it could not remove; an error concerns the target as a whole.
	Remove(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) error
	// Close makes everything durable and frees resources.
	Close(ctx context.Context) error
}

// Looker is a Target whose Walk returns what Finish sets, which saves requests to the server.
type Looker interface {
	Target
	// Finished reports whether Finish of e would change nothing of what Walk has found, as far as
	// Walk shows it and the target can set it.
	Finished(there, e *entry.Entry) bool
}

// Finished reports whether Finish of e would change nothing of what a Walk has found. For a target
// that is not a Looker, that is known only for files with a known mode and no other metadata.
func Finished(t Target, there, e *entry.Entry) bool {
	if l, ok := t.(Looker); ok {
		return l.Finished(there, e)
	}
	return e.Type != entry.Directory && there.Inode == 0 && (e.Type != entry.File || there.Mode == 0 || there.Mode == e.Mode)
}

// ReadAtCloser reads existing content of a target.
type ReadAtCloser interface {
	io.ReaderAt
	io.Closer
}

// Sparse is a ReadAtCloser that knows where its file has data.
type Sparse interface {
	ReadAtCloser
	// NextData returns the next range of data between offset and end, an empty one at end if there
	// is none.
	NextData(offset, end int64) (from, to int64, err error)
}

// File is a file being restored. What is never written stays a hole if the target has holes, else
// zeros.
type File interface {
	io.WriterAt
	// Commit sets the file's metadata and gives it its final name.
	Commit(ctx context.Context) error
	// Abort drops what was written. After Commit it does nothing.
	Abort()
}
