package sftp_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	remote "github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/sftp"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
)

func TestConformance(t *testing.T) {
	server := sftptest.Start(t, "")
	sourcetest.Run(t, func(t *testing.T, tree sourcetest.Tree) source.Source {
		clear1(t, server.Disk)
		place(t, server, tree)
		return open(t, server.Client(), sftp.Options{Path: server.Disk})
	}, sourcetest.Keeps{
		Root: true, Directories: true, Mode: true, Owner: true, ModTime: time.Second, Symlinks: true, Fifos: true, RawNames: true, EmptyIsError: true,
		Remove: func(t *testing.T, path string) {
			if err := os.Remove(filepath.Join(server.Disk, path)); err != nil {
				t.Fatal(err)
			}
		},
		Replace: func(t *testing.T, path string, content []byte) {
			if err := os.WriteFile(filepath.Join(server.Disk, path), content, 0o644); err != nil {
				t.Fatal(err)
			}
		},
	})
}

func open(t *testing.T, client remote.Options, o sftp.Options) *sftp.Source {
	t.Helper()
	server, err := remote.NewServer(client)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sftp.New(server, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
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

// place puts a tree on the server's disk.
func place(t *testing.T, server *sftptest.Server, tree sourcetest.Tree) {
	t.Helper()
	for i := range tree {
		if err := create(filepath.Join(server.Disk, tree[i].Path), &tree[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := len(tree) - 1; i >= 0; i-- {
		if tree[i].Type == entry.Symlink {
			continue
		}
		moment := tree[i].ModTime.Time()
		if err := os.Chtimes(filepath.Join(server.Disk, tree[i].Path), moment, moment); err != nil {
			t.Fatal(err)
		}
	}
}

func create(file string, item *sourcetest.Item) error {
	switch item.Type {
	case entry.Directory:
		if err := os.Mkdir(file, 0o700); err != nil {
			return err
		}
	case entry.Symlink:
		return os.Symlink(item.Target, file)
	case entry.Fifo:
		if err := syscall.Mkfifo(file, item.Mode); err != nil {
			return err
		}
	default:
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, item.Content, 0o600); err != nil {
			return err
		}
	}
	return os.Chmod(file, os.FileMode(item.Mode))
}
