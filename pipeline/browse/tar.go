package browse

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/browse/tarball"
	"github.com/packstone/packstone/pipeline/fetch"
)

// Tar writes what is at a spot to w, as a tar with the names that restore uses below its target. It
// calls unfit for what a tar cannot hold: with the name of an extended attribute, or with "" for
// the entry itself.
func (b *Browser) Tar(ctx context.Context, at catalog.Spot, w io.Writer, unfit func(e *entry.Entry, attribute string)) error {
	out := bufio.NewWriterSize(w, 1<<20)
	p := &packing{b: b, at: at, tar: tarball.New(out), unfit: unfit}
	for _, source := range at.Sources {
		if err := p.source(ctx, source); err != nil {
			return err
		}
	}
	if err := errors.Join(p.tar.Close(), out.Flush()); err != nil {
		return fmt.Errorf("write the tar: %w", err)
	}
	return nil
}

// packing is one run of Tar.
type packing struct {
	b     *Browser
	at    catalog.Spot
	tar   *tarball.Writer
	unfit func(e *entry.Entry, attribute string)
	leaf  string // the path of the last entry that was no directory
}

// source writes the wanted part of a source to the tar.
func (p *packing) source(ctx context.Context, source *catalog.SourceState) error {
	t, err := p.b.Tree(p.at.Snapshot, source)
	if err != nil {
		return err
	}
	f, err := p.b.Fetcher(p.at.Snapshot)
	if err != nil {
		return err
	}
	root := strings.Trim(source.Name, "/")
	return f.InOrder(ctx, onceEach(t.Below(ctx, p.at.Path)), fetch.Reading{
		Begin: func(n *tree.Node) error { return p.begin(root, &n.Entry) },
		Data: func(data []byte) error {
			_, err := p.tar.Write(data)
			return err
		},
	})
}

// onceEach removes the content from all names of a file but the first, so that it is fetched only
// once.
func onceEach(nodes iter.Seq2[*tree.Node, error]) iter.Seq2[*tree.Node, error] {
	type file struct{ device, inode uint64 }
	seen := map[file]bool{}
	return func(yield func(*tree.Node, error) bool) {
		for n, err := range nodes {
			if err == nil && n.Type == entry.File && n.Links > 1 && n.Inode != 0 {
				key := file{n.Device, n.Inode}
				if seen[key] {
					n = &tree.Node{Entry: n.Entry}
				}
				seen[key] = true
			}
			if !yield(n, err) {
				return
			}
		}
	}
}

// checkPlace refuses an entry below something that is not a directory: whoever extracts the tar
// would write through a link.
func (p *packing) checkPlace(root string, e *entry.Entry) error {
	path := root + "/" + e.Path
	if p.leaf != "" && strings.HasPrefix(path, p.leaf+"/") {
		return fmt.Errorf("%s is below something that is not a directory: %w", entry.Printable(catalog.PlaceName(root, e.Path)), tree.ErrFormat)
	}
	if e.Type != entry.Directory {
		p.leaf = path
	}
	return nil
}

// begin writes the header of an entry, and reports what a tar cannot hold.
func (p *packing) begin(root string, e *entry.Entry) error {
	if err := p.checkPlace(root, e); err != nil {
		return err
	}
	for _, name := range tarball.Unfit(e) {
		p.unfit(e, name)
	}
	err := p.tar.Begin(root, e)
	if errors.Is(err, tarball.ErrUnfit) {
		p.unfit(e, "")
		return nil
	}
	return err
}
