package check

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/archive/store"
)

// CompareCache compares the cached objects below a directory with those in the storage. An object
// that differs, or a record that no longer exists, is a finding: somebody may have put an older
// state of the storage back. A missing directory contains nothing to compare.
func CompareCache(ctx context.Context, storage store.Store, dir string, gone func(object string) bool) (compared uint64, findings []Finding, err error) {
	c := comparison{storage: storage, gone: gone}
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return c.object(ctx, filepath.ToSlash(relative), name)
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return c.compared, c.findings, err
}

// comparison is one run of CompareCache.
type comparison struct {
	storage  store.Store
	gone     func(object string) bool
	compared uint64
	findings []Finding
}

func (c *comparison) object(ctx context.Context, object, file string) error {
	kept, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the cache: %w", err)
	}
	c.compared++
	if sum := sha256.Sum256(kept); path.Base(object) == hex.EncodeToString(sum[:]) {
		return nil // its name says that it is right, and one that is needed no more may be gone from the storage
	}
	there, err := c.storage.Get(ctx, object, 0, -1, nil)
	switch {
	case errors.Is(err, store.ErrNotExist) && isChain(object) && !c.gone(object):
		c.find(object, "this machine has seen it, and the repository has it no more")
	case errors.Is(err, store.ErrNotExist):
	case err != nil:
		return err
	case !bytes.Equal(there, kept):
		c.find(object, "the cache's copy differs from the repository's; packstone catalog rebuild fetches it anew")
	}
	return nil
}

// isChain reports whether an object is of a kind that only a roll-up ever deletes.
func isChain(object string) bool {
	return strings.HasPrefix(object, "config/") || strings.HasPrefix(object, "log/")
}

func (c *comparison) find(object, problem string) {
	c.findings = append(c.findings, Finding{Object: object, Err: errors.New(problem)})
}
