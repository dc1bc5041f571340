package sftp_test

import (
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
	remote "github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/sftp"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
)

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
	server := sftptest.Start(t, "")
	var tree sourcetest.Tree
	for d := range 60 {
		tree = append(tree, sourcetest.Directory(fmt.Sprintf("d%02d", d)))
		for f := range 10 {
			tree = append(tree, sourcetest.File(fmt.Sprintf("d%02d/%d", d, f), nil))
		}
	}
	place(t, server, tree)
	for name, breakIt := range map[string]func(){"sessions": server.Sessions, "server": func() { server.Kill(); server.Restart(t) }} {
		for _, at := range []int{0, 1, 300} {
			s := open(t, server.Client(), sftp.Options{Path: server.Disk})
			v := &changer{at: at, do: breakIt}
			if err := s.Walk(context.Background(), v); err != nil || len(v.Problems) > 0 || len(v.Entries) != len(tree)+1 {
				t.Errorf("%s at entry %d: got %d entries, problems %v, %v, want %d", name, at, len(v.Entries), v.Problems, err, len(tree)+1)
			}
			s.Close()
		}
	}
}

func TestAFolderThatMayNotBeReadIsReportedAndTheRestGoesOn(t *testing.T) {
	server := sftptest.InProcess(t, sftptest.InProcessOptions{Password: "x", Forbidden: "/secret"})
	client, err := remote.NewServer(server.Client())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	err = client.Do(context.Background(), "fill", "/", func(c *remote.Conn) error {
		return c.Mkdir(context.Background(), "/secret", 0o755)
	})
	if err == nil {
		_, err = client.Create(context.Background(), "/z").Close(0, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := sftp.New(client, sftp.Options{Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	v := new(sourcetest.Recorder)
	if err := s.Walk(context.Background(), v); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(v.Problems["secret"], fs.ErrPermission) || len(v.Problems) != 1 || v.Find("z") == nil {
		t.Errorf("got problems %v, %d entries", v.Problems, len(v.Entries))
	}
}

func TestAFileThatGrowsIsNotTakenForWhole(t *testing.T) {
	server := sftptest.Start(t, "")
	file := filepath.Join(server.Disk, "log")
	if err := os.WriteFile(file, sourcetest.Content(300_000, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, server.Client(), sftp.Options{Path: server.Disk, Settle: 400 * time.Millisecond})
	defer s.Close()
	e := sourcetest.Walk(t, s).Find("log")
	f, err := s.Open(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(io.Discard, f); err != nil {
		t.Fatal(err)
	}
	grow := time.AfterFunc(100*time.Millisecond, func() {
		if f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			_, _ = f.WriteString("more")
			f.Close()
		}
	})
	defer grow.Stop()
	if err := f.Finish(e); !errors.Is(err, source.ErrChanged) || e.Size != 300_000 {
		t.Errorf("got %v, size %d, want ErrChanged and the 300000 that were read", err, e.Size)
	}
	again := sourcetest.Walk(t, s).Find("log")
	if got, err := sourcetest.Read(s, again); err != nil || len(got) != 300_004 {
		t.Errorf("when it has stopped growing: got %d bytes, %v", len(got), err)
	}
}

func TestUnchangedFilesAreKnownAndChangedOnesToo(t *testing.T) {
	server := sftptest.Start(t, "")
	fresh := sourcetest.File("fresh", []byte("1"))
	fresh.ModTime = entry.TimeOf(time.Now())
	place(t, server, sourcetest.Tree{fresh, sourcetest.File("same", []byte("1")), sourcetest.File("touched", []byte("1"))})
	walk := func() *sourcetest.Recorder {
		s := open(t, server.Client(), sftp.Options{Path: server.Disk})
		defer s.Close()
		return sourcetest.Walk(t, s)
	}
	before := walk()
	moment := before.Find("touched").ModTime.Time().Add(time.Second)
	if err := os.Chtimes(filepath.Join(server.Disk, "touched"), moment, moment); err != nil {
		t.Fatal(err)
	}
	now := walk()
	for path, want := range map[string]bool{"same": true, "touched": false, "fresh": false} {
		if got := entry.Unchanged(before.Find(path), now.Find(path)); got != want {
			t.Errorf("%s: unchanged is %v, want %v", path, got, want)
		}
	}
}

func TestTimesThatSFTPHasNoBitsForAreTold(t *testing.T) {
	server := sftptest.Start(t, "")
	for name, seconds := range map[string]int64{"now": time.Now().Unix(), "zero": 0, "before": -1, "long before": -1_000_000_000, "late": 2_500_000_000} {
		file := filepath.Join(server.Disk, name)
		if err := errors.Join(os.WriteFile(file, nil, 0o644), os.Chtimes(file, time.Unix(seconds, 0), time.Unix(seconds, 0))); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, server.Client(), sftp.Options{Path: server.Disk})
	defer s.Close()
	found := sourcetest.Walk(t, s)
	advice := s.Advice()
	if len(found.Entries) != 6 || len(advice) != 1 || !strings.Contains(advice[0], "3 entries") || !strings.Contains(advice[0], "32 bits") {
		t.Errorf("%d entries, got the advice %q, want one about 3 entries", len(found.Entries), advice)
	}
}

func TestAServerThatIsAwayOrNotTheRightOneIsTold(t *testing.T) {
	server := sftptest.Start(t, "")
	server.Know(t, server.ForeignKey(t))
	err := open(t, server.Client(), sftp.Options{}).Walk(context.Background(), new(sourcetest.Recorder))
	if !errors.Is(err, source.ErrFailed) || !strings.Contains(err.Error(), server.KnownHosts) {
		t.Errorf("wrong host key: got %v", err)
	}
	server.Kill()
	if err := open(t, server.Client(), sftp.Options{}).Walk(context.Background(), new(sourcetest.Recorder)); !errors.Is(err, source.ErrUnreachable) {
		t.Errorf("no server: got %v, want ErrUnreachable", err)
	}
}
