// Package source defines what can be backed up. An adapter lists entries and opens their content;
// the pipeline decides what has changed, what to read and how to store it. Every adapter passes the
// suite in sourcetest.
package source

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
	// ErrVanished: the entry was listed but no longer exists.
	ErrVanished = errors.New("vanished before it was read")
	// ErrChanged: the content changed while it was read, so that what was read mixes several
	// moments.
	ErrChanged = errors.New("changed while it was read")
	// ErrUnreachable: the server or mount that holds the source cannot be reached.
	ErrUnreachable = fmt.Errorf("source %w", disk.ErrUnreachable)
	// ErrEmpty: the source's root contains nothing although it is declared, or known, to contain
	// something: a file system that is not mounted must not look like one whose files were all
	// deleted.
	ErrEmpty = errors.New("source is empty")
	// ErrUnmounted: in the last snapshot the source was on a file system of its own, which is not
	// mounted now.
	ErrUnmounted = errors.New("file system is not mounted")
	// ErrFailed: the source as a whole has failed, such as a command that exited with an error.
	// What it returned so far must not become part of a snapshot.
	ErrFailed = errors.New("source failed")
)

// Class is how content of a source is best cut into chunks: see the chunker's classes with the same
// names.
type Class string

// The classes, from dumps of databases, which are edited in many places, to large files that hardly
// change.
const (
	ClassSmall  Class = "small"
	ClassMedium Class = "medium"
	ClassLarge  Class = "large"
	ClassPages  Class = "pages"
)

// Visitor receives what a Walk finds. Its methods are called from one goroutine at a time.
type Visitor interface {
	// Visit is called with each entry, in the order of entry.ComparePaths, the root ("") first if
	// the source has one. The visitor owns the entry from then on. An error ends the walk.
	Visit(e *entry.Entry) error
	// Problem is called when the directory that was visited last could not be listed, or when
	// something could not be examined, in the order of Visit. The walk continues.
	Problem(path string, err error)
}

// Witness is a Visitor that is also told what a source contains and leaves out, by a rule that the
// snapshot does not record. A restore must not conclude that these things did not exist.
type Witness interface {
	Visitor
	// Leave is called with what is left out, in the order of Visit, or with the directory that was
	// visited last if its content is left out.
	Leave(path string, why entry.Reason)
}

// Leave calls Leave of a visitor that is a Witness.
func Leave(v Visitor, path string, why entry.Reason) {
	if w, ok := v.(Witness); ok {
		w.Leave(path, why)
	}
}

// Source is one thing to back up. Walk is called once. Detail and Open are safe for concurrent use,
// while Walk runs and afterwards.
type Source interface {
	// Class returns how most of the source's content is cut.
	Class() Class
	// Walk lists the entries with the metadata that a listing returns at no extra cost. It returns
	// an error only if the source as a whole cannot be backed up.
	Walk(ctx context.Context, v Visitor) error
	// Detail adds to a new or changed entry what a listing does not return: link target, extended
	// attributes, owner names, extents, a remote object's metadata.
	Detail(ctx context.Context, e *entry.Entry) error
	// Open opens the content of an entry of type File.
	Open(ctx context.Context, e *entry.Entry) (File, error)
	// Close closes connections and handles. It does not end running Opens.
	Close() error
}

// File is the content of one entry, read from start to end. A sparse file is read in full, its
// holes as zeros. A File may also implement io.ReaderAt if that is as cheap, and Sparse if it knows
// its holes.
type File interface {
	io.Reader
	// Finish is called after Read has returned io.EOF. It updates e to the state that was read: a
	// log that grew may have another size and time. It returns ErrChanged if what was read mixes
	// several moments, and ErrFailed if it must not be used.
	Finish(e *entry.Entry) error
	Close() error
}

// Sparse is a File that knows without reading where zeros follow.
type Sparse interface {
	File
	// Zeros returns how many zeros certainly follow. Skip skips this many bytes.
	Zeros() int64
	Skip(n int64)
}

// Lookup returns what the last tree of a source has at a path; nil if there is nothing that can be
// taken over. The caller owns the entry.
type Lookup func(ctx context.Context, path string) (*entry.Entry, error)

// Incremental is a Source that builds on its last tree. Previous is called before Walk if there is
// a last tree. Only the goroutine of Walk may call lookup, until Walk returns. If Walk visits an
// entry that lookup returned, unchanged, the entry is taken over without being opened.
type Incremental interface {
	Source
	Previous(lookup Lookup)
}

// Distant is a Source that may be on the other side of a network, where reading is mostly waiting.
// Readers returns how many entries may be read at once, regardless of the number of processors; 0
// if the source is not distant.
type Distant interface {
	Source
	Readers() int
}

// Dated is a Source whose content belongs to a single moment.
type Dated interface {
	Source
	// Moment is called after Walk.
	Moment() time.Time
}

// Counting is a Source that contains rows.
type Counting interface {
	Source
	// Rows returns the number of rows that were read. It is called after reading.
	Rows() uint64
}

// Excluding is a Source that leaves out what patterns match.
type Excluding interface {
	Source
	// Excludes returns these patterns as lines of a .gitignore in the top directory of the source's
	// tree.
	Excludes() []string
}

// Identifying is a Source whose entries have an identity of their content, and whose times a restore
// cannot bring back.
type Identifying interface {
	Source
	// SameContent reports whether two entries of a path are known to have the same content.
	SameContent(a, b *entry.Entry) bool
}

// Advising is a Source that may explain a run as a whole: why much of it could not be read, and
// what helps.
type Advising interface {
	Source
	// Advice is called when everything was read. It returns one sentence for each remedy.
	Advice() []string
}
