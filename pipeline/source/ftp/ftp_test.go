package ftp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/ftp"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
)

func each(t *testing.T, run func(t *testing.T, server *ftptest.Server)) {
	for name, start := range dialects {
		t.Run(name, func(t *testing.T) { run(t, start(t, ftptest.Options{})) })
	}
}

func opened(t *testing.T, server *ftptest.Server, o ftp.Options) *ftp.Source {
	t.Helper()
	o.Path = server.Path
	s := open(t, server.Client(), o)
	t.Cleanup(func() { s.Close() })
	return s
}

// changer changes the world at some entry of a walk.
type changer struct {
	sourcetest.Recorder
	at int
	do func()
}

func (c *changer) Visit(e *entry.Entry) error {
	if len(c.Entries) == c.at {
		c.do()
	}
	return c.Recorder.Visit(e)
}

func TestAWalkOutlivesItsServer(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		var tree sourcetest.Tree
		for d := range 60 {
			tree = append(tree, sourcetest.Directory(fmt.Sprintf("d%02d", d)))
			for f := range 10 {
				tree = append(tree, sourcetest.File(fmt.Sprintf("d%02d/%d", d, f), nil))
			}
		}
		place(t, server, tree)
		for name, breakIt := range map[string]func(){"sessions": server.Sessions, "server": func() { server.Kill(); server.Start(t) }} {
			for _, at := range []int{0, 1, 300} {
				v := &changer{at: at, do: breakIt}
				if err := opened(t, server, ftp.Options{}).Walk(context.Background(), v); err != nil || len(v.Problems) > 0 || len(v.Entries) != len(tree)+1 {
					t.Errorf("%s at entry %d: got %d entries, problems %v, %v, want %d", name, at, len(v.Entries), v.Problems, err, len(tree)+1)
				}
			}
		}
	})
}

func TestAFolderThatMayNotBeReadIsReportedAndTheRestGoesOn(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		place(t, server, sourcetest.Tree{
			sourcetest.File("a", []byte("a")), sourcetest.Directory("secret"), sourcetest.File("secret/x", nil), sourcetest.File("z", []byte("z")),
		})
		if err := os.Chmod(filepath.Join(server.Disk, "secret"), 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(server.Disk, "a"), 0); err != nil {
			t.Fatal(err)
		}
		s := opened(t, server, ftp.Options{})
		v := new(sourcetest.Recorder)
		if err := s.Walk(context.Background(), v); err != nil {
			t.Fatal(err)
		}
		if v.Problems["secret"] == nil || len(v.Problems) != 1 || v.Find("z") == nil || v.Find("secret") == nil {
			t.Errorf("got problems %v and %d entries", v.Problems, len(v.Entries))
		}
		if _, err := sourcetest.Read(s, v.Find("a")); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("read what may not be read: got %v, want fs.ErrPermission and the host", err)
		}
		if got, err := sourcetest.Read(s, v.Find("z")); err != nil || string(got) != "z" {
			t.Errorf("the rest: got %q, %v", got, err)
		}
	})
}

func TestAFileThatGrowsIsNotTakenForWhole(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		place(t, server, sourcetest.Tree{sourcetest.File("log", sourcetest.Content(300_000, 1))})
		file := filepath.Join(server.Disk, "log")
		if err := os.Chtimes(file, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		s := opened(t, server, ftp.Options{Settle: 400 * time.Millisecond})
		e := sourcetest.Walk(t, s).Find("log")
		f, err := s.Open(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := io.Copy(io.Discard, f); err != nil {
			t.Fatal(err)
		}
		// It grows between the first look and the second.
		grow := time.AfterFunc(100*time.Millisecond, func() { appendTo(t, file, "more") })
		defer grow.Stop()
		if err := f.Finish(e); !errors.Is(err, source.ErrChanged) {
			t.Errorf("got %v, want ErrChanged", err)
		}
		if e.Size != 300_000 {
			t.Errorf("the entry has size %d, want the 300000 that were read", e.Size)
		}
		again := sourcetest.Walk(t, s).Find("log")
		if got, err := sourcetest.Read(s, again); err != nil || len(got) != 300_004 {
			t.Errorf("when it has stopped growing: got %d bytes, %v", len(got), err)
		}
	})
}

