package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/exitcode"
)

// say makes a command that prints a word and what the hook is told.
func say(word string) []string {
	return []string{"sh", "-c", `echo "$1 $PACKSTONE_HOOK ${PACKSTONE_ERROR:+with error}"`, "sh", word}
}

func TestHooksRunInOrderWhateverHappens(t *testing.T) {
	fail := []string{"sh", "-c", "echo broken; exit 3"}
	hooks := func(before, after Commands) Hooks {
		return Hooks{Before: before, After: after, Failed: Commands{say("f")}, Finally: Commands{say("l")}}
	}
	tests := []struct {
		name    string
		hooks   Hooks
		work    error
		want    string
		wantErr string
	}{
		{"all good", hooks(Commands{say("b"), say("c")}, Commands{say("a")}), nil, "b before\nc before\nwork\na after\nl finally\n", ""},
		{"work fails", hooks(Commands{say("b")}, Commands{say("a")}), errors.New("no space"), "b before\nwork\nf failed with error\nl finally with error\n", "no space"},
		{"before fails", hooks(Commands{fail, say("c")}, Commands{say("a")}), nil, "broken\nf failed with error\nl finally with error\n", "run hook before: sh: exit status 3; its last output: broken"},
		{"after fails", hooks(nil, Commands{fail}), nil, "work\nbroken\nf failed with error\nl finally with error\n", "run hook after: sh: exit status 3; its last output: broken"},
		{"finally fails", Hooks{Finally: Commands{fail}}, nil, "work\nbroken\n", "run hook finally: sh: exit status 3; its last output: broken"},
		{"no such program", Hooks{Before: Commands{{"packstone-no-such-program"}}}, nil, "", "run hook before: packstone-no-such-program: exec: \"packstone-no-such-program\": executable file not found in $PATH"},
		{"none", Hooks{}, nil, "work\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Runner{Output: &out, Env: []string{"PATH=/usr/bin:/bin"}}.Run(t.Context(), test.hooks, func(context.Context) error {
				out.WriteString("work\n")
				return test.work
			})
			got := strings.ReplaceAll(out.String(), " \n", "\n")
			if got != test.want {
				t.Errorf("ran\n%swant\n%s", got, test.want)
			}
			if text := errorText(err); text != test.wantErr {
				t.Errorf("error %q, want %q", text, test.wantErr)
			}
			if test.work != nil && !errors.Is(err, test.work) {
				t.Errorf("%v does not wrap the error of the work", err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAfterAnInterruptionTheLastHooksStillRun(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	hooks := Hooks{After: Commands{say("a")}, Failed: Commands{say("f")}, Finally: Commands{say("l")}}
	err := Runner{Output: &out}.Run(ctx, hooks, func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	if want := "f failed with error\nl finally with error\n"; out.String() != want {
		t.Errorf("ran %q, want %q", out.String(), want)
	}
}

func TestAnInterruptionEndsAHookThatHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reader := &firstWrite{seen: cancel}
	hooks := Hooks{Before: Commands{{"sh", "-c", "echo up; exec sleep 600"}}}
	err := Runner{Output: reader, Grace: time.Minute}.Run(ctx, hooks, func(context.Context) error {
		t.Error("the work was done")
		return nil
	})
	if err == nil {
		t.Error("got no error")
	}
}

// firstWrite calls seen at each write.
type firstWrite struct{ seen func() }

func (w *firstWrite) Write(p []byte) (int, error) {
	w.seen()
	return len(p), nil
}

func TestAHookThatTakesTooLongIsEndedWithAllThatItStarted(t *testing.T) {
	var out bytes.Buffer
	hooks := Hooks{Before: Commands{{"sh", "-c", "trap '' INT; echo waiting; sleep 600 & wait; sleep 600"}}, Timeout: "50ms"}
	err := Runner{Output: &out, Grace: 50 * time.Millisecond}.Run(t.Context(), hooks, func(context.Context) error {
		t.Error("the work was done")
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "run hook before: sh: it was stopped after 50ms") {
		t.Errorf("got %v, want that it was ended", err)
	}
}

func TestHooksLearnHowTheWorkEnded(t *testing.T) {
	missing, broken := errors.New("3 entries are missing"), errors.New("no space")
	show := func(word string) []string {
		return []string{"sh", "-c", `echo "$1 $RESULT ${PACKSTONE_ERROR}"`, "sh", word}
	}
	hooks := Hooks{Before: Commands{show("before")}, After: Commands{show("after")}, Failed: Commands{show("failed")}, Finally: Commands{show("finally")}}
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, "before  \nafter <nil> \nfinally <nil> \n"},
		{missing, "before  \nafter 3 entries are missing 3 entries are missing\nfinally 3 entries are missing 3 entries are missing\n"},
		{broken, "before  \nfailed no space no space\nfinally no space no space\n"},
	} {
		var out bytes.Buffer
		r := Runner{Output: &out, Result: func(err error) Result {
			return Result{Made: err == nil || errors.Is(err, missing), Env: []string{fmt.Sprintf("RESULT=%v", err)}}
		}}
		if err := r.Run(t.Context(), hooks, func(context.Context) error { return test.err }); !errors.Is(err, test.err) {
			t.Errorf("got %v, want %v", err, test.err)
		}
		if out.String() != test.want {
			t.Errorf("after %v the hooks said\n%swant\n%s", test.err, out.String(), test.want)
		}
	}
}

func TestWhatCannotBeginFailsWithItsLastHooks(t *testing.T) {
	var out bytes.Buffer
	hooks := Hooks{Before: Commands{say("b")}, After: Commands{say("a")}, Failed: Commands{say("f")}, Finally: Commands{say("l")}}
	err := Runner{Output: &out}.Fail(t.Context(), hooks, errors.New("no route"))
	if want := "f failed with error\nl finally with error\n"; errorText(err) != "no route" || out.String() != want {
		t.Errorf("%v, and ran %q, want %q", err, out.String(), want)
	}
}

func TestCommandsLearnHowABackupEnded(t *testing.T) {
	for _, test := range []struct {
		code     int
		snapshot string
		word     string
		made     bool
	}{
		{exitcode.Done, "abc", "success", true},
		{exitcode.Done, "", "success", true}, // nothing has changed
		{exitcode.Missing, "abc", "incomplete", true},
		{exitcode.Drill, "abc", "incomplete", true},
		{exitcode.Missing, "", "failed", false},
		{exitcode.Interrupted, "", "interrupted", false},
		{exitcode.Refused, "", "failed", false},
	} {
		r := ResultOf(test.code, test.snapshot)
		want := []string{"PACKSTONE_RESULT=" + test.word, fmt.Sprintf("PACKSTONE_EXIT_CODE=%d", test.code), "PACKSTONE_SNAPSHOT=" + test.snapshot}
		if r.Made != test.made || !slices.Equal(r.Env, want) {
			t.Errorf("code %d, snapshot %q: %+v, want %v %q", test.code, test.snapshot, r, test.made, want)
		}
	}
}
