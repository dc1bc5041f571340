package restore

import (
	"bytes"
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
		same, err := r.sameChunk(file, c, offset, &buffer)
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		if !same {
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

// sameChunk tells whether a file has a chunk at an offset.
func (r *restore) sameChunk(file io.ReaderAt, c archive.Chunk, offset int64, buffer *[]byte) (bool, error) {
	if c.IsHole() {
		return isZero(file, offset, int64(c.Length))
	}
	if c.Length > archive.MaxChunk {
		return false, nil
	}
	*buffer = slices.Grow((*buffer)[:0], int(c.Length))[:c.Length]
	k, err := file.ReadAt(*buffer, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return k == len(*buffer) && archive.ID(r.fetch.IDs.Sum(*buffer)) == c.ID, nil
}

var zeros [64 << 10]byte

// isZero tells whether so many bytes at an offset are zeros. Where the file has a hole it is not
// read.
func isZero(file io.ReaderAt, offset, length int64) (bool, error) {
	end := offset + length
	sparse, ok := file.(target.Sparse)
	for ok && offset < end {
		from, to, err := sparse.NextData(offset, end)
		if err != nil {
			break // it does not tell: read it
		}
		if zero, err := readsZero(file, from, to); !zero || err != nil {
			return false, err
		}
		offset = to
	}
	return readsZero(file, min(offset, end-1), end) // the last byte at least: it must be there
}

// readsZero reads from offset to end.
func readsZero(file io.ReaderAt, offset, end int64) (bool, error) {
	buffer := make([]byte, min(max(0, end-offset), int64(len(zeros))))
	for ; offset < end; offset += int64(len(buffer)) {
		buffer = buffer[:min(end-offset, int64(len(zeros)))]
		n, err := file.ReadAt(buffer, offset)
		if n < len(buffer) && !errors.Is(err, io.EOF) {
			return false, err
		}
		if !bytes.Equal(buffer[:n], zeros[:len(buffer)]) {
			return false, nil
		}
	}
	return true, nil
}
