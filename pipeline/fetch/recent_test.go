package fetch

import (
	"context"
	"fmt"
	"testing"

	"github.com/packstone/packstone/archive"
)

func TestPagesAreLoadedOnceWhileTheyAreRecent(t *testing.T) {
	var r RecentPages
	loaded := 0
	load := r.Load(func(_ context.Context, want []archive.Chunk, each func(int, []byte) error) error {
		for i, c := range want {
			loaded++
			if err := each(i, append(make([]byte, 1<<20), c.ID[0])); err != nil {
				return err
			}
		}
		return nil
	})
	ask := func(ids ...byte) {
		t.Helper()
		want := make([]archive.Chunk, len(ids))
		for i, id := range ids {
			want[i].ID[0] = id
		}
		came := map[byte]bool{}
		err := load(t.Context(), want, func(i int, page []byte) error {
			if got := page[len(page)-1]; got != ids[i] || came[got] {
				return fmt.Errorf("page %d came as %d", ids[i], got)
			}
			came[ids[i]] = true
			return nil
		})
		if err != nil || len(came) != len(ids) {
			t.Fatalf("%v: %d pages came, %v", ids, len(came), err)
		}
	}
	ask(1, 2)
	ask(2, 3, 1)
	if loaded != 3 {
		t.Errorf("loaded %d pages, want 3", loaded)
	}
	for id := byte(10); id < 200; id++ {
		ask(1, id) // 1 stays, as it is asked for
	}
	if held := len(r.young) + len(r.old); loaded != 193 || held > 2*(youngest>>20+2) {
		t.Errorf("loaded %d pages and holds %d, want 193 and at most %d", loaded, held, 2*(youngest>>20+2))
	}
}
