package fetch

import (
	"testing"

	"github.com/packstone/packstone/archive"
)

func TestTheSameChunksHaveTheSameContentIDWhereverTheyLie(t *testing.T) {
	a, b := archive.Chunk{ID: archive.ID{1}, Length: 10}, archive.Chunk{ID: archive.ID{2}, Length: 10}
	elsewhere := a
	elsewhere.Place.Ordinal++
	hole, larger := archive.Chunk{Length: 10}, archive.Chunk{Length: 11}
	for name, c := range map[string]struct {
		x, y []archive.Chunk
		same bool
	}{
		"the same":          {[]archive.Chunk{a, b}, []archive.Chunk{a, b}, true},
		"another place":     {[]archive.Chunk{a}, []archive.Chunk{elsewhere}, true},
		"another order":     {[]archive.Chunk{a, b}, []archive.Chunk{b, a}, false},
		"one more":          {[]archive.Chunk{a}, []archive.Chunk{a, a}, false},
		"a larger hole":     {[]archive.Chunk{hole}, []archive.Chunk{larger}, false},
		"nothing at all":    {nil, nil, true},
		"nothing, and some": {nil, []archive.Chunk{hole}, false},
	} {
		if got := contentID(c.x) == contentID(c.y); got != c.same {
			t.Errorf("%s: the ids are the same: %v, want %v", name, got, c.same)
		}
	}
}
