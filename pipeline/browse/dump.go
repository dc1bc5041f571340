package browse

import (
	"context"
	"io"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// Dump is what a place names, on its way to a stream: one file as it is, or a directory or whole
// sources as an archive.
type Dump struct {
	b    *Browser
	at   catalog.Spot
	file *tree.Node // nil: it is no file
}

// Dump finds out what a place names.
func (b *Browser) Dump(ctx context.Context, at catalog.Spot) (*Dump, error) {
	d := &Dump{b: b, at: at}
	if at.Path == "" {
		return d, nil
	}
	node, err := b.Node(ctx, at)
	if err == nil && node.Type == entry.File {
		d.file = node.Clone()
	}
	return d, err
}

// IsFile tells whether it is one file.
func (d *Dump) IsFile() bool { return d.file != nil }

// Write writes it. An archive is a tar, or a zip; unfit is told of entries and, by their name, extended
// attributes that it cannot hold.
func (d *Dump) Write(ctx context.Context, w io.Writer, zip bool, unfit func(e *entry.Entry, attribute string)) error {
	switch {
	case d.file != nil:
		return d.b.Content(ctx, d.at.Snapshot, d.file, w)
	case zip:
		return d.b.Zip(ctx, d.at, w, func(e *entry.Entry) { unfit(e, "") })
	}
	return d.b.Tar(ctx, d.at, w, unfit)
}
