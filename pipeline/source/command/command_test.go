package command_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/command"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func shell(t *testing.T, script string) *command.Source {
	t.Helper()
	s, err := command.New(command.Options{Name: "dump.sql", Command: []string{"/bin/sh", "-c", script}, Grace: 50 * time.Millisecond})
	must(t, err)
	return s
}

func only(t *testing.T, s source.Source) *entry.Entry {
	t.Helper()
	found := sourcetest.Walk(t, s)
	if len(found.Entries) != 1 || found.Entries[0].Path != "dump.sql" || found.Entries[0].Type != entry.File {
		t.Fatalf("got %d entries, want dump.sql alone", len(found.Entries))
	}
	return found.Entries[0]
}

func TestTheOutputIsOneFile(t *testing.T) {
	s := shell(t, "head -c 1000000 /dev/zero; echo noise >&2; echo end")
	e := only(t, s)
	before := time.Now()
	for range 2 { // each Open runs it anew
		got, err := sourcetest.Read(s, e)
		if want := string(make([]byte, 1000000)) + "end\n"; err != nil || string(got) != want {
			t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
		}
		if e.Size != 1000004 || e.ModTime.Time().Before(before) || e.ModTime.Time().After(time.Now()) {
			t.Errorf("got size %d, time %d, want 1000004 and the start", e.Size, e.ModTime)
		}
	}
	if s.Class() != source.ClassSmall {
		t.Errorf("got class %q, want small", s.Class())
	}
	if _, err := s.Open(context.Background(), &entry.Entry{Path: "other"}); !errors.Is(err, source.ErrVanished) {
		t.Errorf("open another name: got %v, want ErrVanished", err)
	}
}

func TestAFailedCommandFailsTheSourceAndSaysWhy(t *testing.T) {
	for script, want := range map[string]string{
		"echo data; echo lost connection to server >&2; exit 3":         "exit status 3: lost connection to server",
		"echo data; kill -9 $$":                                         "signal: killed",
		"yes chatter | head -c 100000 >&2; echo last words >&2; exit 1": "last words",
	} {
		s := shell(t, script)
		e := only(t, s)
		got, err := sourcetest.Read(s, e)
		if !errors.Is(err, source.ErrFailed) || !strings.Contains(err.Error(), want) || len(err.Error()) > 5000 {
			t.Errorf("%s: got %q, %v, want ErrFailed with %q", script, got, err, want)
		}
	}
	s, err := command.New(command.Options{Name: "dump.sql", Command: []string{"/no/such/program"}})
	must(t, err)
	if _, err := s.Open(context.Background(), only(t, s)); !errors.Is(err, source.ErrFailed) || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("no program: got %v, want ErrFailed naming it", err)
	}
}

// alive tells whether the process whose id a command wrote to a file still runs. Dead ones may wait
// for their parent.
func alive(t *testing.T, file string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// until waits for a condition that must come true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for range 1000 {
		if true() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: it never came true", what)
}

func TestTheWholeGroupEndsWithTheContextOrTheFile(t *testing.T) {
	for name, end := range map[string]func(cancel func(), f source.File){
		"context": func(cancel func(), f source.File) { cancel() },
		"close":   func(cancel func(), f source.File) { f.Close() },
	} {
		dir := t.TempDir()
		script := "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > " + dir + "/child; echo ready; while :; do sleep 0.1; done' & echo $$ > " + dir + "/parent; wait; while :; do sleep 0.1; done"
		s := shell(t, script)
		ctx, cancel := context.WithCancel(context.Background())
		e := only(t, s)
		f, err := s.Open(ctx, e)
		must(t, err)
		_, err = io.ReadFull(f, make([]byte, 6))
		must(t, err)
		end(cancel, f)
		if name == "context" {
			if _, err := io.ReadAll(f); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("read after the end: got %v, want context.Canceled or nothing more", err)
			}
			if err := f.Finish(e); !errors.Is(err, source.ErrFailed) {
				t.Errorf("finish: got %v, want ErrFailed", err)
			}
			must(t, f.Close())
		}
		cancel()
		for _, process := range []string{"parent", "child"} {
			until(t, name+": "+process+" has ended", func() bool { return !alive(t, filepath.Join(dir, process)) })
		}
	}
}

func TestWhatGoesOnInTheBackgroundHoldsNobodyUp(t *testing.T) {
	s := shell(t, "echo data; sleep 1000 >/dev/null & exit 0") // sleep keeps standard error
	got, err := sourcetest.Read(s, only(t, s))
	if err != nil || string(got) != "data\n" {
		t.Errorf("got %q, %v, want the data", got, err)
	}
}

func TestFinishBeforeTheEndIsAFailure(t *testing.T) {
	s := shell(t, "echo data; cat /dev/zero")
	e := only(t, s)
	f, err := s.Open(context.Background(), e)
	must(t, err)
	_, err = io.ReadFull(f, make([]byte, 100))
	must(t, err)
	if err := f.Finish(e); !errors.Is(err, source.ErrFailed) {
		t.Errorf("got %v, want ErrFailed", err)
	}
	must(t, f.Close())
	must(t, f.Close())
}

// broken is a reader that fails.
type broken struct{ r io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestAnInputIsReadOnce(t *testing.T) {
	at := time.Unix(1e9, 5)
	s, err := command.New(command.Options{Name: "dump.sql", Input: strings.NewReader("stream"), Time: at})
	must(t, err)
	e := only(t, s)
	got, err := sourcetest.Read(s, e)
	if err != nil || string(got) != "stream" || e.Size != 6 || e.ModTime != entry.TimeOf(at) {
		t.Errorf("got %q, %v, %+v", got, err, e)
	}
	if _, err := sourcetest.Read(s, e); !errors.Is(err, source.ErrFailed) {
		t.Errorf("again: got %v, want ErrFailed", err)
	}
	s, err = command.New(command.Options{Name: "dump.sql", Input: broken{strings.NewReader("stre")}})
	must(t, err)
	if _, err := sourcetest.Read(s, e); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken stream: got %v, want its error", err)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	for _, o := range []command.Options{
		{}, {Name: "x"}, {Name: "a/b", Command: []string{"true"}}, {Name: "..", Command: []string{"true"}},
		{Name: "x", Command: []string{"true"}, Input: bytes.NewReader(nil)},
	} {
		if _, err := command.New(o); err == nil {
			t.Errorf("New(%+v): got no error", o)
		}
	}
}
