// Package pipeline is the flow: it takes sources through the chunker into packs and commits them, and brings
// snapshots back to targets. It is the only place where all parts meet. Every stage is bounded; memory does not
// grow with the source.
package pipeline

import (
	"sync/atomic"

	"github.com/packstone/packstone/catalog"
)

// Progress counts what a run has done so far. It may be read at any time, by any goroutine. Bytes are of content.
type Progress struct {
	FilesDone, FilesNew, FilesChanged, FilesUnmodified atomic.Uint64
	Directories, Others, Missed                        atomic.Uint64
	BytesDone, BytesRead                               atomic.Uint64
	ChunksNew, BytesNew, BytesPacked                   atomic.Uint64 // not known before: chunks, their bytes, their bytes as stored
	FilesTotal, BytesTotal                             atomic.Uint64 // found so far
	WalkDone                                           atomic.Bool
	current                                            atomic.Pointer[string]
}

// Current is a file that is being worked on.
func (p *Progress) Current() string {
	if s := p.current.Load(); s != nil {
		return *s
	}
	return ""
}

// restart sets all counts to zero: the backup begins again.
func (p *Progress) restart() {
	for _, count := range []*atomic.Uint64{
		&p.FilesDone, &p.FilesNew, &p.FilesChanged, &p.FilesUnmodified, &p.Directories, &p.Others, &p.Missed,
		&p.BytesDone, &p.BytesRead, &p.ChunksNew, &p.BytesNew, &p.FilesTotal, &p.BytesTotal,
	} {
		count.Store(0)
	}
	p.WalkDone.Store(false)
}

func (p *Progress) setCurrent(path string) { p.current.Store(&path) }

// shownProblems is how many problems a snapshot keeps in its record; all are reported while they happen.
const shownProblems = 100

// noteProblem counts something missed.
func noteProblem(c *catalog.Coverage, path string, err error) {
	c.Missed++
	if len(c.Problems) < shownProblems {
		c.Problems = append(c.Problems, catalog.Problem{Path: path, Error: err.Error()})
	}
}
