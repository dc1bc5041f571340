// Package source defines what can be backed up. An adapter lists entries and opens their content;
// the pipeline decides what has changed, what to read and how to store it. Every adapter passes the
// suite in sourcetest.
package source

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/packstone/packstone/catalog/entry"
)

// Sentinels that adapters translate their own errors to. Compare with errors.Is.
var (
	// ErrVanished: the entry was listed but is not there any more.
	ErrVanished = errors.New("vanished before it was read")
	// ErrChanged: the content changed while it was read, so what was read is of no one moment.
	ErrChanged = errors.New("changed while it was read")
	// ErrUnreachable: the server or mount that holds the source cannot be reached.
	ErrUnreachable = errors.New("source unreachable")
	// ErrEmpty: the source's root holds nothing although it is declared, or known, to hold
	// something: a file system that is not mounted must not look like one whose files were all
	// deleted.
	ErrEmpty = errors.New("source is empty")
	// ErrUnmounted: the source was on a file system of its own in the last snapshot, which is not
	// mounted now.
	ErrUnmounted = errors.New("file system is not mounted")
	// ErrFailed: the source as a whole has failed (a command that exited with an error); what it
	// gave so far must not become part of a snapshot.
	ErrFailed = errors.New("source failed")
)

// Class names how content of a source is best cut into chunks: see the chunker's classes of the
// same names.
type Class string

// The classes: from databases' dumps, which are edited in many places, to large files that hardly
// change.
const (
	ClassSmall  Class = "small"
	ClassMedium Class = "medium"
	ClassLarge  Class = "large"
	ClassPages  Class = "pages"
)

// Visitor takes what a Walk finds. Its methods are called from one goroutine at a time.
type Visitor interface {
	// Visit takes one entry, in the order of entry.ComparePaths, the root ("") first if the source
	// has one. The entry belongs to the visitor from then on. An error ends the walk.
	Visit(e *entry.Entry) error
	// Problem takes what could not be listed, a directory that was visited last, or what could not
	// be examined, in the order of Visit. The walk goes on.
	Problem(path string, err error)
}

// Witness is a Visitor that is told, too, what a source has and leaves out by a rule that the
// snapshot does not tell. A restore must not take that for absent.
type Witness interface {
	Visitor
	// Leave takes what is left out, in the order of Visit, or the directory that was visited last,
	// if that is so of what is in it.
	Leave(path string, why entry.Reason)
}

// Leave tells a visitor that is a Witness.
func Leave(v Visitor, path string, why entry.Reason) {
	if w, ok := v.(Witness); ok {
		w.Leave(path, why)
	}
}

// Source is one thing to back up. Walk is called once; Detail and Open are safe to call at once
// from several goroutines, while Walk still runs and after it.
type Source interface {
	// Class is how most of the source's content is cut.
	Class() Class
	// Walk lists the entries with the metadata that a listing gives at no further cost. It returns
	// an error only where the source as a whole cannot be backed up.
	Walk(ctx context.Context, v Visitor) error
	// Detail adds to a new or changed entry what a listing does not give: link target, extended
	// attributes, owner names, extents, a remote object's metadata.
	Detail(ctx context.Context, e *entry.Entry) error
	// Open opens the content of an entry of type File.
	Open(ctx context.Context, e *entry.Entry) (File, error)
	// Close releases connections and handles. It does not end running Opens.
	Close() error
}

// File is the content of one entry, read from start to end. A sparse file is read whole, its holes
// as zeros. A File may also implement io.ReaderAt where that is as cheap, and Sparse where it knows
// of holes.
type File interface {
	io.Reader
	// Finish is called after Read returned io.EOF. It brings e to the state that was read (a log
	// that grew may have another size and time) and returns ErrChanged where what was read is of no
	// one moment, ErrFailed where it must not be used.
	Finish(e *entry.Entry) error
	Close() error
}

// Sparse is a File that knows where nothing but zeros comes, without reading them.
type Sparse interface {
	File
	// Zeros is how many bytes come next that are zeros for sure; Skip passes over so many of them.
	Zeros() int64
	Skip(n int64)
}

// Lookup finds what the last tree of a source has at a path; nil if nothing that can be taken over.
// The entry belongs to the caller.
type Lookup func(ctx context.Context, path string) (*entry.Entry, error)

// Incremental is a Source that builds on what the last tree has of it. Previous is called before
// Walk if there is a last tree. The lookup is for the goroutine of Walk alone, and good until Walk
// returns. An entry that it gives and that Walk visits as it is, is taken over without being
// opened.
type Incremental interface {
	Source
	Previous(lookup Lookup)
}

// Distant is a Source that may be on the other side of a network, where reading is mostly waiting:
// as many entries as Readers says may be read at once, whatever the number of processors. Where
// that is none, it is not far away.
type Distant interface {
	Source
	Readers() int
}

// Dated is a Source whose content is all of one moment.
type Dated interface {
	Source
	// Moment is called after Walk.
	Moment() time.Time
}

// Counting is a Source that holds rows.
type Counting interface {
	Source
	// Rows is how many there are in what was read; it is called after that.
	Rows() uint64
}

// Excluding is a Source that leaves out what patterns match.
type Excluding interface {
	Source
	// Excludes are these patterns, as lines of a .gitignore in the top directory of the source's
	// tree.
	Excludes() []string
}

// Advising is a Source that may have something to say about a run as a whole: why much of it could
// not be read, and the cure.
type Advising interface {
	Source
	// Advice is called when everything was read; one sentence for each cure.
	Advice() []string
}
