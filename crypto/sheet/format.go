package sheet

import (
	"fmt"
	"path/filepath"
	"time"
)

// Format is how a sheet is printed.
type Format string

// The formats.
const (
	Text Format = "text"
	SVG  Format = "svg" // a page with QR codes
)

// FormatOf returns the format with a name; without one, the format for the name of a file: SVG if
// that ends with .svg, else Text.
func FormatOf(name, file string) (Format, error) {
	switch {
	case name == "" && filepath.Ext(file) == ".svg":
		return SVG, nil
	case name == "":
		return Text, nil
	case name == string(Text), name == string(SVG):
		return Format(name), nil
	}
	return "", fmt.Errorf("--format %s: must be text or svg", name)
}

// Ending returns that of the name of a file in the format, with its dot.
func (f Format) Ending() string {
	if f == SVG {
		return ".svg"
	}
	return ".txt"
}

// In returns the sheet in a format, as made at a time.
func (s Sheet) In(f Format, made time.Time) ([]byte, error) {
	if f == SVG {
		return s.SVG(made)
	}
	return s.Text(made)
}
