package daemon

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/cmd/internal/output"
)

// Live is what a job or a restore has done so far.
type Live struct {
	Counts output.Counts
	Log    string // its last lines
}

// JobLog takes what a job says: it passes lines on with the job's name before each, and keeps the
// last of them. It knows what the job has done so far. It is safe for concurrent use.
type JobLog struct {
	to     io.Writer
	prefix string

	mu   sync.Mutex
	part []byte // of a line that has no end yet
	kept []byte // lines, the last ones

	counting sync.Mutex
	counts   func() output.Counts // nil: nothing is counted now
}

const (
	maxKept = 8 << 10 // bytes of lines that are kept
	maxLine = 1 << 20 // bytes of a line: a longer one, of a hook that never ends it, is broken
)

// NewJobLog returns a JobLog that passes lines on with a prefix.
func NewJobLog(to io.Writer, prefix string) *JobLog { return &JobLog{to: to, prefix: prefix} }

// Write takes text. It never fails.
func (l *JobLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := append(l.part, p...)
	for {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if !whole && len(rest) <= maxLine {
			break
		}
		if !whole {
			line, after = rest[:maxLine], rest[maxLine:]
		}
		l.line(line)
		rest = after
	}
	l.part = append([]byte(nil), rest...)
	return len(p), nil
}

func (l *JobLog) line(line []byte) {
	mark, line := output.CutPriority(line)
	l.to.Write(append(slices.Concat(mark, []byte(l.prefix), line), '\n')) // there is nowhere left to report a failure
	l.kept = append(append(l.kept, line...), '\n')
	if over := len(l.kept) - maxKept; over > 0 {
		_, l.kept, _ = bytes.Cut(l.kept[over:], []byte("\n"))
	}
}

// Finish ends a line that was begun.
func (l *JobLog) Finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.line(l.part)
		l.part = nil
	}
}

// Tail returns the lines that were said last, without the prefix.
func (l *JobLog) Tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.ToValidUTF8(string(l.kept), "�")
}

// Follow is given what tells what the job has done, until it calls stop; see output.Printer.Follow.
func (l *JobLog) Follow(counts func() output.Counts) (stop func()) {
	set := func(counts func() output.Counts) {
		l.counting.Lock()
		defer l.counting.Unlock()
		l.counts = counts
	}
	set(counts)
	return func() { set(nil) }
}

// Live returns what the job has done so far. A nil JobLog has done nothing.
func (l *JobLog) Live() (live Live) {
	if l == nil {
		return live
	}
	live.Log = l.Tail()
	l.counting.Lock()
	defer l.counting.Unlock()
	if l.counts != nil {
		live.Counts = l.counts()
	}
	return live
}
