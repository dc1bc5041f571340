package backup

import (
	"errors"
	"testing"

	"github.com/packstone/packstone/catalog"
)

func TestPacksAreSmallWhereMemoryIsTight(t *testing.T) {
	for _, test := range []struct {
		asked, memory int64
		want          int
		wrong         bool
	}{
		{0, 0, 0, false},
		{0, tightMemory, 0, false},
		{0, tightMemory - 1, smallPack, false},
		{32 << 20, tightMemory - 1, 32 << 20, false},
		{1, 0, 0, true},
	} {
		got, err := PackSize(test.asked, test.memory)
		if got != test.want || errors.Is(err, catalog.ErrMisuse) != test.wrong {
			t.Errorf("asked for %d with %d of memory: %d, %v; want %d", test.asked, test.memory, got, err, test.want)
		}
	}
}
