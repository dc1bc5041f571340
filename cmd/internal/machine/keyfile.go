package machine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/config"
)

// present returns which of a usual key file, and the further ones beside it, exist.
func present(usual string) []string {
	return slices.DeleteFunc(append([]string{usual}, further(usual)...), func(name string) bool { return !config.Exists(name) })
}

// warnReadable warns if others than its owner can read a file with a secret key.
func (m *Machine) warnReadable(name string) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 || m.readable[name] {
		return
	}
	m.readable[name] = true
	m.Warn(fmt.Sprintf("others than its owner can read the key file %s (mode %04o): run chmod 600 %s",
		name, info.Mode().Perm(), name))
}

// lastLine returns the last line that is not a comment.
func lastLine(text []byte) string {
	last := ""
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			last = line
		}
	}
	return last
}

// WriteKey creates a key file that only its owner can read. It never replaces a file. A crash leaves
// the whole file or none, and when WriteKey returns, it outlives a crash.
func WriteKey(path string, text []byte) error {
	if err := disk.MakeDirectory(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	err := disk.Create(path, disk.Options{Prefix: ".key-", Sync: true}, writes(text))
	if errors.Is(err, fs.ErrExist) {
		return catalog.Refuse("write key file %s: the file exists; move it away first", path)
	}
	if err != nil {
		return fmt.Errorf("write key file %s: %w", path, err)
	}
	return nil
}

// HandOver admits whom a key is of, and hands over its key file: admit gets what writes that to a
// path before, and drops it again. With an empty path nothing is written, and the caller hands over
// the text, which is secret.
func HandOver(key interface{ Encode() ([]byte, error) }, path string, admit func(keep admin.Keep) error) (text string, err error) {
	encoded, err := key.Encode()
	if err != nil {
		return "", err
	}
	var keep admin.Keep
	if path != "" {
		keep = func() (func() error, error) {
			return func() error { return os.Remove(path) }, WriteKey(path, encoded)
		}
	}
	if err := admit(keep); err != nil || path != "" {
		return "", err
	}
	return string(encoded), nil
}

// replaceKey replaces a key file atomically.
func replaceKey(path string, text []byte) error {
	if err := disk.Replace(path, disk.Options{Prefix: ".key-", Sync: true}, writes(text)); err != nil {
		return fmt.Errorf("write key file %s: %w", path, err)
	}
	return nil
}

func writes(text []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	}
}
