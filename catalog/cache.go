package catalog

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/archive/store"
)

const (
	// objectsFolder is the folder of the cache for objects fetched from the store.
	objectsFolder = "objects"
	// temporaryFolder is the folder for files that are not whole yet.
	temporaryFolder = "tmp"
)

// Cache is a directory with what this host knows of one repository. Everything in it can be deleted
// at any time. The zero Cache, and a nil one, keep nothing.
type Cache struct {
	dir string
}

// OpenCache returns the cache in the directory dir, which is made when something is first written.
// It contains names of files, so its mode is 0700.
func OpenCache(dir string) *Cache { return &Cache{dir: dir} }

// Path returns the path of name in the cache, "" if there is no cache.
func (c *Cache) Path(name string) string {
	if c == nil || c.dir == "" {
		return ""
	}
	return filepath.Join(c.dir, filepath.FromSlash(name))
}

// Scratch returns a directory for temporary files of this process, "" if there is none.
func (r *Repository) Scratch() string {
	if dir := r.Cache.Path("."); dir != "" && os.MkdirAll(dir, 0o700) == nil {
		return dir
	}
	return r.options.TempDir
}

// Read returns a cached file. It fails with fs.ErrNotExist if there is none.
func (c *Cache) Read(name string) ([]byte, error) {
	if c.Path(name) == "" {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.ReadFile(filepath.FromSlash(name))
}

// has reports whether there is a cached file, whatever its content.
func (c *Cache) has(name string) bool {
	path := c.Path(name)
	if path == "" {
		return false
	}
	_, err := os.Lstat(path)
	return err == nil
}

// Write replaces a file atomically: a reader sees the old or the new content.
func (c *Cache) Write(name string, data []byte) error {
	if c.Path(name) == "" {
		return nil
	}
	if err := c.write(filepath.FromSlash(name), data); err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	return nil
}

func (c *Cache) write(name string, data []byte) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, dir := range []string{filepath.Dir(name), temporaryFolder} {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return disk.WriteNew(root, filepath.Join(temporaryFolder, disk.Temporary+rand.Text()), name, data)
}

// Remove deletes name from the cache.
func (c *Cache) Remove(name string) {
	if path := c.Path(name); path != "" {
		os.RemoveAll(path)
	}
}

// Clear deletes all that was fetched: objects, and the tables of index runs.
func (c *Cache) Clear() {
	c.Remove(objectsFolder)
	c.Remove(indexFolder)
}

// badObject says that an object exists, but does not have the right content.
type badObject struct{ error }

// Unwrap returns the cause, for errors.Is and errors.As.
func (e *badObject) Unwrap() error { return e.error }

// object returns an immutable object that check accepts, from the cache or else from the store. It
// never caches what check refuses, and fetches the object again if check refuses the cached copy. A
// *badObject says that check refused the store's copy too.
func (c *Cache) object(ctx context.Context, s store.Store, name string, check func(data []byte) error) ([]byte, error) {
	if data, err := c.Read(objectsFolder + "/" + name); err == nil && check(data) == nil {
		return data, nil
	}
	var before []byte
	for tries := 0; ; tries++ {
		data, err := s.Get(ctx, name, 0, -1, nil)
		if err != nil {
			return nil, err
		}
		err = check(data)
		if err == nil {
			c.keep(name, data)
			return data, nil
		}
		if tries > 0 && bytes.Equal(data, before) || tries == mostReads {
			return nil, &badObject{err}
		}
		before = data // which may have been damaged on its way: what comes twice is what is stored
	}
}

// mostReads is how often an object is read again of which different bytes come each time.
const mostReads = 3

// keep caches an object that was checked. A cache that cannot be written to only costs time.
func (c *Cache) keep(name string, data []byte) { _ = c.Write(objectsFolder+"/"+name, data) }

// hasHash returns a check of an object with a known hash.
func hasHash(want string) func(data []byte) error {
	return func(data []byte) error {
		if hash(data) != want {
			return fmt.Errorf("its bytes do not have the hash %s: %w", want, archive.ErrDamaged)
		}
		return nil
	}
}

// putObject creates a small object. Of several callers with the same name one wins; the others get
// store.ErrExist.
func putObject(ctx context.Context, s store.Store, name string, data []byte) error {
	return s.Put(ctx, name, data, sha256.Sum256(data))
}

// askTime is for how long lookAgain asks for the outcome of a Put after the caller's context has
// ended.
const askTime = 30 * time.Second

// putOwn is putObject for bytes that nobody else can have: if the answer was lost and the object
// has these bytes, the Put has succeeded.
func putOwn(ctx context.Context, s store.Store, name string, data []byte) error {
	err := putObject(ctx, s, name, data)
	if err == nil {
		return nil
	}
	if there, getErr := lookAgain(ctx, s, name); getErr == nil && bytes.Equal(there, data) {
		return nil
	}
	return err
}

// lookAgain returns the content of name as it is now, even if ctx has ended.
func lookAgain(ctx context.Context, s store.Store, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	return s.Get(ctx, name, 0, -1, nil)
}
