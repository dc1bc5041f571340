package ftp_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/ftp"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
)

// strange are names, of which FTP has some and can't have others: a line break ends a line of a
// listing, and other bytes end a command.
var strange = map[string]bool{
	"good": true, "dir/good": true, "new\nline": false, "x\n-rw-r--r-- 1 1 1 5 Nov 22 17:36 fake": false, "cr\rname": false, "end\r": false, "end\n": false, "\nbegin": false,
	"dir\nline/in": false, "good\nx": false, "dir\rx/in": false, "y\ntype=file;size=3;modify=20200101000000; z": false, "w\xff\xff": false, "\xff": false,
	"a -> b": true, "-> x": true, " -> ": true, "x -> ": true, "d -> e/in": true, "type=file;size=3; x": true, " lead": true, "trail ": true, "total 5": true,
	"tab\there": true, "*": true, "[x]": true, "-l": true, "-la/in": true,
}

func TestABadNameDoesNotEndABackup(t *testing.T) {
	for name, start := range dialects {
		t.Run(name, func(t *testing.T) {
			server := start(t, ftptest.Options{})
			for n := range strange {
				file := filepath.Join(server.Disk, n)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("content of "+n), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			for n, to := range map[string]string{"l -> m": "t -> u", "link": "good", "p\nq": "good", "nowhere -> x": "gone"} {
				if err := os.Symlink(to, filepath.Join(server.Disk, n)); err != nil {
					t.Fatal(err)
				}
			}
			server.Own(t)
			s := open(t, server.Client(), ftp.Options{Path: server.Path})
			defer s.Close()
			var v sourcetest.Recorder
			if err := s.Walk(context.Background(), &v); err != nil {
				t.Fatalf("walk: %v", err)
			}
			if len(v.Problems) == 0 {
				t.Error("names that FTP can't have are not told")
			}
			got := read(t, s, &v)
			for n, has := range strange {
				if text, came := got[n]; came != has || has && text != "content of "+n {
					t.Errorf("%q: got %q, %v, want its content: %v", n, text, came, has)
				}
			}
			if link := v.Find("link"); link == nil || link.Target != "good" {
				t.Errorf("a link: got %+v", link)
			}
			if wrong := v.Find("l"); wrong != nil {
				t.Errorf("half a name was taken for a link's: %+v", wrong)
			}
		})
	}
}

// read is the content of all files that can be read.
func read(t *testing.T, s *ftp.Source, v *sourcetest.Recorder) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, e := range v.Entries {
		if e.Type != entry.File {
			continue
		}
		text, err := sourcetest.Read(s, e)
		if errors.Is(err, source.ErrUnreachable) {
			t.Errorf("%q: %v, which ends a backup", e.Path, err)
		}
		if err == nil {
			got[e.Path] = string(text)
		}
	}
	return got
}

func TestSocketsAreKnownFromLines(t *testing.T) {
	server := ftptest.Vsftpd(t, ftptest.Options{})
	l, err := net.Listen("unix", filepath.Join(server.Disk, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server.Own(t)
	s := open(t, server.Client(), ftp.Options{Path: server.Path})
	defer s.Close()
	found := sourcetest.Walk(t, s)
	if e := found.Find("socket"); e == nil || e.Type != entry.Socket || len(found.Problems) > 0 {
		t.Errorf("got %+v and the problems %v, want a socket", e, found.Problems)
	}
}
