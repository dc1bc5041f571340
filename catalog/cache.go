package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/archive/store"
)

// Cache is a directory of what this host knows of one repository. Everything in it can be deleted at any time. The zero
// Cache, or a nil one, keeps nothing.
type Cache struct {
	dir string
}

// OpenCache uses the directory dir, which is made when something is written. It holds names of files: mode 0700.
func OpenCache(dir string) *Cache { return &Cache{dir: dir} }

// Path is where name lies in the cache; "" if there is no cache.
func (c *Cache) Path(name string) string {
	if c == nil || c.dir == "" {
		return ""
	}
	return filepath.Join(c.dir, filepath.FromSlash(name))
}

// Read returns a cached file; fs.ErrNotExist if it is not there.
func (c *Cache) Read(name string) ([]byte, error) {
	path := c.Path(name)
	if path == "" {
		return nil, fs.ErrNotExist
	}
	return os.ReadFile(path)
}

// Write puts a file in place at once, so that a reader sees the old or the new one whole.
func (c *Cache) Write(name string, data []byte) error {
	path := c.Path(name)
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	return nil
}

// Remove forgets name.
func (c *Cache) Remove(name string) {
	if path := c.Path(name); path != "" {
		os.RemoveAll(path)
	}
}

// object returns an immutable object, from the cache or else from the store. Whoever uses it checks its signature or its hash.
func (c *Cache) object(ctx context.Context, s store.Store, name string) ([]byte, error) {
	if data, err := c.Read("objects/" + name); err == nil {
		return data, nil
	}
	data, err := s.Get(ctx, name, 0, -1, nil)
	if err != nil {
		return nil, err
	}
	return data, c.Write("objects/"+name, data)
}

// forget drops an object that proved wrong, so that it is fetched again.
func (c *Cache) forget(name string) { c.Remove("objects/" + name) }

// putObject creates a small object.
func putObject(ctx context.Context, s store.Store, name string, data []byte) error {
	return s.Put(ctx, name, data, sha256.Sum256(data))
}
