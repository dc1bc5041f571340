package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestACauseIsOneShortLine(t *testing.T) {
	tests := []struct {
		err  error
		log  string
		want string
	}{
		{errors.New("connect:\n\t127.0.0.1: refused\r\n\n\t::1: refused"), "", "connect: 127.0.0.1: refused; ::1: refused"},
		{exitWith(exitFailed, "%w", errReported), "first\nwhy it failed\n", "why it failed"},
	}
	for _, test := range tests {
		if got := causeOf(test.err, test.log); got != test.want {
			t.Errorf("%q: got %q, want %q", test.err, got, test.want)
		}
	}
	if got := causeOf(errors.New(strings.Repeat("ä", 1000)), ""); len(got) > maxCause+len("…") {
		t.Errorf("%d bytes", len(got))
	}
}

func TestALogNamesItsJobInEachLineAndKeepsTheLast(t *testing.T) {
	var out bytes.Buffer
	l := &jobLog{to: &out, prefix: "backup s: "}
	fmt.Fprint(l, "one\ntw")
	fmt.Fprint(l, "o\nthree")
	l.finish()
	if got, want := out.String(), "backup s: one\nbackup s: two\nbackup s: three\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if got, want := l.tail(), "one\ntwo\nthree\n"; got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
	for i := range 10000 {
		fmt.Fprintln(l, "line", i)
	}
	if got := l.tail(); len(got) > maxKept || !strings.HasSuffix(got, "line 9999\n") || !strings.HasPrefix(got, "line ") {
		t.Errorf("kept %d bytes, from %.20q", len(got), got)
	}
	out.Reset()
	fmt.Fprint(l, strings.Repeat("x", maxLine+7))
	if got := strings.Count(out.String(), "\n"); got != 1 || len(l.part) != 7 {
		t.Errorf("of a line without an end %d were printed, and %d bytes wait", got, len(l.part))
	}
}
