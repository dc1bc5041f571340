package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/packstone/packstone/archive/disk"
)

// CacheOf is the cache of one repository.
type CacheOf struct {
	Directory string
	Bytes     int64
	Used      time.Time // when a file in it was changed last
}

// cacheName matches names of caches, which are ids of repositories. What must not be lost is stored
// beside the caches.
var cacheName = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Caches returns the caches of this machine, the last used first.
func (m *Machine) Caches() ([]CacheOf, error) {
	entries, err := os.ReadDir(m.CacheRoot())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the caches: %w", err)
	}
	var caches []CacheOf
	for _, e := range entries {
		if e.IsDir() && cacheName.MatchString(e.Name()) {
			caches = append(caches, measure(filepath.Join(m.CacheRoot(), e.Name())))
		}
	}
	slices.SortFunc(caches, func(a, b CacheOf) int { return b.Used.Compare(a.Used) })
	return caches, nil
}

// measure adds up the size of a cache. Files that disappear meanwhile do not count.
func measure(dir string) CacheOf {
	c := CacheOf{Directory: dir}
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		info, err := e.Info()
		if err != nil || e.IsDir() {
			return nil
		}
		c.Bytes += info.Size()
		if info.ModTime().After(c.Used) {
			c.Used = info.ModTime()
		}
		return nil
	})
	return c
}

// Superfluous returns the directories of caches that were not used since a time and, of the others,
// the least recently used that exceed this many bytes; 0 means no limit. caches must be sorted like
// those of Caches.
func Superfluous(caches []CacheOf, since time.Time, bytes int64) map[string]bool {
	old, total := map[string]bool{}, int64(0)
	for _, c := range caches {
		total += c.Bytes
		if c.Used.Before(since) || bytes > 0 && total > bytes {
			old[c.Directory] = true
		}
	}
	return old
}

// InUse reports whether a backup of this machine is using a cache.
func (c CacheOf) InUse() bool {
	lanes, err := filepath.Glob(filepath.Join(c.Directory, "lanes", "*"))
	if err != nil {
		return false // the directory's name holds a bracket
	}
	return slices.ContainsFunc(lanes, isLocked)
}

func isLocked(name string) bool {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	free, err := disk.TryLock(file)
	return err == nil && !free
}

// Remove removes a cache.
func (c CacheOf) Remove() error {
	if err := os.RemoveAll(c.Directory); err != nil {
		return fmt.Errorf("remove a cache: %w", err)
	}
	return nil
}

// BorrowCache makes m use a cache in a temporary directory, which giveBack removes.
func (m *Machine) BorrowCache() (giveBack func(), err error) {
	dir, err := os.MkdirTemp("", "packstone-cache-")
	if err != nil {
		return nil, fmt.Errorf("make a cache for this run: %w", err)
	}
	m.borrowed = dir
	return func() { os.RemoveAll(dir) }, nil
}
