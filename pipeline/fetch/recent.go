package fetch

import (
	"cmp"
	"context"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
)

// RecentPages caches recently loaded pages of trees: going from directory to directory, or from one
// snapshot to the next, loads the same ones again. It is safe for concurrent use; its zero value is
// empty.
type RecentPages struct {
	// Most is how many bytes of pages the younger generation holds, 16 MiB if 0. The older one
	// holds as many at most.
	Most int

	mu         sync.Mutex
	young, old map[archive.ID][]byte
	size       int // bytes of the young ones
}

const youngest = 16 << 20

// Load returns a tree.Load that calls other only for pages that are not cached.
func (r *RecentPages) Load(other tree.Load) tree.Load {
	return func(ctx context.Context, want []archive.Chunk, each func(i int, page []byte) error) error {
		var rest []archive.Chunk
		var at []int
		for i, c := range want {
			page := r.get(c.ID)
			if page == nil {
				rest, at = append(rest, c), append(at, i)
				continue
			}
			if err := each(i, page); err != nil {
				return err
			}
		}
		if len(rest) == 0 {
			return nil
		}
		return other(ctx, rest, func(i int, page []byte) error {
			r.put(rest[i].ID, page)
			return each(at[i], page)
		})
	}
}

func (r *RecentPages) get(id archive.ID) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if page := r.young[id]; page != nil {
		return page
	}
	page := r.old[id]
	if page != nil {
		r.add(id, page)
	}
	return page
}

func (r *RecentPages) put(id archive.ID, page []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(id, append([]byte(nil), page...))
}

// add adds a page to the younger generation. The caller must hold the lock.
func (r *RecentPages) add(id archive.ID, page []byte) {
	if r.young == nil || r.size > cmp.Or(r.Most, youngest) {
		r.young, r.old, r.size = map[archive.ID][]byte{}, r.young, 0
	}
	if _, ok := r.young[id]; !ok {
		r.size += len(page)
	}
	r.young[id] = page
}
