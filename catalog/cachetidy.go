package catalog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/disk"
)

// mostLeft is how many names of a cache are looked at for what killed processes have left.
const mostLeft = 1 << 13

// removeLeft removes what killed processes have left in the cache before it was whole. It does not
// look through what was fetched, of which there is much: that is elsewhere until it is whole.
func (c *Cache) removeLeft(now time.Time) {
	if c.Path(".") == "" {
		return
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return
	}
	defer root.Close()
	names := 0
	_ = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error { // what stays takes room, and no more
		names++
		switch {
		case names > mostLeft:
			return fs.SkipAll
		case err != nil:
		case path == objectsFolder:
			return fs.SkipDir
		case strings.HasPrefix(e.Name(), disk.Temporary):
			disk.RemoveLeft(root, filepath.FromSlash(path), now)
		}
		return nil
	})
}

// tidyCache removes from the cache what a roll-up has taken out of the log, and what nothing names
// any more, so that the cache does not grow with the age of the repository. Whatever is needed again
// is fetched again. It looks through the cache only after a roll-up: as long as there is an older
// roll, which it removes last.
func (r *Repository) tidyCache(log *Log) {
	if log.rolled == nil || r.Cache.Path(objectsFolder) == "" {
		return
	}
	root, err := os.OpenRoot(r.Cache.Path("."))
	if err != nil {
		return
	}
	defer root.Close()
	older := olderRolls(root, log.rolled.Number)
	if len(older) == 0 {
		return
	}
	named := log.rolled.names(log)
	err = fs.WalkDir(root.FS(), objectsFolder, func(path string, e fs.DirEntry, err error) error { // what stays takes room, and no more
		object := strings.TrimPrefix(path, objectsFolder+"/")
		if err == nil && strings.HasPrefix(e.Name(), disk.Temporary) { // which earlier versions have left there
			disk.RemoveLeft(root, filepath.FromSlash(path), r.now())
			return nil
		}
		if err == nil && e.Type().IsRegular() && log.rolled.outlives(object, named) {
			if err := root.Remove(filepath.FromSlash(path)); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return // nothing can be removed
	}
	for _, object := range older {
		_ = root.Remove(filepath.FromSlash(objectsFolder + "/" + object))
	}
}

// olderRolls lists the cached rolls before number n. It returns none if there is a later one: then
// this process looks at an earlier time.
func olderRolls(root *os.Root, n uint64) (objects []string) {
	entries, err := fs.ReadDir(root.FS(), objectsFolder+"/roll")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		object := "roll/" + e.Name()
		switch number, ok := parseRoll(object); {
		case ok && number > n:
			return nil
		case ok && number < n:
			objects = append(objects, object)
		}
	}
	return objects
}

// names returns the last part of the names of all objects below refs/ and history/ that the log and
// the roll name.
func (l *rolled) names(log *Log) map[string]bool {
	named := map[string]bool{}
	for _, rec := range slices.Concat(log.Records, log.ignored) {
		for _, name := range rec.refs() {
			named[name] = true
		}
	}
	for _, name := range slices.Concat(l.Force, l.Swept) {
		named[name] = true
	}
	return named
}

// outlives reports whether the log needs an object no more: it is rolled up, or nothing names it.
func (l *rolled) outlives(object string, named map[string]bool) bool {
	switch kindOf(object) {
	case "log", "sessions", "gc":
		return l.passed(object)
	case "refs", "history":
		return !named[object[strings.LastIndexByte(object, '/')+1:]]
	}
	return false
}
