package mount

import (
	"errors"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
)

// A snapshot that somebody forged may say of a chunk that it is longer or shorter than it is.
func TestAChunkOfAnotherLengthThanItsFileSaysIsDamage(t *testing.T) {
	for _, says := range []uint32{3, 4, 5} {
		id := archive.ID{1}
		c := newContents(t.Context(), nil, defaultMemory)
		c.settle(c.promise(&archive.Chunk{ID: id, Length: 4}), []byte("four"), nil)
		f := newFile(c, &tree.Node{Chunks: []archive.Chunk{{ID: id, Length: says}}})
		p := make([]byte, 8)
		n, err := f.read(t.Context(), p, 0)
		if says == 4 && (err != nil || string(p[:n]) != "four") || says != 4 && !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("a length of %d: read %q, %v", says, p[:n], err)
		}
	}
}
