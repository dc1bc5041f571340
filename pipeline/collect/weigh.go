// Package collect finds packs that nothing needs any more, and deletes them while others write:
// condemn, drain, look again, sweep, delete. Package catalog/collection decides the steps.
package collect

import (
	"context"
	"math/bits"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

// Weights tells how many bytes a repository stores for which snapshots. A pack is deleted as a
// whole, when nothing in it is needed.
type Weights struct {
	packs []weighed
	lists map[archive.Name]int // of each record that counts, its list of refs
	users []int                // of each list, how many records name it
	alone []int64              // of each list, bytes of packs that no other needs
}

// weighed is a pack: its bytes, and a bit for each list that needs it.
type weighed struct {
	size uint32
	by   []uint64
}

// Weigh reads what every record that counts needs. It reads no content, names or trees.
func Weigh(ctx context.Context, repo *catalog.Repository, log *catalog.Log) (*Weights, error) {
	w := &Weights{lists: map[archive.Name]int{}}
	at, superseded := map[archive.Name]int{}, log.Superseded()
	for pack, err := range archive.ListPacks(ctx, repo.Store) {
		if err != nil {
			return nil, err
		}
		at[pack.Name] = len(w.packs)
		w.packs = append(w.packs, weighed{size: pack.Size})
	}
	var live []*catalog.Record
	for _, rec := range log.Records {
		if log.Live(rec, superseded) {
			live = append(live, rec)
		}
	}
	err := repo.EachRefs(ctx, log, live, func(users []*catalog.Record, set *archive.RefSet) error {
		n := len(w.users)
		w.users = append(w.users, len(users))
		for _, rec := range users {
			w.lists[rec.Hash] = n
		}
		for ref := range set.All() {
			if i, there := at[ref.Name]; there {
				w.packs[i].need(n)
			}
		}
		return nil
	})
	w.sum()
	return w, err
}

func (p *weighed) need(list int) {
	for len(p.by) <= list/64 {
		p.by = append(p.by, 0)
	}
	p.by[list/64] |= 1 << (list % 64)
}

// sum computes what each list alone needs.
func (w *Weights) sum() {
	w.alone = make([]int64, len(w.users))
	for _, p := range w.packs {
		count, last := 0, 0
		for i, word := range p.by {
			if word != 0 {
				count, last = count+bits.OnesCount64(word), i*64+bits.TrailingZeros64(word)
			}
		}
		if count == 1 {
			w.alone[last] += int64(p.size)
		}
	}
}

// Alone returns how many bytes forgetting one snapshot would free.
func (w *Weights) Alone(id archive.Name) int64 {
	list, known := w.lists[id]
	if !known || w.users[list] > 1 {
		return 0
	}
	return w.alone[list]
}

// Together returns how many bytes forgetting all of these snapshots would free.
func (w *Weights) Together(ids []archive.Name) (total int64) {
	left := make([]int, len(w.users))
	copy(left, w.users)
	var gone weighed
	for _, id := range ids {
		list, known := w.lists[id]
		if !known {
			continue
		}
		if left[list]--; left[list] == 0 {
			gone.need(list)
		}
	}
	for i := range w.packs {
		if w.packs[i].within(gone.by) {
			total += int64(w.packs[i].size)
		}
	}
	return total
}

// within reports whether a pack is needed, and only by lists in the mask.
func (p *weighed) within(mask []uint64) bool {
	needed := false
	for i, word := range p.by {
		if i >= len(mask) && word != 0 || i < len(mask) && word&^mask[i] != 0 {
			return false
		}
		needed = needed || word != 0
	}
	return needed
}
