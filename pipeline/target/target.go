// Package target defines where a restore writes. No half-written file ever has its final name where
// the target can rename, and nothing is written outside the target's root, whatever a path or a
// link says. A target removes one thing at a time, and only empty directories: the caller decides
// what to remove. Every adapter passes the suite in targettest.
package target

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/packstone/packstone/catalog/entry"
)

// Sentinels that adapters translate their own errors to. Compare with errors.Is.
var (
	// ErrFull: no space left, or a quota is used up.
	ErrFull = errors.New("target is full")
	// ErrUnreachable: the server that holds the target cannot be reached.
	ErrUnreachable = errors.New("target unreachable")
	// ErrDenied: the server that holds the target does not let us in, or cannot be told from
	// another one; or the root cannot be made.
	ErrDenied = errors.New("no access to the target")
	// ErrUnsupported: the target has no such thing (a symbolic link in a bucket). The entry is
	// listed and left out.
	ErrUnsupported = errors.New("not supported by this target")
	// ErrPath: the path leads outside the target's root.
	ErrPath = errors.New("path leads outside the target")
	// ErrNotEmpty: a directory that is not empty is where something else should be, or should go.
	ErrNotEmpty = errors.New("a directory that is not empty is there")
)

// What a Walk remarks about what it has just visited.
var (
	// ErrMount: a file system is mounted there.
	ErrMount = errors.New("a file system is mounted there")
	// ErrUnlisted: a directory cannot be listed, or not wholly; or what bears a name cannot be
	// looked at.
	ErrUnlisted = errors.New("cannot look at what is there")
	// ErrOwn: it belongs to packstone itself, and must be neither changed nor removed. Nothing in
	// it is visited.
	ErrOwn = errors.New("it is packstone's own")
)

// Scope tells whether a path is meant. Nil means all paths.
type Scope func(path string) bool

// Means tells whether a path is meant.
func (s Scope) Means(path string) bool { return s == nil || s(path) }

// Visitor takes what a Walk finds. Its methods are called from one goroutine at a time.
type Visitor interface {
	// Visit takes one thing, in the order of entry.ComparePaths. The entry belongs to the visitor
	// from then on. An error ends the walk, and is returned as it is.
	Visit(e *entry.Entry) error
	// Remark tells something of the entry that was visited last, before the next one is, or of the
	// root before all entries: an error that wraps ErrMount, ErrUnlisted or ErrOwn.
	Remark(path string, what error)
}

// Entries is a Visitor that minds entries alone.
type Entries func(e *entry.Entry) error

// Visit implements Visitor.
func (f Entries) Visit(e *entry.Entry) error { return f(e) }

// Remark implements Visitor.
func (f Entries) Remark(string, error) {}

// Traits says how a target wants to be written.
type Traits struct {
	// Sequential: a File is written from start to end without gaps; else in any order, from several
	// goroutines.
	Sequential bool
	// Parallel is the number of files that may be open at once.
	Parallel int
	// Near: what is there is read faster than content is fetched.
	Near bool
	// Precision is how finely the target keeps times; 0: to the nanosecond.
	Precision time.Duration
}

// Target is one place to restore to. Methods are safe to call at once for different paths; the
// caller makes a directory before what is in it.
type Target interface {
	Traits() Traits
	// Walk visits what is there now and is in scope, in the order of entry.ComparePaths, without
	// the root. It goes into directories that are in scope. A root that does not exist is empty.
	Walk(ctx context.Context, in Scope, v Visitor) error
	// Accepts tells, without a look at the target, whether the target has such things.
	// ErrUnsupported if not.
	Accepts(e *entry.Entry) error
	// Make creates what has no content: a directory, a link, a node, an empty file excepted. A
	// directory that is there already is kept; anything else in the way is replaced, a directory by
	// something else only if it is empty: else ErrNotEmpty. Directories are made writable for their
	// owner until Finish.
	Make(ctx context.Context, e *entry.Entry) error
	// Link makes e a hard link to the file at the path existing. ErrUnsupported: the caller writes
	// a copy.
	Link(ctx context.Context, e *entry.Entry, existing string) error
	// Create begins the file e; it appears at its path, with its metadata, when its Commit returns.
	// What is in the way is replaced as by Make.
	Create(ctx context.Context, e *entry.Entry) (File, error)
	// Open opens the content at path for reading, to compare it; nil, nil if there is no regular
	// file.
	Open(ctx context.Context, path string) (ReadAtCloser, error)
	// Finish sets owner, mode, times and attributes of a directory (or of a file whose content was
	// kept) after everything in it is in place.
	Finish(ctx context.Context, e *entry.Entry) error
	// Remove removes things that a Walk has found, what lies in a directory before the directory. A
	// directory that is not empty stays: ErrNotEmpty; so does a mount point: ErrMount. What is not
	// there is removed already. What could not be removed is told to failed, from one goroutine at
	// a time; an error is of the target as a whole.
	Remove(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) error
	// Close makes everything durable and releases what is held.
	Close(ctx context.Context) error
}

// Looker is a Target whose Walk tells what Finish sets, so that asking the server for it can be
// saved.
type Looker interface {
	Target
	// Finished tells whether Finish of e would change nothing of what Walk found there, as far as
	// Walk tells and the target can set it.
	Finished(there, e *entry.Entry) bool
}

// Finished tells whether Finish of e would change nothing of what a Walk found there. Of a target
// that is no Looker, that is known only of files whose mode is told and that bear nothing else.
func Finished(t Target, there, e *entry.Entry) bool {
	if l, ok := t.(Looker); ok {
		return l.Finished(there, e)
	}
	return e.Type != entry.Directory && there.Inode == 0 && (e.Type != entry.File || there.Mode == 0 || there.Mode == e.Mode)
}

// ReadAtCloser reads what is in the target already.
type ReadAtCloser interface {
	io.ReaderAt
	io.Closer
}

// Sparse is a ReadAtCloser that knows where its file has data.
type Sparse interface {
	ReadAtCloser
	// NextData returns the next range of data that lies between offset and end; an empty one at end
	// if there is none.
	NextData(offset, end int64) (from, to int64, err error)
}

// File is a file being restored. What is never written stays a hole where the target has holes,
// else zeros.
type File interface {
	io.WriterAt
	// Commit gives the file its metadata and its final name.
	Commit(ctx context.Context) error
	// Abort drops what was written; a no-op after Commit.
	Abort()
}
