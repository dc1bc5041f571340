package command_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/command"
)

var ctx = context.Background()

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func shell(t *testing.T, script string, out *bytes.Buffer) *command.Target {
	t.Helper()
	o := command.Options{Command: []string{"/bin/sh", "-c", script}, Grace: 50 * time.Millisecond}
	if out != nil {
		o.Output = out
	}
	tg, err := command.New(o)
	must(t, err)
	return tg
}

func create(t *testing.T, tg target.Target, size int64) target.File {
	t.Helper()
	f, err := tg.Create(ctx, &entry.Entry{Path: "d/dump.sql", Type: entry.File, Size: size})
	must(t, err)
	return f
}

func TestTheCommandGetsTheContentAndItsName(t *testing.T) {
	var out bytes.Buffer
	tg := shell(t, `cat; printf ' %s %s' "$PACKSTONE_PATH" "$PACKSTONE_SIZE"`, &out)
	f := create(t, tg, 12)
	for i, piece := range []string{"abc", "def"} {
		_, err := f.WriteAt([]byte(piece), int64(i*5)) // a hole of two
		must(t, err)
	}
	must(t, f.Commit(ctx))
	f.Abort()
	if got, want := out.String(), "abc\x00\x00def\x00\x00\x00\x00 d/dump.sql 12"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := f.Commit(ctx); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("commit again: got %v, want fs.ErrClosed", err)
	}
}

func TestTheExitStatusDecides(t *testing.T) {
	for script, want := range map[string]string{
		"cat >/dev/null; echo relation exists >&2; exit 4": "exit status 4: relation exists",
		"exit 1":                 "exit status 1",
		"head -c 10 >/dev/null":  "",
		"exec 0<&-; exit 0":      "",
		"cat >/dev/null; exit 0": "",
	} {
		f := create(t, shell(t, script, nil), 1<<20)
		piece := make([]byte, 64<<10)
		for at := int64(0); at < 1<<20; at += int64(len(piece)) {
			if _, err := f.WriteAt(piece, at); err != nil {
				t.Errorf("%s: write at %d: %v", script, at, err)
			}
		}
		err := f.Commit(ctx)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "d/dump.sql")) {
			t.Errorf("%s: got %v, want %q", script, err, want)
		}
	}
}

func TestAnAbortedCommandNeverSeesTheEndOfItsInput(t *testing.T) {
	mark := t.TempDir() + "/mark"
	for name, end := range map[string]func(cancel func(), f target.File){
		"abort":   func(cancel func(), f target.File) { f.Abort() },
		"context": func(cancel func(), f target.File) { cancel() },
	} {
		tg := shell(t, "cat >/dev/null; echo whole > "+mark, nil)
		within, cancel := context.WithCancel(ctx)
		f, err := tg.Create(within, &entry.Entry{Path: "x", Type: entry.File, Size: 100})
		must(t, err)
		_, err = f.WriteAt([]byte("half"), 0)
		must(t, err)
		end(cancel, f)
		if err := f.Commit(within); err == nil {
			t.Errorf("%s: commit then: got no error", name)
		}
		f.Abort()
		cancel()
		if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the command took half of the file for the whole", name)
		}
	}
}

func TestOnlyFilesInOrderAreTaken(t *testing.T) {
	tg := shell(t, "cat >/dev/null", nil)
	f := create(t, tg, 10)
	_, err := f.WriteAt([]byte("abcdef"), 0)
	must(t, err)
	if _, err := f.WriteAt([]byte("x"), 3); err == nil {
		t.Error("bytes that were handed over already were taken again")
	}
	f.Abort()
	must(t, tg.Make(ctx, &entry.Entry{Path: "d", Type: entry.Directory}))
	link := &entry.Entry{Path: "l", Type: entry.Symlink}
	_, createErr := tg.Create(ctx, link)
	for act, err := range map[string]error{"make": tg.Make(ctx, link), "link": tg.Link(ctx, link, "x"), "accept": tg.Accepts(link), "create": createErr} {
		if !errors.Is(err, target.ErrUnsupported) {
			t.Errorf("%s: got %v, want ErrUnsupported", act, err)
		}
	}
	if r, err := tg.Open(ctx, "x"); r != nil || err != nil {
		t.Errorf("open: got %v, %v, want nothing", r, err)
	}
	if !tg.Traits().Sequential || tg.Traits().Parallel != 1 {
		t.Errorf("got traits %+v, want one file at a time in order", tg.Traits())
	}
	if _, err := command.New(command.Options{}); err == nil {
		t.Error("no command: got no error")
	}
	missing, err := command.New(command.Options{Command: []string{"/no/such/program"}})
	must(t, err)
	if _, err := missing.Create(ctx, &entry.Entry{Path: "x", Type: entry.File}); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("got %v, want an error that names the program", err)
	}
}
