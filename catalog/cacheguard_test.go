package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestACacheOfOthersIsNotUsed(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string) error
		good  bool
	}{
		{"own", func(*testing.T, string) error { return nil }, true},
		{"absent", func(_ *testing.T, dir string) error { return os.RemoveAll(dir) }, true},
		{"nothing around it", func(_ *testing.T, dir string) error { return os.RemoveAll(filepath.Dir(dir)) }, true},
		{"writable by others", func(_ *testing.T, dir string) error { return os.Chmod(dir, 0o777) }, false},
		{"in a directory that is writable by others", func(_ *testing.T, dir string) error { return os.Chmod(filepath.Dir(dir), 0o777) }, false},
		{"in another user's directory", func(t *testing.T, dir string) error {
			if os.Geteuid() != 0 {
				t.Skip("only root gives directories away")
			}
			return os.Chown(filepath.Dir(dir), 1234, 1234)
		}, false},
		{"a link", func(_ *testing.T, dir string) error {
			return errors.Join(os.Rename(dir, dir+"-moved"), os.Symlink(dir+"-moved", dir))
		}, false},
		{"a link in it", func(_ *testing.T, dir string) error {
			return os.Symlink("/etc/passwd", filepath.Join(dir, "heads.json"))
		}, false},
		{"a link in a folder", func(_ *testing.T, dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "index"), 0o700), os.Symlink("/etc/passwd", filepath.Join(dir, "index", "manifest")))
		}, false},
		{"another user's", func(t *testing.T, dir string) error {
			if os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			return os.Chown(dir, 1234, 1234)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "caches", "id")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(t, dir); err != nil {
				t.Fatal(err)
			}
			if err := CheckCache(dir); (err == nil) != c.good || err != nil && !errors.Is(err, errCache) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestACacheIsNotReadOrWrittenThroughLinksThatLeadOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, objectsFolder)); err != nil {
		t.Fatal(err)
	}
	c := OpenCache(dir)
	if data, err := c.Read("objects/secret"); err == nil {
		t.Errorf("read %q through a link", data)
	}
	if err := c.Write("objects/planted", []byte("x")); err == nil {
		t.Error("wrote through a link")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside are %v, %v, want what was there", entries, err)
	}
}
