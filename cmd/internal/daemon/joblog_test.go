package daemon

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/packstone/packstone/cmd/internal/output"
)

func TestALogNamesItsJobInEachLineAndKeepsTheLast(t *testing.T) {
	var out bytes.Buffer
	l := NewJobLog(&out, "backup s: ")
	fmt.Fprint(l, "one\ntw")
	fmt.Fprint(l, "o\nthree")
	l.Finish()
	if got, want := out.String(), "backup s: one\nbackup s: two\nbackup s: three\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if got, want := l.Tail(), "one\ntwo\nthree\n"; got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
	for i := range 10000 {
		fmt.Fprintln(l, "line", i)
	}
	if got := l.Tail(); len(got) > maxKept || !strings.HasSuffix(got, "line 9999\n") || !strings.HasPrefix(got, "line ") {
		t.Errorf("kept %d bytes, from %.20q", len(got), got)
	}
	out.Reset()
	fmt.Fprint(l, strings.Repeat("x", maxLine+7))
	if got := strings.Count(out.String(), "\n"); got != 1 || len(l.part) != 7 {
		t.Errorf("of a line without an end %d were printed, and %d bytes wait", got, len(l.part))
	}
}

func TestALogKnowsWhatItsJobHasDoneSoFar(t *testing.T) {
	var none *JobLog
	if got := none.Live(); got.Log != "" || got.Counts.FilesDone != 0 {
		t.Errorf("without a job: %+v", got)
	}
	l := NewJobLog(new(bytes.Buffer), "")
	fmt.Fprintln(l, "reads /srv")
	stop := l.Follow(func() output.Counts { return output.Counts{FilesDone: 3} })
	if got := l.Live(); got.Log != "reads /srv\n" || got.Counts.FilesDone != 3 {
		t.Errorf("at work: %+v", got)
	}
	stop()
	if got := l.Live(); got.Counts.FilesDone != 0 {
		t.Errorf("after it: %+v", got)
	}
}
