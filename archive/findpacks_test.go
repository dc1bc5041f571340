package archive

import (
	"context"
	"crypto/sha256"
	"testing"

	"github.com/packstone/packstone/archive/store/memory"
)

func TestPacksAreFoundByTheBeginningOfTheirNames(t *testing.T) {
	s, ctx := memory.New(), context.Background()
	put := func(object string) {
		t.Helper()
		if err := s.Put(ctx, object, []byte(object), sha256.Sum256([]byte(object))); err != nil {
			t.Fatal(err)
		}
	}
	data, trees, other := Name{0xab, 0xcd, 1}, Name{0xab, 0xcd, 2}, Name{0xab, 0xce}
	put(Data.Object(data))
	put(Trees.Object(trees))
	put(Data.Object(other))
	put(string(Data) + "/ab/abcd-else")
	for prefix, want := range map[string][]Name{"abcd": {data, trees}, "ab": {data, other, trees}, other.String(): {other}, "abcf": nil} {
		found, err := FindPacks(ctx, s, prefix)
		if err != nil || len(found) != len(want) {
			t.Fatalf("%s finds %d packs, %v; want %d", prefix, len(found), err, len(want))
		}
		for i, pack := range found {
			if pack.Name != want[i] || pack.Size == 0 {
				t.Errorf("%s finds %v, want %v", prefix, pack, want[i])
			}
		}
	}
}
