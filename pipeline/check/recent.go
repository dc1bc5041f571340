package check

import (
	"context"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
)

// mostRecent is how many bytes of pages are kept for the next tree, which has most of them too.
const mostRecent = 8 << 20

// recent keeps the pages that were loaded last.
type recent struct {
	load tree.Load

	mu    sync.Mutex
	pages map[archive.ID][]byte
	order []archive.ID // the oldest first
	held  int
}

// keepRecent is load that remembers pages for a while.
func keepRecent(load tree.Load) tree.Load {
	return (&recent{load: load, pages: map[archive.ID][]byte{}}).get
}

func (r *recent) get(ctx context.Context, want []archive.Chunk, each func(i int, page []byte) error) error {
	var missing []archive.Chunk
	var index []int
	for i := range want {
		page := r.page(want[i].ID)
		if page == nil {
			missing, index = append(missing, want[i]), append(index, i)
			continue
		}
		if err := each(i, page); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return r.load(ctx, missing, func(i int, page []byte) error {
		r.keep(missing[i].ID, page)
		return each(index[i], page)
	})
}

func (r *recent) page(id archive.ID) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pages[id]
}

func (r *recent) keep(id archive.ID, page []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pages[id] != nil {
		return
	}
	r.pages[id] = append([]byte(nil), page...)
	r.order = append(r.order, id)
	for r.held += len(page); r.held > mostRecent; r.order = r.order[1:] {
		r.held -= len(r.pages[r.order[0]])
		delete(r.pages, r.order[0])
	}
}
