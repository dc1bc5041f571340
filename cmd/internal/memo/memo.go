// Package memo remembers small values between runs of the program, each as JSON in a file of its
// own. What is lost with such a file is done or told once more, and fails nothing.
package memo

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/disk"
)

// Recall reads into v what Remember wrote at path. Without such a file v stays as it is.
func Recall(path string, v any) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if string(bytes.TrimSpace(text)) == "null" {
		return nil // it would make a map that nothing can be put into
	}
	return json.Unmarshal(text, v)
}

// Remember replaces the file at path by v, as JSON. Readers see the old file or the new one.
func Remember(path string, v any) error {
	return disk.Replace(path, disk.Options{Prefix: disk.Temporary}, func(w io.Writer) error { return json.NewEncoder(w).Encode(v) })
}

// mostNames is how many names of a directory Tidy looks at.
const mostNames = 1 << 10

// Tidy removes from a directory what killed processes have left before it was whole.
func Tidy(dir string, now time.Time) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	all, err := root.Open(".")
	if err != nil {
		return
	}
	defer all.Close()
	names, _ := all.Readdirnames(mostNames) // the next time, if they cannot be read
	for _, name := range names {
		if strings.HasPrefix(name, disk.Temporary) {
			disk.RemoveLeft(root, name, now)
		}
	}
}
