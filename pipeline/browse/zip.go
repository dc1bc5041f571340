package browse

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
)

// Zip writes what is at a spot to w, as a zip with the names that restore uses below its target,
// and with modes, and times to the second. A zip has no owners, and contains the content of a file
// under each of its names. Zip calls unfit for what a zip cannot hold, such as devices and sockets.
func (b *Browser) Zip(ctx context.Context, at catalog.Spot, w io.Writer, unfit func(e *entry.Entry)) error {
	out := bufio.NewWriterSize(w, 1<<20)
	z := &zipping{packing: packing{b: b, at: at}, zip: zip.NewWriter(out), unfit: unfit}
	for _, source := range at.Sources {
		if err := z.source(ctx, source); err != nil {
			return err
		}
	}
	if err := errors.Join(z.zip.Close(), out.Flush()); err != nil {
		return fmt.Errorf("write the zip: %w", err)
	}
	return nil
}

// zipping is one run of Zip.
type zipping struct {
	packing
	zip   *zip.Writer
	unfit func(e *entry.Entry)
	file  io.Writer // the last entry
}

func (z *zipping) source(ctx context.Context, source *catalog.SourceState) error {
	t, err := z.b.Tree(z.at.Snapshot, source)
	if err != nil {
		return err
	}
	f, err := z.b.Fetcher(z.at.Snapshot)
	if err != nil {
		return err
	}
	root := strings.Trim(source.Name, "/")
	return f.InOrder(ctx, t.Below(ctx, z.at.Path), fetch.Reading{
		Begin: func(n *tree.Node) error { return z.begin(root, &n.Entry) },
		Data: func(data []byte) error {
			_, err := z.file.Write(data)
			return err
		},
	})
}

// begin writes the header of an entry.
func (z *zipping) begin(root string, e *entry.Entry) (err error) {
	if err := z.checkPlace(root, e); err != nil {
		return err
	}
	name := strings.Trim(root+"/"+e.Path, "/")
	if name == "" {
		return nil
	}
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: e.ModTime.Time()}
	h.SetMode(fs.FileMode(e.Mode & 0o777))
	content := ""
	switch e.Type {
	case entry.File:
	case entry.Directory:
		h.Name, h.Method = name+"/", zip.Store
		h.SetMode(fs.FileMode(e.Mode&0o777) | fs.ModeDir)
	case entry.Symlink:
		h.SetMode(fs.FileMode(e.Mode&0o777) | fs.ModeSymlink)
		content = e.Target
	default:
		z.unfit(e)
		return nil
	}
	if z.file, err = z.zip.CreateHeader(h); err == nil && content != "" {
		_, err = io.WriteString(z.file, content)
	}
	if err != nil {
		return fmt.Errorf("write %s to a zip: %w", name, err)
	}
	return nil
}
