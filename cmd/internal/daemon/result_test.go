package daemon

import (
	"strings"
	"testing"

	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
)

func TestACauseIsOneShortLine(t *testing.T) {
	for _, test := range []struct {
		text, log string
		told      bool
		want      string
	}{
		{"connect:\n\t127.0.0.1: refused\r\n\n\t::1: refused", "", false, "connect: 127.0.0.1: refused; ::1: refused"},
		{"reported above", "first\nwhy it failed\n", true, "why it failed"},
		{"2 files failed (listed above)", "no error", false, "2 files failed"},
		{"4 files failed (listed above); run it again", "error: a\nwarning: b\nerror: c\nerror: d\nerror: e\n", false, "4 files failed: a; c; d; run it again"},
	} {
		if got := CauseOf(test.text, test.log, test.told); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
	if got := CauseOf(strings.Repeat("ä", 1000), "", false); len(got) > maxCause+len("…") {
		t.Errorf("%d bytes", len(got))
	}
}

func TestARunIsJudgedByItsExitCode(t *testing.T) {
	for _, test := range []struct {
		kind     string
		code     int
		want     health.Outcome
		hopeless bool
	}{
		{Backup, exitcode.Done, health.Done, false},
		{Backup, exitcode.Missing, health.Missing, false},
		{Backup, exitcode.Drill, health.Missing, false},
		{Drill, exitcode.Drill, health.Broken, false},
		{Check, exitcode.Integrity, health.Broken, true},
		{Copy, exitcode.Usage, health.Broken, true},
		{Prune, exitcode.Refused, health.Broken, true},
		{Prune, exitcode.Interrupted, health.Interrupted, false},
		{Backup, exitcode.Unreachable, health.Broken, false},
	} {
		r := Result{Code: test.code}
		if r.Judge(test.kind); r.Outcome != test.want || r.Hopeless != test.hopeless {
			t.Errorf("%s with %d: %s, hopeless %v; want %s, %v", test.kind, test.code, r.Outcome, r.Hopeless, test.want, test.hopeless)
		}
	}
}

func TestSeveralRunsEndWithTheCodeOfTheFirstFailure(t *testing.T) {
	run := func(outcome health.Outcome, code int) *history.Run {
		return &history.Run{Run: health.Run{Outcome: outcome, Code: code}}
	}
	done, missing := run(health.Done, 0), run(health.Missing, exitcode.Missing)
	failed, other := run(health.Broken, exitcode.Unreachable), run(health.Broken, exitcode.Failed)
	for name, c := range map[string]struct {
		runs []*history.Run
		want int
	}{
		"nothing was due":                     {nil, exitcode.Done},
		"all done":                            {[]*history.Run{done, done}, exitcode.Done},
		"something is missing":                {[]*history.Run{done, missing}, exitcode.Missing},
		"a failure outranks what is missing":  {[]*history.Run{missing, failed}, exitcode.Unreachable},
		"the first failure outranks another":  {[]*history.Run{failed, other, missing}, exitcode.Unreachable},
		"what is missing outranks no failure": {[]*history.Run{other, missing, done}, exitcode.Failed},
	} {
		if got := CodeOf(c.runs); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}
