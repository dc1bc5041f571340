package daemon

import (
	"strings"
	"time"

	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
)

// Result is how a run of a job ended.
type Result struct {
	Outcome     health.Outcome
	Cause       string // in a line, of what is not health.Done
	Code        int    // the exit code that a verb would end with
	Hopeless    bool   // it failed, and will again: it is not tried again before its next time
	Log         string // the last lines that it had to say
	Snapshot    string // the id of the one that it made
	Trip        string // what a tripwire saw in that, "" if nothing
	BytesRead   int64
	BytesAdded  int64
	BytesStored int64
	Files       int64

	RPO, RTO time.Duration // that a drill has measured; it came to its end if RTO is above 0
}

// Judge sets Outcome and Hopeless for a job of a kind by Code.
func (r *Result) Judge(kind string) {
	switch {
	case r.Code == exitcode.Done:
		r.Outcome = health.Done
	case r.Code == exitcode.Missing, r.Code == exitcode.Drill && kind == Backup: // rows do not fit files
		r.Outcome = health.Missing
	case r.Code == exitcode.Interrupted:
		r.Outcome = health.Interrupted
	default:
		r.Outcome = health.Broken
	}
	r.Hopeless = r.Code == exitcode.Usage || r.Code == exitcode.Refused || r.Code == exitcode.Integrity
}

// CodeOf returns the exit code for several runs: that of the first that failed, else that of one
// that was not fully successful.
func CodeOf(runs []*history.Run) (code int) {
	for _, run := range runs {
		if run.Outcome != health.Done && (code == exitcode.Done || code == exitcode.Missing && run.Outcome == health.Broken) {
			code = run.Code
		}
	}
	return code
}

// ListedAbove is what an error says whose particulars were told already.
const ListedAbove = " (listed above)"

const (
	maxCause   = 500 // bytes of an error that are kept
	mostListed = 3   // particulars that a cause has
)

// CauseOf returns the text of an error in one short line. log is what was said before it: where the
// error refers to that, some of it takes the place of the reference, and the last line of it that of
// an error of which all was told.
func CauseOf(text, log string, told bool) string {
	text = particulars(text, log)
	if told {
		lines := strings.Split(strings.TrimSpace(log), "\n")
		text = lines[len(lines)-1]
	}
	var parts []string
	for line := range strings.Lines(text) {
		if part := strings.Join(strings.Fields(line), " "); part != "" {
			parts = append(parts, part)
		}
	}
	if text = strings.ReplaceAll(strings.Join(parts, "; "), ":; ", ": "); len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "…"
	}
	return text
}

// particulars puts in the place of ListedAbove the first of what was told.
func particulars(text, log string) string {
	text, cure, listed := strings.Cut(text, ListedAbove)
	if !listed {
		return text
	}
	var first []string
	for line := range strings.Lines(log) {
		if told, is := strings.CutPrefix(line, "error: "); is && len(first) < mostListed {
			first = append(first, strings.TrimSuffix(told, "\n"))
		}
	}
	if len(first) > 0 {
		text += ":\n" + strings.Join(first, "\n")
	}
	return text + cure
}
