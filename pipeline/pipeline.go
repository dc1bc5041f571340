// Package pipeline holds what the flows below it have in common: the counts of a run. Each flow is a package: backup, restore, check and browse,
// over fetch. None imports another. Every stage of a flow is bounded; memory does not grow with the source.
package pipeline

import "sync/atomic"

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

// Restart sets all counts to zero: the run begins again.
func (p *Progress) Restart() {
	for _, count := range []*atomic.Uint64{
		&p.FilesDone, &p.FilesNew, &p.FilesChanged, &p.FilesUnmodified, &p.Directories, &p.Others, &p.Missed,
		&p.BytesDone, &p.BytesRead, &p.ChunksNew, &p.BytesNew, &p.FilesTotal, &p.BytesTotal,
	} {
		count.Store(0)
	}
	p.WalkDone.Store(false)
}

// SetCurrent tells which file is being worked on.
func (p *Progress) SetCurrent(path string) { p.current.Store(&path) }
