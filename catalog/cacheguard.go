package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// errCache is wrapped by the errors of CheckCache.
var errCache = errors.New("the cache is not used")

// CheckCache returns an error if the cache of a repository cannot be trusted: it belongs to another
// user or others can write to it, the directory around it belongs to another user or everyone can
// write to it, or it contains a link. A cache that does not exist yet is good.
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

// checkAround checks the directory around a cache: whoever can rename in it can replace the cache.
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
// opened without following links out of the cache.
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

// TryCache returns an error if it cannot write to a cache. It makes the cache if it does not exist.
func TryCache(dir string) error {
	c := OpenCache(dir)
	defer c.Remove(".try")
	return c.Write(".try", make([]byte, 4<<10))
}
