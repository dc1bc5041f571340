package ftp_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	remote "github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/ftp"
	"github.com/packstone/packstone/pipeline/target/targettest"
)

// dialects are the servers and what they can do besides names and contents.
var dialects = map[string]struct {
	start func(testing.TB, ftptest.Options) *ftptest.Server
	keeps targettest.Keeps
}{
	"proftpd": {ftptest.Proftpd, targettest.Keeps{Mode: true, ModTime: time.Second, Directories: true}},
	"vsftpd":  {ftptest.Vsftpd, targettest.Keeps{Directories: true}},
}

func TestConformance(t *testing.T) {
	for name, d := range dialects {
		for way, security := range map[string]remote.Security{"clear": remote.Clear, "explicit": remote.Explicit, "implicit": remote.Implicit} {
			t.Run(name+"/"+way, func(t *testing.T) {
				server := d.start(t, ftptest.Options{Security: security})
				targettest.Run(t, func(t *testing.T, fresh bool) target.Target {
					if fresh {
						clear1(t, server.Disk)
					}
					return open(t, server.Client(), ftp.Options{Path: remote.Join(server.Path, "restored/here")})
				}, d.keeps)
			})
		}
	}
}

func open(t *testing.T, client remote.Options, o ftp.Options) *ftp.Target {
	t.Helper()
	server, err := remote.NewServer(client)
	if err != nil {
		t.Fatal(err)
	}
	tg, err := ftp.New(server, o)
	if err != nil {
		t.Fatal(err)
	}
	return tg
}

func clear1(t *testing.T, dir string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}
