package sftp_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	remote "github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/sftp"
	"github.com/packstone/packstone/pipeline/target/targettest"
)

func TestConformance(t *testing.T) {
	server := sftptest.Start(t, "")
	targettest.Run(t, func(t *testing.T, fresh bool) target.Target {
		if fresh {
			clear1(t, server.Disk)
		}
		return open(t, server.Client(), sftp.Options{Path: filepath.Join(server.Disk, "restored/here")})
	}, targettest.Keeps{Mode: true, Owner: os.Getuid() == 0, ModTime: time.Second, Symlinks: true, Directories: true, RawNames: true})
}

func open(t *testing.T, client remote.Options, o sftp.Options) *sftp.Target {
	t.Helper()
	server, err := remote.NewServer(client)
	if err != nil {
		t.Fatal(err)
	}
	tg, err := sftp.New(server, o)
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
