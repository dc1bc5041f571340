package archive

import (
	"errors"
	"math"
	"testing"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

func TestAnObjectLargerThanAnyPackIsDamageAndIsNotFetched(t *testing.T) {
	f := &storetest.Faulty{Store: memory.New()}
	reader := NewReader(f, nil, nil, nil, ReaderOptions{})
	for _, size := range []uint32{MaxPack + 1, math.MaxUint32} {
		whole, err := reader.LoadWhole(t.Context(), &Pack{Kind: Data, Size: size}, 2)
		if whole != nil || !errors.Is(err, ErrDamaged) || len(f.Calls()) > 0 {
			t.Errorf("%d bytes: %v, after %v; want %v", size, err, f.Calls(), ErrDamaged)
		}
	}
}
