package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// ofSystems are patterns, for path.Match, of names that file systems and desktops create in every
// directory or on every disk, and that contain no user's data.
var ofSystems = []string{
	"lost+found", ".snapshot", ".snapshots", ".zfs", ".nfs*", ".fuse_hidden*",
	".DS_Store", "._*", ".Spotlight-V100", ".fseventsd", ".Trashes", ".TemporaryItems", ".DocumentRevisions-V100", ".apdisk", ".VolumeIcon.icns",
	".Trash", ".Trash-*", ".directory", "System Volume Information", "$RECYCLE.BIN", "Thumbs.db", "desktop.ini", "@eaDir",
}

// RefuseUsed refuses to make a repository where one exists, or in a directory with other content: a
// typing error would scatter it over somebody's files. It changes nothing.
func (r Repository) RefuseUsed(force bool) error {
	if r.Kind != Local {
		return nil
	}
	entries, err := os.ReadDir(r.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", r.Path, err)
	}
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == archive.FormatObject }) {
		return catalog.Refuse("%s: %w", r, catalog.ErrExists)
	}
	if force {
		return nil
	}
	return refuseFilled(r.Path, entries)
}

func refuseFilled(dir string, entries []fs.DirEntry) error {
	for _, e := range entries {
		ours := slices.ContainsFunc(ofSystems, func(pattern string) bool { ok, _ := path.Match(pattern, e.Name()); return ok })
		if !ours && !isLeft(filepath.Join(dir, e.Name())) {
			return catalog.Refuse("%s is not empty, %s is in it: name another directory, or use --force", dir, entry.Printable(e.Name()))
		}
	}
	return nil
}

// isLeft reports whether a directory is one that an interrupted init has left: it holds nothing but
// names that only packstone gives.
func isLeft(dir string) bool {
	names, ours := ofInit[filepath.Base(dir)]
	entries, err := os.ReadDir(dir)
	return ours && err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !names.MatchString(e.Name()) })
}

// ofInit are the directories that init makes before there is a repository, with what is in them.
var ofInit = map[string]*regexp.Regexp{
	"tmp":     regexp.MustCompile(`^[A-Z2-7]{26}$`),
	"probe":   regexp.MustCompile(`^[A-Z2-7]{26}$`),
	"config":  regexp.MustCompile(`^0{10}$`),
	"domains": regexp.MustCompile(`^0{9}1$`),
}
