package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, json bool) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	f, err := Open(path, json)
	if err != nil {
		t.Fatal(err)
	}
	f.now = func() time.Time { return time.Date(2026, 11, 29, 2, 0, 7, 0, time.Local) }
	return f, path
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEachLineHasItsTime(t *testing.T) {
	f, path := open(t, false)
	for _, part := range []string{"one\ntw", "o\n", "  more\n\n", "no end"} {
		fmt.Fprint(f, part)
	}
	f.Close()
	want := "2026-11-29 02:00:07 one\n2026-11-29 02:00:07 two\n2026-11-29 02:00:07   more\n2026-11-29 02:00:07 \n2026-11-29 02:00:07 no end\n"
	if got := content(t, path); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEachLineOfAJSONFileIsAnObject(t *testing.T) {
	f, path := open(t, true)
	fmt.Fprint(f, `{"schema":"packstone.v1","message_type":"warning"}`+"\nhook says \"a\"\n{broken\n")
	f.Close()
	at := f.now().Format(time.RFC3339Nano)
	want := `{"time":"` + at + `","schema":"packstone.v1","message_type":"warning"}` + "\n" +
		`{"time":"` + at + `","schema":"packstone.v1","message_type":"output","text":"hook says \"a\""}` + "\n" +
		`{"time":"` + at + `","schema":"packstone.v1","message_type":"output","text":"{broken"}` + "\n"
	if got := content(t, path); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAFileThatWasMovedAwayIsMadeAnewAndLosesNoLine(t *testing.T) {
	f, path := open(t, false)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for n := range 100 {
				fmt.Fprintf(f, "line %d of %d\n", n, i)
			}
		})
	}
	for i := range 5 {
		if err := os.Rename(path, fmt.Sprint(path, ".", i)); err != nil {
			t.Fatal(err)
		}
		if err := f.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	writers.Wait()
	f.Close()
	all, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, name := range all {
		text += content(t, name)
	}
	if lines := strings.Count(text, "\n"); lines != 400 || strings.Count(text, "line ") != 400 {
		t.Errorf("%d lines, want 400", lines)
	}
}

func TestAFileThatCannotBeOpenedAnewIsWrittenOn(t *testing.T) {
	f, path := open(t, false)
	moved := path + ".1"
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err == nil {
		t.Error("a directory was opened")
	}
	fmt.Fprintln(f, "still there")
	f.Close()
	if got := content(t, moved); !strings.Contains(got, "still there") {
		t.Errorf("got %q", got)
	}
}

func TestTheJournalIsKnownByItsStream(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	device, inode, ok := identity(file)
	if !ok {
		t.Skip("streams cannot be told apart here")
	}
	stream := fmt.Sprintf("%d:%d", device, inode)
	if !IsJournal(file, stream) || IsJournal(file, "1:1") || IsJournal(file, "") || IsJournal(&strings.Builder{}, stream) {
		t.Error("a stream is taken for the journal that is none, or the other way round")
	}
}
