package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
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

// Files returns the files of a snapshot's tree as a file system. Each file can be read once, from
// start to end. Open files are fetched ahead of their readers, who share the memory for that. The
// file system is valid until ctx ends, and safe for concurrent use.
func (f *Fetcher) Files(ctx context.Context, t *tree.Tree) fs.FS {
	return &files{ctx: ctx, tree: t, ahead: f.Ahead(ctx)}
}

type files struct {
	ctx   context.Context // of all that is opened: fs.FS leaves no room for it elsewhere
	tree  *tree.Tree
	ahead *Ahead
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
	node = node.Clone()
	content := f.ahead.Add(node.Chunks)[0]
	content.Begin()
	return &file{node: node, content: content}, nil
}

// ContentID returns an id of what is in a file, without reading it. Files with the same id have the
// same content; those of different domains have different ids all the same.
func (f *files) ContentID(name string) (id [32]byte, err error) {
	node, err := f.tree.Lookup(f.ctx, name)
	if err != nil {
		return id, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return contentID(node.Chunks), nil
}

// contentID is the same for the same chunks, wherever they lie.
func contentID(chunks []archive.Chunk) [32]byte {
	h := sha256.New()
	for i := range chunks {
		c := &chunks[i]
		h.Write(binary.BigEndian.AppendUint32(c.ID[:], c.Length))
	}
	return [32]byte(h.Sum(nil))
}

// file is an open file.
type file struct {
	node    *tree.Node
	content *Content
	rest    []byte
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		var err error
		f.rest, err = f.content.Next()
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", f.node.Path, err)
		}
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// Close stops fetching.
func (f *file) Close() error {
	f.rest = nil
	f.content.Close()
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