func appendTo(t *testing.T, file, text string) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Error(err)
	}
}

func TestUnchangedFilesAreKnownAndChangedOnesToo(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		fresh := sourcetest.File("fresh", []byte("1"))
		fresh.ModTime = entry.TimeOf(time.Now())
		place(t, server, sourcetest.Tree{sourcetest.File("edited", []byte("12")), fresh, sourcetest.File("same", []byte("1")), sourcetest.File("touched", []byte("1"))})
		before := sourcetest.Walk(t, opened(t, server, ftp.Options{}))
		minute := before.Find("touched").ModTime.Time().Add(time.Second)
		if err := os.Chtimes(filepath.Join(server.Disk, "touched"), minute, minute); err != nil {
			t.Fatal(err)
		}
		appendTo(t, filepath.Join(server.Disk, "edited"), "3")
		now := sourcetest.Walk(t, opened(t, server, ftp.Options{}))
		for path, want := range map[string]bool{"same": true, "edited": false, "touched": false, "fresh": false} {
			if got := entry.Unchanged(before.Find(path), now.Find(path)); got != want {
				t.Errorf("%s: unchanged is %v, want %v: %+v, %+v", path, got, want, before.Find(path), now.Find(path))
			}
		}
	})
}

func TestAFolderOfTenThousandFiles(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		for i := range 10_000 {
			if err := os.WriteFile(filepath.Join(server.Disk, fmt.Sprintf("a file named ü %05d", i)), []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		server.Own(t)
		s := opened(t, server, ftp.Options{})
		found := sourcetest.Walk(t, s)
		if len(found.Entries) != 10_001 {
			t.Errorf("got %d entries, want 10001", len(found.Entries))
		}
		if e := found.Entries[5000]; e.Path != "a file named ü 04999" || e.Size != 1 {
			t.Errorf("entry 5000 is %+v", e)
		}
	})
}

func TestAReadOutlivesItsServer(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		want := sourcetest.Content(20<<20, 3)
		place(t, server, sourcetest.Tree{sourcetest.File("f", want)})
		s := opened(t, server, ftp.Options{})
		e := sourcetest.Walk(t, s).Find("f")
		f, err := s.Open(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		head := make([]byte, 1<<20)
		if _, err := io.ReadFull(f, head); err != nil {
			t.Fatal(err)
		}
		server.Kill()
		server.Start(t)
		rest, err := io.ReadAll(f)
		if err != nil || !bytes.Equal(append(head, rest...), want) {
			t.Fatalf("got %d bytes, %v", len(head)+len(rest), err)
		}
		server.Kill()
		server.Start(t)
		if err := f.Finish(e); err != nil {
			t.Errorf("finish: %v", err)
		}
	})
}

func TestAServerThatIsAwayOrRefusesIsTold(t *testing.T) {
	server := ftptest.Proftpd(t, ftptest.Options{})
	client := server.Client()
	client.Password = func(context.Context) (string, error) { return "wr0ng", nil }
	err := open(t, client, ftp.Options{}).Walk(context.Background(), new(sourcetest.Recorder))
	if !errors.Is(err, source.ErrFailed) || !strings.Contains(err.Error(), "check user and password") || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("wrong password: got %v", err)
	}
	server.Kill()
	if err := open(t, server.Client(), ftp.Options{}).Walk(context.Background(), new(sourcetest.Recorder)); !errors.Is(err, source.ErrUnreachable) {
		t.Errorf("no server: got %v, want ErrUnreachable", err)
	}
}

func TestARootThatIsNotThereIsAnError(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		s := open(t, server.Client(), ftp.Options{Path: "/no/where"})
		if err := s.Walk(context.Background(), new(sourcetest.Recorder)); err == nil || errors.Is(err, source.ErrEmpty) {
			t.Errorf("got %v, want an error that names the root", err)
		}
	})
}
