package page

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/browse"
)

// file is a file with its beginning.
type file struct {
	spot
	Entry       entryRow `json:"entry"`
	Text        string   `json:"text"` // its beginning, if it is text
	IsText      bool     `json:"is_text"`
	Cut         bool     `json:"cut"` // Text is the beginning alone
	PictureURL  string   `json:"-"`
	VersionsURL string   `json:"-"`
	ListedIn    string   `json:"-"` // the folder around it
}

// How much of a file is shown: of a text its beginning, of a picture all or nothing.
const (
	textShown   = 128 << 10
	largestShot = 16 << 20
)

// pictures are the formats that are shown. None of them can hold a script.
var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

func (v *visit) file() (any, error) {
	here, node, err := v.found()
	if err != nil {
		return nil, err
	}
	f := &file{spot: *here, Entry: v.entryRow(here.ID, catalog.Place{Source: string(here.Source), Path: string(here.Path)}, here.Name, &node.Entry)}
	begin, err := v.beginning(here, node, textShown)
	if err != nil {
		return nil, err
	}
	switch {
	case pictureOf(begin) != "" && node.Size <= largestShot:
		f.PictureURL = v.link("/picture", "id", f.ID, "source", string(f.Source), "path", string(f.Path))
	case isText(begin, node.Size > int64(len(begin))):
		f.Text, f.IsText, f.Cut = strings.ToValidUTF8(string(begin), ""), true, node.Size > int64(len(begin))
	}
	f.VersionsURL = v.link("/versions", "id", f.ID, "source", string(f.Source), "path", string(f.Path))
	f.ListedIn = f.Crumbs[max(len(f.Crumbs)-2, 0)].Link
	return f, nil
}

// found returns the file that the parameters name.
func (v *visit) found() (here *spot, node *tree.Node, err error) {
	if here, err = v.within(); err != nil {
		return nil, nil, err
	}
	err = v.shelf().browse(func(b *browse.Browser) (err error) {
		node, err = b.Node(v.r.Context(), here.at)
		return err
	})
	if err == nil && node.Type != entry.File {
		err = catalog.Misuse("%s is no file", here.Path)
	}
	return here, node, err
}

// beginning reads at most n bytes of a file.
func (v *visit) beginning(here *spot, node *tree.Node, n int) ([]byte, error) {
	w := &firstBytes{most: n}
	err := v.shelf().browse(func(b *browse.Browser) error { return b.Content(v.r.Context(), here.at.Snapshot, node, w) })
	if errors.Is(err, errEnough) {
		err = nil
	}
	return w.Bytes(), err
}

// firstBytes takes so many bytes, and then fails with errEnough.
type firstBytes struct {
	bytes.Buffer
	most int
}

// Write implements io.Writer.
func (w *firstBytes) Write(p []byte) (int, error) {
	if room := w.most - w.Len(); len(p) > room {
		w.Buffer.Write(p[:room])
		return room, errEnough
	}
	return w.Buffer.Write(p)
}

// isText reports whether bytes are text. The last character may be cut.
func isText(p []byte, cut bool) bool {
	if cut {
		for i := 0; i < utf8.UTFMax && len(p) > 0 && !utf8.Valid(p); i++ {
			p = p[:len(p)-1]
		}
	}
	return utf8.Valid(p) && !bytes.ContainsRune(p, 0)
}

// pictureOf returns the type of a picture that can be shown, else "".
func pictureOf(begin []byte) string {
	kind := http.DetectContentType(begin)
	for _, known := range pictures {
		if kind == known {
			return kind
		}
	}
	return ""
}

// picture sends a picture, and nothing else.
func (v *visit) picture() error {
	here, node, err := v.found()
	if err != nil {
		return err
	}
	if node.Size > largestShot {
		return catalog.Misuse("%s is too large to be shown", here.Path)
	}
	content, err := v.beginning(here, node, largestShot)
	if err != nil {
		return err
	}
	kind := pictureOf(content)
	if kind == "" {
		return catalog.Misuse("%s is no picture that can be shown", here.Path)
	}
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = v.w.Write(content) // who has gone does not read an error either
	return nil
}
