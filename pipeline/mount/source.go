package mount

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

const (
	firstWalk = 1 << 20 // bytes that are asked for of the files that follow one which is opened
	filesOf   = 2048    // at most, in one go
	walksKept = 256
)

// source is one source of a snapshot. It is safe for concurrent use.
type source struct {
	key    string     // its folder below the mount, which no other has
	moment entry.Time // of what has no time
	tree   *tree.Tree
	store  *contents

	mu    sync.Mutex
	walks map[string]walk // by the file whose opening says that somebody follows
}

// walk is what to request next for a reader who reads one file after the other.
type walk struct {
	from string
	size int64
}

// lookup returns the node at a path, which may be a directory without an entry of its own.
func (s *source) lookup(ctx context.Context, path string) (*tree.Node, error) {
	n, err := s.tree.Lookup(ctx, path)
	if !errors.Is(err, fs.ErrNotExist) {
		return n, err
	}
	for _, listErr := range s.tree.List(ctx, path) {
		return &tree.Node{Entry: entry.Entry{Path: path, Type: entry.Directory}}, listErr
	}
	return nil, err
}

// open opens a file, and requests what will be read next, of this file or of those after it.
func (s *source) open(ctx context.Context, path string) (*file, error) {
	n, err := s.tree.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	n = n.Clone()
	f := newFile(s.store, n)
	next, follows := s.followed(path)
	if !follows && n.Size <= firstWalk && s.lacks(n.Chunks) {
		next, follows = walk{path, firstWalk}, true
	}
	if follows {
		s.ask(ctx, next)
	}
	return f, nil
}

func (s *source) followed(path string) (walk, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.walks[path]
	delete(s.walks, path)
	return w, ok
}

func (s *source) lacks(chunks []archive.Chunk) bool {
	for i := range chunks {
		if !chunks[i].IsHole() {
			return !s.store.has(chunks[i].ID)
		}
	}
	return false
}

// ask requests files from a path on. When the file in the middle is opened, it requests the files
// after the last one, twice as many bytes as before.
func (s *source) ask(ctx context.Context, w walk) {
	var chunks []archive.Chunk
	var paths []string
	left := w.size
	for n, err := range s.tree.All(ctx, w.from) {
		if err != nil {
			break // whoever reads it will be told
		}
		if n.Type != entry.File || n.Size == 0 {
			continue
		}
		paths = append(paths, n.Path)
		for i := 0; i < len(n.Chunks) && left > 0; i++ {
			chunks = append(chunks, n.Chunks[i])
			left -= int64(n.Chunks[i].Length)
		}
		if left <= 0 || len(paths) == filesOf {
			break
		}
	}
	s.store.want(chunks)
	if len(paths) > 1 {
		s.note(paths[len(paths)/2], walk{paths[len(paths)-1], min(2*w.size, s.store.window())})
	}
}

func (s *source) note(at string, next walk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.walks == nil || len(s.walks) >= walksKept {
		s.walks = map[string]walk{}
	}
	s.walks[at] = next
}
