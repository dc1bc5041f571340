package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// errCache is wrapped by what CheckCache finds.
var errCache = errors.New("the cache is not used")

// CheckCache tells why the cache of a repository cannot be relied on: it belongs to another user or
// can be written by others, the directory around it belongs to another user or can be written by
// everyone, or something in it is a link. A cache that is not there yet is good.
func CheckCache(dir string) error {
	around, err := os.Stat(filepath.Dir(dir))
	if err != nil {
		return unlessAbsent(err)
	}
	if err := checkAround(filepath.Dir(dir), around); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return unlessAbsent(err)
	}
	if err := checkOwned(dir, info); err != nil {
		return err
	}
	return checkLinks(dir)
}

// checkAround looks at the directory around a cache: who can rename in it can put another cache in
// the place of this one.
func checkAround(path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeSticky != 0 {
		return nil
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to the user %d", errCache, path, stat.Uid)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("%w: everyone can write %s (mode %04o)", errCache, path, info.Mode().Perm())
	}
	return nil
}

func unlessAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func checkOwned(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory", errCache, path)
	case ok && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%w: %s belongs to the user %d", errCache, path, stat.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%w: others can write %s (mode %04o)", errCache, path, info.Mode().Perm())
	}
	return nil
}

// checkLinks looks for links in the cache and its folders. Fetched objects lie deeper, and are
// reached without following links out of the cache.
func checkLinks(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%w: %s is a link", errCache, path)
		}
		if e.IsDir() && e.Name() != objectsFolder {
			if err := checkLinks(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// TryCache tells whether something can be written to a cache, which is made if it is not there.
func TryCache(dir string) error {
	c := OpenCache(dir)
	defer c.Remove(".try")
	return c.Write(".try", make([]byte, 4<<10))
}
