package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/target"
)

// ErrMismatch: what a restore has written does not read back as it was.
var ErrMismatch = errors.New("what was written does not read back the same")

// verify reads a file back from the target and compares its chunks with their names.
func (r *restore) verify(ctx context.Context, n *tree.Node) error {
	if r.fetch.IDs == nil {
		return fmt.Errorf("verify %s: the key that names chunks is not at hand", n.Path)
	}
	file, err := r.target.Open(ctx, n.Path)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if file == nil {
		return fmt.Errorf("verify: there is no file: %w", ErrMismatch)
	}
	defer file.Close()
	return r.compare(ctx, file, n)
}

func (r *restore) compare(ctx context.Context, file target.ReadAtCloser, n *tree.Node) error {
	var buffer []byte
	offset := int64(0)
	for _, c := range n.Chunks {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		buffer = slices.Grow(buffer[:0], int(c.Length))[:c.Length]
		k, err := file.ReadAt(buffer, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("verify: %w", err)
		}
		if k < len(buffer) || archive.ID(r.fetch.IDs.Sum(buffer)) != c.ID {
			return fmt.Errorf("verify: %d bytes from offset %d: %w", c.Length, offset, ErrMismatch)
		}
		offset += int64(c.Length)
	}
	var beyond [1]byte
	if k, _ := file.ReadAt(beyond[:], offset); k > 0 {
		return fmt.Errorf("verify: it is longer than %d bytes: %w", offset, ErrMismatch)
	}
	return nil
}
