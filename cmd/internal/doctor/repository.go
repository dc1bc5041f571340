package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// Repository examines a repository.
func (x *Examination) Repository(ctx context.Context, repo *catalog.Repository) {
	x.Examine("configuration", func() (string, error) {
		if err := repo.Config.Broken(); err != nil {
			return "", err
		}
		if foreign := repo.Config.Foreign(); len(foreign) > 0 {
			return "", fmt.Errorf("%s: %w", strings.Join(foreign, ", "), catalog.ErrForeign)
		}
		return fmt.Sprintf("%d, signed by %s in an unbroken chain", repo.Config.Number, repo.Owner().Fingerprint()), nil
	})
	x.Examine("snapshots", func() (string, error) { return lastSnapshot(ctx, repo, time.Now()) })
}

// lastSnapshot says how old the newest commit is. It needs no identity.
func lastSnapshot(ctx context.Context, repo *catalog.Repository, now time.Time) (string, error) {
	commits, last, err := browse.LastCommit(ctx, repo)
	if err != nil {
		return "", err
	}
	if last == nil {
		return "none yet", nil
	}
	return fmt.Sprintf("%d, the last %s ago by %s", commits, now.Sub(last.Stored).Round(time.Second), last.Lane.Writer), nil
}

// Cache examines the directory of a cache.
func (x *Examination) Cache(dir string) {
	x.Examine("cache", func() (string, error) { return examineCache(dir) })
}

// examineCache checks that the cache is writable, and says how large it is.
func examineCache(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", Advise("can't be written to, which makes everything slower: %v", err)
	}
	file, err := os.CreateTemp(dir, disk.Temporary+"*")
	if err != nil {
		return "", Advise("can't be written to, which makes everything slower: %v", err)
	}
	if err := errors.Join(file.Close(), os.Remove(file.Name())); err != nil {
		return "", fmt.Errorf("try the cache directory: %w", err)
	}
	total := int64(0)
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if info, err := e.Info(); err == nil { // one that is gone meanwhile takes no room
			total += info.Size()
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("measure the cache: %w", err)
	}
	return fmt.Sprintf("%s, %s", dir, output.Bytes(total)), nil
}
