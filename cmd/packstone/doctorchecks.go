package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/browse"
	"github.com/packstone/packstone/pipeline/check"
)

// largestSkew is how far this machine's clock may be from the storage's. S3 refuses requests that are a quarter of an hour off.
const largestSkew = time.Minute

// compareClocks compares this machine's clock with the storage's.
func compareClocks(ctx context.Context, s store.Store) (string, error) {
	ahead, err := check.Clock(ctx, s, time.Now)
	if err != nil {
		return "", err
	}
	detail := fmt.Sprintf("%v from the storage's", ahead)
	if ahead.Abs() > largestSkew {
		return detail, advise("times of snapshots will be wrong by as much; let NTP set the clock")
	}
	return detail, nil
}

// examineRepository looks at what lies in the storage, and at the keys to it.
func (x *examination) examineRepository(ctx context.Context) {
	var repo *catalog.Repository
	x.examine("repository", func() (string, error) {
		var err error
		if repo, _, err = x.openRepository(ctx, mayRead|mayWrite|anyIdentity|evenBroken); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, format %d", repo.Format.Repository, repo.Format.Version), nil
	})
	if repo == nil {
		return
	}
	x.examine("configuration", func() (string, error) {
		if err := repo.Config.Broken(); err != nil {
			return "", err
		}
		if foreign := repo.Config.Foreign(); len(foreign) > 0 {
			return "", fmt.Errorf("%s: %w", strings.Join(foreign, ", "), catalog.ErrForeign)
		}
		return fmt.Sprintf("%d, signed by %s in an unbroken chain", repo.Config.Number, repo.Owner().Fingerprint()), nil
	})
	x.examine("snapshots", func() (string, error) { return lastSnapshot(ctx, repo, time.Now()) })
	x.examineKeys(ctx, repo)
	x.examine("cache", func() (string, error) { return examineCache(x.cacheDirectory(repo.Format.Repository)) })
}

// lastSnapshot tells how old the newest commit is. It needs no identity.
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

// examineKeys says what the keys at hand can do, and whether they lie well.
func (x *examination) examineKeys(ctx context.Context, repo *catalog.Repository) {
	var canRead, canWrite, canOwn bool
	x.examine("identity", func() (detail string, err error) {
		canRead, detail, err = x.examineIdentity(ctx, repo)
		return detail, err
	})
	x.examine("writer's key", func() (string, error) {
		_, err := repo.Writer()
		if errors.Is(err, catalog.ErrNoWriter) {
			return "none: this machine can't back up", nil
		}
		canWrite = err == nil
		return "backs up", err
	})
	x.examine("owner's key", func() (string, error) {
		if len(x.OwnerFiles()) == 0 {
			return "none: this machine can't admit or revoke", nil
		}
		_, err := x.Owner(repo)
		canOwn = err == nil
		return "admits and revokes", err
	})
	x.examine("where keys lie", func() (string, error) {
		if canWrite && (canRead || canOwn) {
			return "", advise("this machine backs up and holds %s too: who breaks in could %s; move it away, and keep a second copy",
				strings.Join(held(canRead, canOwn, "an identity", "the owner's key"), " and "),
				strings.Join(held(canRead, canOwn, "read every backup", "admit others"), " and "))
		}
		return "apart", nil
	})
	x.examine("key files", func() (string, error) { return x.examineKeyFiles(repo.Format.Repository) })
}

func held(read, own bool, ifRead, ifOwn string) (list []string) {
	if read {
		list = append(list, ifRead)
	}
	if own {
		list = append(list, ifOwn)
	}
	return list
}

func (x *examination) examineIdentity(ctx context.Context, repo *catalog.Repository) (bool, string, error) {
	file, err := x.Identities(ctx)
	if err != nil {
		return false, "", err
	}
	if file == nil {
		return false, "none: this machine can't restore", nil
	}
	here, err := admin.PublicKeys(file.Identities)
	if err != nil {
		return false, "", err
	}
	if !slices.ContainsFunc(here, func(r string) bool { return slices.Contains(repo.Config.Recipients, r) }) {
		return false, "", fmt.Errorf("the identity at hand is none of the repository's %d recipients: %w", len(repo.Config.Recipients), crypto.ErrWrongIdentity)
	}
	if !admin.Pins(file, repo) {
		return true, "restores", advise("it does not say who owns the repository, so that another machine asks for --accept-owner; "+
			"put this line into its file: %s", admin.PinOf(repo).Line())
	}
	return true, "restores", nil
}

// examineKeyFiles finds key files that others of this machine can read.
func (x *examination) examineKeyFiles(repository string) (string, error) {
	writer, err := x.WriterPath()
	if err != nil {
		return "", err
	}
	if writer == "" {
		writer = x.Paths.WriterFile(repository)
	}
	files := slices.Concat([]string{writer, x.env["PACKSTONE_IDENTITY_FILE"]}, x.OwnerFiles(), x.UsualIdentities(), x.flags.Identities)
	var open []string
	there := 0
	for _, name := range files {
		info, err := os.Stat(name)
		if name == "" || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("look at key files: %w", err)
		}
		there++
		if info.Mode().Perm()&0o077 != 0 {
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		return "", advise("others can read %s: chmod 600 cures it", strings.Join(open, " and "))
	}
	return fmt.Sprintf("%d, readable by their owner alone", there), nil
}

// examineCache tests that the cache can be written to, and says how much is in it.
func examineCache(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", advise("can't be written to, which makes everything slower: %v", err)
	}
	file, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return "", advise("can't be written to, which makes everything slower: %v", err)
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

// littleSpace is the share of a file system below which its free space is worth a warning.
const littleSpace = 0.05

// describeSpace says how much more a file system takes.
func describeSpace(free, total uint64, err error) (string, error) {
	if errors.Is(err, errors.ErrUnsupported) {
		return "can't be told", nil
	}
	if err != nil {
		return "", fmt.Errorf("look at the free space: %w", err)
	}
	detail := fmt.Sprintf("%s of %s", output.Bytes(int64(free)), output.Bytes(int64(total)))
	if float64(free) < littleSpace*float64(total) {
		return detail, advise("backups will fail when it is used up")
	}
	return detail, nil
}
