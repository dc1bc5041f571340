package catalog

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// objectsFolder is the folder of the cache for objects that were fetched.
const objectsFolder = "objects"

// Cache is a directory of what this host knows of one repository. Everything in it can be deleted
// at any time. The zero Cache, or a nil one, keeps nothing.
type Cache struct {
	dir string
}

// OpenCache uses the directory dir, which is made when something is written. It holds names of
// files: mode 0700.
func OpenCache(dir string) *Cache { return &Cache{dir: dir} }

// Path is where name lies in the cache; "" if there is no cache.
func (c *Cache) Path(name string) string {
	if c == nil || c.dir == "" {
		return ""
	}
	return filepath.Join(c.dir, filepath.FromSlash(name))
}

// Scratch is a directory for files of this process that outgrow its memory, "" if there is none.
func (r *Repository) Scratch() string {
	if dir := r.Cache.Path("."); dir != "" && os.MkdirAll(dir, 0o700) == nil {
		return dir
	}
	return r.options.TempDir
}

// Read returns a cached file; fs.ErrNotExist if it is not there.
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

// has tells whether there is a cached file, whatever is in it.
func (c *Cache) has(name string) bool {
	path := c.Path(name)
	if path == "" {
		return false
	}
	_, err := os.Lstat(path)
	return err == nil
}

// Write puts a file in place at once, so that a reader sees the old or the new one whole.
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
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(name), ".tmp-"+rand.Text())
	if err := root.WriteFile(tmp, data, 0o600); err != nil {
		return errors.Join(err, root.Remove(tmp))
	}
	return root.Rename(tmp, name)
}

// Remove forgets name.
func (c *Cache) Remove(name string) {
	if path := c.Path(name); path != "" {
		os.RemoveAll(path)
	}
}

// Clear forgets all that was fetched: objects, and what index runs tell.
func (c *Cache) Clear() {
	c.Remove(objectsFolder)
	c.Remove(indexFolder)
}

// badObject says that an object is there and is not what it should be.
type badObject struct{ error }

// Unwrap returns what is wrapped, for errors.Is and errors.As.
func (e *badObject) Unwrap() error { return e.error }

// object returns an immutable object that check accepts, from the cache or else from the store.
// What check refuses is never kept, and a cached copy that it refuses is fetched again; a
// *badObject says that the store's copy was refused too.
func (c *Cache) object(ctx context.Context, s store.Store, name string, check func(data []byte) error) ([]byte, error) {
	if data, err := c.Read(objectsFolder + "/" + name); err == nil && check(data) == nil {
		return data, nil
	}
	data, err := s.Get(ctx, name, 0, -1, nil)
	if err != nil {
		return nil, err
	}
	if err := check(data); err != nil {
		return nil, &badObject{err}
	}
	c.keep(name, data)
	return data, nil
}

// keep adds an object that was checked. A cache that cannot be written to costs time and nothing
// else.
func (c *Cache) keep(name string, data []byte) { _ = c.Write(objectsFolder+"/"+name, data) }

// hasHash is a check of an object of which the hash is known.
func hasHash(want string) func(data []byte) error {
	return func(data []byte) error {
		if hash(data) != want {
			return fmt.Errorf("its bytes do not have the hash %s: %w", want, archive.ErrDamaged)
		}
		return nil
	}
}

// putObject creates a small object, one winner among all who try.
func putObject(ctx context.Context, s store.Store, name string, data []byte) error {
	return s.Put(ctx, name, data, sha256.Sum256(data))
}

// askTime is how long the outcome of a Put is asked for after the caller's context has ended.
const askTime = 30 * time.Second

// putOwn is putObject for bytes that nobody else can have: where the answer was lost and they are
// there, that is success.
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

// lookAgain gets what lies at name now, even if ctx has ended.
func lookAgain(ctx context.Context, s store.Store, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	return s.Get(ctx, name, 0, -1, nil)
}
