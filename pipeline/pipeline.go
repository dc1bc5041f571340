// Package pipeline holds what its flows share: the counts of a run. Each flow is a package: backup,
// restore, check and browse, which all read through fetch. None imports another. Every stage of a
// flow is bounded: memory does not grow with the source.
package pipeline

import (
	"sync"
	"sync/atomic"
)

// Progress counts what a run has done so far. It may be read at any time, by any goroutine. Bytes
// are of content.
type Progress struct {
	FilesDone, FilesNew, FilesChanged, FilesUnmodified atomic.Uint64
	Directories, Others, Missed                        atomic.Uint64
	BytesDone, BytesRead                               atomic.Uint64
	ChunksNew, BytesNew, BytesPacked                   atomic.Uint64 // not known before: chunks, their bytes, their bytes as stored
	BytesStored                                        atomic.Uint64 // of BytesNew, what the store has
	FilesTotal, BytesTotal                             atomic.Uint64 // found so far
	WalkDone                                           atomic.Bool
	current                                            atomic.Pointer[string]

	mu       sync.Mutex
	walks    int  // that are expected and have not ended
	ahead    Size // of sources whose walk has not ended, as the last run had them
	walking  Size // of the source that is walked, as the last run had it
	foundAt  Size // what was found before it
	unknown  bool // the last run says nothing of some source
	expected bool // Expect was called
}

// Size is how much something holds.
type Size struct{ Files, Bytes uint64 }

// Expect says that a source will be walked, and how much it held the last time; 0: that is not
// known.
func (p *Progress) Expect(files, bytes uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected, p.walks = true, p.walks+1
	p.unknown = p.unknown || files == 0
	p.ahead = Size{p.ahead.Files + files, p.ahead.Bytes + bytes}
}

// BeginWalk says that the walk of a source begins that held so much the last time.
func (p *Progress) BeginWalk(files, bytes uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.walking, p.foundAt = Size{files, bytes}, Size{p.FilesTotal.Load(), p.BytesTotal.Load()}
}

// EndWalk says that what a source holds is known.
func (p *Progress) EndWalk() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.walks--
	p.ahead = Size{p.ahead.Files - p.walking.Files, p.ahead.Bytes - p.walking.Bytes}
	p.walking, p.foundAt = Size{}, Size{p.FilesTotal.Load(), p.BytesTotal.Load()}
	p.WalkDone.Store(p.walks <= 0)
}

// Through is how many bytes are through: those that were read, of which the new ones count half
// before they are stored. It moves while a file is read and while it is uploaded.
func (p *Progress) Through() uint64 {
	stored, added, done := p.BytesStored.Load(), p.BytesNew.Load(), p.BytesDone.Load()
	return done - min(done, (added-min(added, stored))/2)
}

// Totals are how much there is in all: as was found where every walk has ended, as the last run had
// it before; zero while neither is known.
func (p *Progress) Totals() Size {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := Size{p.FilesTotal.Load(), p.BytesTotal.Load()}
	switch {
	case !p.expected || p.walks <= 0:
		return found
	case p.unknown:
		return Size{}
	}
	return Size{max(found.Files, p.foundAt.Files+p.ahead.Files), max(found.Bytes, p.foundAt.Bytes+p.ahead.Bytes)}
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
		&p.BytesDone, &p.BytesRead, &p.ChunksNew, &p.BytesNew, &p.BytesStored, &p.FilesTotal, &p.BytesTotal,
	} {
		count.Store(0)
	}
	p.WalkDone.Store(false)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.walks, p.ahead, p.walking, p.foundAt, p.unknown, p.expected = 0, Size{}, Size{}, Size{}, false, false
}

// SetCurrent tells which file is being worked on.
func (p *Progress) SetCurrent(path string) { p.current.Store(&path) }
