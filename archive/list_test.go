package archive_test

import (
	"context"
	"iter"
	"math"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
)

// swollen lists each object as larger by 4 GiB than it is.
type swollen struct{ store.Store }

func (s swollen) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range s.Store.List(ctx, prefix, after) {
			info.Size += 1 << 32
			if !yield(info, err) {
				return
			}
		}
	}
}

func TestAnObjectBeyondTheSizeOfAPackIsListedAsNoSmallerOne(t *testing.T) {
	s := memory.New()
	s.Set(archive.Data.Object(archive.Name{1}), []byte("some bytes"))
	n := 0
	for pack, err := range archive.ListPacks(t.Context(), swollen{s}) {
		if n++; err != nil || pack.Size != math.MaxUint32 {
			t.Errorf("%d bytes, %v; want %d", pack.Size, err, uint32(math.MaxUint32))
		}
	}
	if n != 1 {
		t.Errorf("%d packs are listed, want 1", n)
	}
}
