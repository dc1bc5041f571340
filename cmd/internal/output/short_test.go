package output

import (
	"fmt"
	"strings"
	"testing"
)

func TestAShortListPrintsTheFirstOfEachAction(t *testing.T) {
	var b strings.Builder
	out := New(Options{Stdout: &b, Stderr: &b})
	var l ShortList
	for i := range mostListed + 2 {
		l.Note(out, "restored", Name(fmt.Sprintf("f%02d", i)), false)
	}
	l.Note(out, "deleted", "g", false)
	l.End(out)
	got := b.String()
	if strings.Count(got, "restored ") != mostListed || !strings.Contains(got, "deleted   g\n") || !strings.HasSuffix(got, "and 2 restored: -v lists all\n") {
		t.Errorf("the list is:\n%s", got)
	}
	if strings.Contains(got, "f20") {
		t.Error("it lists more than the first")
	}
}
