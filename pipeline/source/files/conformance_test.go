package files_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
	"golang.org/x/sys/unix"
)

func TestConformance(t *testing.T) {
	var root string
	open := func(t *testing.T, tree sourcetest.Tree) source.Source {
		root = t.TempDir()
		place(t, root, tree)
		s, err := files.New(files.Options{Roots: []string{root}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sourcetest.Run(t, open, sourcetest.Keeps{
		Root: true, Directories: true, Mode: true, Owner: true, ModTime: 1, FutureAndPast: futureAndPast(t), ChangeTime: true, Inode: true,
		Symlinks: true, Fifos: true, Xattrs: true, RawNames: true, DetailVanished: true, EmptyIsError: true,
		Remove: func(t *testing.T, path string) {
			if err := os.Remove(filepath.Join(root, path)); err != nil {
				t.Fatal(err)
			}
		},
		Replace: func(t *testing.T, path string, content []byte) {
			if err := os.WriteFile(filepath.Join(root, path), content, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	})
}

// futureAndPast tells whether the file system keeps such times.
func futureAndPast(t *testing.T) bool {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	times := []unix.Timespec{{}, {Sec: 9214646400, Nsec: 5}}
	if unix.UtimesNanoAt(unix.AT_FDCWD, file, times, 0) != nil || unix.Stat(file, &st) != nil {
		return false
	}
	return st.Mtim == times[1]
}

// place puts a tree on the disk.
func place(t *testing.T, root string, tree sourcetest.Tree) {
	t.Helper()
	for i := range tree {
		item := &tree[i]
		file := filepath.Join(root, item.Path)
		if err := create(file, item); err != nil {
			t.Fatal(err)
		}
		for _, x := range item.Xattrs {
			if err := unix.Lsetxattr(file, x.Name, x.Value, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := len(tree) - 1; i >= 0; i-- {
		modified := unix.Timespec{Sec: tree[i].ModTime.Seconds, Nsec: int64(tree[i].ModTime.Nanos)}
		times := []unix.Timespec{modified, modified}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(root, tree[i].Path), times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
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
		if err := unix.Mkfifo(file, item.Mode); err != nil {
			return err
		}
	default:
		if err := os.WriteFile(file, item.Content, 0o600); err != nil {
			return err
		}
	}
	return os.Chmod(file, os.FileMode(item.Mode))
}
