package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// Files shows the files of a snapshot's tree as a file system for reading, each from its start to its end. A file that is open is
// fetched ahead of its reader by a few megabytes at most. It is good until ctx ends, and for several goroutines.
func Files(ctx context.Context, t *tree.Tree, f *Fetcher) fs.FS {
	return &files{ctx: ctx, tree: t, fetch: f}
}

type files struct {
	ctx   context.Context // of all that is opened: fs.FS leaves no room for it elsewhere
	tree  *tree.Tree
	fetch *Fetcher
}

// Open implements fs.FS. Directories cannot be opened.
func (f *files) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	node, err := f.tree.Lookup(f.ctx, name)
	if err == nil && node.Type != entry.File {
		err = fs.ErrInvalid
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return openFile(f.ctx, f.fetch, node.Clone()), nil
}

// aheadBytes is how much is fetched at once for a file that is read through Files. Twice that may be held.
const aheadBytes = 2 << 20

// file is one that is being read. A goroutine fetches one batch ahead.
type file struct {
	node    *tree.Node
	cancel  context.CancelFunc
	batches chan [][]byte
	batch   [][]byte
	rest    []byte
	failed  error // of the goroutine; good when batches is closed
}

func openFile(ctx context.Context, fetch *Fetcher, n *tree.Node) *file {
	ctx, cancel := context.WithCancel(ctx)
	f := &file{node: n, cancel: cancel, batches: make(chan [][]byte)}
	go func() {
		defer close(f.batches)
		f.failed = f.fetch(ctx, fetch)
	}()
	return f
}

func (f *file) fetch(ctx context.Context, from *Fetcher) error {
	for chunks := f.node.Chunks; len(chunks) > 0; {
		n := chunksWithin(chunks, aheadBytes)
		batch, err := from.Gather(ctx, chunks[:n])
		if err != nil {
			return fmt.Errorf("read %s: %w", f.node.Path, err)
		}
		select {
		case f.batches <- batch:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		chunks = chunks[n:]
	}
	return nil
}

// chunksWithin is how many chunks come to about limit bytes, one at least.
func chunksWithin(chunks []archive.Chunk, limit int) int {
	size := 0
	for i, c := range chunks {
		size += int(c.Length)
		if size > limit && i > 0 {
			return i
		}
	}
	return len(chunks)
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if len(f.batch) > 0 {
			f.rest, f.batch = f.batch[0], f.batch[1:]
			continue
		}
		batch, more := <-f.batches
		if !more && f.failed != nil {
			return 0, f.failed
		}
		if !more {
			return 0, io.EOF
		}
		f.batch = batch
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// Close ends the fetching.
func (f *file) Close() error {
	f.cancel()
	for range f.batches {
	}
	if f.failed != nil && !errors.Is(f.failed, context.Canceled) {
		return f.failed
	}
	return nil
}

// Stat implements fs.File.
func (f *file) Stat() (fs.FileInfo, error) { return fileInfo{f.node}, nil }

// fileInfo is what fs.File tells of an entry.
type fileInfo struct{ node *tree.Node }

// Name implements fs.FileInfo.
func (i fileInfo) Name() string { return path.Base(i.node.Path) }

// Size implements fs.FileInfo.
func (i fileInfo) Size() int64 { return i.node.Size }

// Mode implements fs.FileInfo.
func (i fileInfo) Mode() fs.FileMode { return fs.FileMode(i.node.Mode & 0o777) }

// ModTime implements fs.FileInfo.
func (i fileInfo) ModTime() time.Time { return i.node.ModTime.Time() }

// IsDir implements fs.FileInfo.
func (i fileInfo) IsDir() bool { return false }

// Sys implements fs.FileInfo.
func (i fileInfo) Sys() any { return nil }
