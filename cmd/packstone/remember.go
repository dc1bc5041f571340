package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/packstone/packstone/archive/disk"
)

// recall reads into v what remember wrote at path. Without such a file v stays as it is.
func recall(path string, v any) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// remember replaces the file at path by v, as JSON.
func remember(path string, v any) error {
	return disk.Replace(path, disk.Options{}, func(w io.Writer) error { return json.NewEncoder(w).Encode(v) })
}
