package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/catalog"
)

// CacheRoot returns the directory of all caches.
func (m *Machine) CacheRoot() string {
	switch {
	case m.Flags.CacheDir != "":
		return m.Flags.CacheDir
	case m.Env["PACKSTONE_CACHE_DIR"] != "":
		return m.Env["PACKSTONE_CACHE_DIR"]
	}
	return m.Paths.Cache
}

// CacheDirectory returns the directory of a repository's cache.
func (m *Machine) CacheDirectory(repositoryID string) string {
	if m.borrowed != "" {
		return filepath.Join(m.borrowed, repositoryID)
	}
	return filepath.Join(m.CacheRoot(), repositoryID)
}

// MemoryDirectory returns where this machine records what it has seen of the repositories at an
// address: which, whose, and up to where.
func (m *Machine) MemoryDirectory(location string) string {
	return filepath.Join(m.CacheRoot(), fmt.Sprintf("address-%.16x", sha256.Sum256([]byte(location))))
}

// Aside returns a directory for large values: in the cache or, if that is not writable, that of
// temporary files.
func (m *Machine) Aside() string {
	dir := m.CacheDirectory("aside")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return os.TempDir()
	}
	return dir
}

// DatabaseState returns where a source, in a set, remembers what its tables looked like; empty if
// nothing of the last opened repository is cached.
func (m *Machine) DatabaseState(set, name, location string) string {
	if m.cache == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(set + "\x00" + name + "\x00" + location))
	return filepath.Join(m.cache, "databases", hex.EncodeToString(sum[:16]))
}

// reliable returns a directory of the cache. If it cannot be trusted, reliable warns and returns
// "".
func (m *Machine) reliable(dir string) string {
	if err := catalog.CheckCache(dir); err != nil {
		m.Warn(fmt.Sprintf("%v; name a directory of your own with --cache-dir", err))
		return ""
	}
	return dir
}
