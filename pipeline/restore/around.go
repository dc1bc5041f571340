package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

// RefuseRepository refuses a directory of this machine that lies in a repository.
func RefuseRepository(directory string) error {
	root, err := filepath.Abs(directory)
	if err != nil {
		return fmt.Errorf("restore to %s: %w", directory, err)
	}
	if at := repositoryAround(root); at != "" {
		return catalog.Refuse("%s lies in the repository %s: name another directory, or, if that is not a repository any more, use --force", directory, at)
	}
	return nil
}

// repositoryAround is the repository in which a directory of this machine lies, "" if there is
// none: what is written there is taken for damage, and may replace what is stored. The path is
// absolute.
func repositoryAround(path string) string {
	for _, dir := range []string{path, resolved(path)} {
		for at := dir; ; at = filepath.Dir(at) {
			if isRepository(at) {
				return at
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	return ""
}

// resolved is where the links in a path lead, as far as it exists.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	above := filepath.Dir(path)
	if above == path {
		return path
	}
	return filepath.Join(resolved(above), filepath.Base(path))
}

// isRepository tells whether a repository lies in a directory.
func isRepository(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, archive.FormatObject))
	if errors.Is(err, fs.ErrNotExist) || err != nil && !errors.Is(err, fs.ErrPermission) {
		return false
	}
	_, err = archive.ParseFormat(text)
	return err == nil || errors.Is(err, archive.ErrFormat)
}
