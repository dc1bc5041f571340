package check

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
)

// byContent reads the bytes of chunks from the same files of another repository, which has cut them
// elsewhere. It fetches only chunks that have some of these bytes, and goes on to a chunk's next
// position where one does not give it.
func (g *giver) byContent(ctx context.Context, domain crypto.Domain, want []Lost, keep func(i int, data []byte) error) (map[int]error, error) {
	lacking := map[int]error{}
	for i := range want {
		lacking[i] = fmt.Errorf("%w: it has no copy of a snapshot with that file", errNotGiven)
	}
	for k := range mostSpots {
		if err := g.attempt(ctx, domain, want, k, lacking, keep); err != nil {
			return nil, err
		}
	}
	return lacking, nil
}

// attempt makes chunks that are lacking of what is at the position k of each.
func (g *giver) attempt(ctx context.Context, domain crypto.Domain, want []Lost, k int, lacking map[int]error, keep func(i int, data []byte) error) error {
	byDomain := map[uint64]*patchwork{}
	for i := range lacking {
		if k >= len(want[i].In) {
			continue
		}
		if err := g.plan(ctx, byDomain, i, &want[i].Chunk, want[i].In[k]); ctx.Err() != nil {
			return context.Cause(ctx)
		} else if away := store.Unavailable(ctx, err); away != nil {
			return away
		} else if err != nil {
			lacking[i] = err
		}
	}
	ids := domain.DataID()
	for number, work := range byDomain {
		spoilt, err := g.sew(ctx, number, work)
		if err != nil {
			return err
		}
		for i, data := range work.made {
			switch {
			case spoilt[i] != nil:
				lacking[i] = spoilt[i]
			case archive.ID(ids.Sum(data)) != want[i].Chunk.ID:
				lacking[i] = errNotGiven
			default:
				if err := keep(i, data); err != nil {
					return err
				}
				delete(lacking, i)
			}
		}
	}
	return nil
}

// patchwork makes chunks out of pieces of the chunks of one domain of another repository.
type patchwork struct {
	chunks []archive.Chunk
	number map[archive.ID]int // in chunks
	pieces [][]patch          // by the number in chunks
	made   map[int][]byte     // by the number in what is wanted
}

// patch is where a part of a chunk belongs.
type patch struct {
	of       int // the number in what is wanted
	from, at int // offsets in bytes: in the chunk, and in what is made
	length   int
}

// plan adds what makes a wanted chunk at one of its positions, if the other repository has that file.
func (g *giver) plan(ctx context.Context, byDomain map[uint64]*patchwork, i int, chunk *archive.Chunk, at Spot) error {
	twin := g.twins[at.Snapshot]
	if twin == nil {
		return errNotGiven
	}
	node, err := g.find(ctx, twin, at)
	if err != nil {
		return err
	}
	work := byDomain[twin.Domain]
	if work == nil {
		work = &patchwork{number: map[archive.ID]int{}, made: map[int][]byte{}}
		byDomain[twin.Domain] = work
	}
	work.add(i, node.Chunks, at.Offset, int64(chunk.Length))
	return nil
}

// find returns the node of the same file in the twin of a snapshot.
func (g *giver) find(ctx context.Context, twin *catalog.Snapshot, at Spot) (*tree.Node, error) {
	state, ok := twin.Source(at.Source)
	if !ok {
		return nil, errNotGiven
	}
	t, err := g.tree(twin, state)
	if err != nil {
		return nil, err
	}
	return t.Lookup(ctx, at.Path)
}

// tree opens a tree of the other repository.
func (g *giver) tree(s *catalog.Snapshot, state *catalog.SourceState) (*tree.Tree, error) {
	if t := g.trees[state]; t != nil {
		return t, nil
	}
	reader, err := g.reader(s.Domain)
	if err != nil {
		return nil, err
	}
	g.trees[state] = tree.Open(state.Root, reader.Pages(), tree.OpenOptions{Marks: true, Cache: &g.decoded})
	return g.trees[state], nil
}

// add adds the part of chunks, which are the content of a file, that begins at an offset. Holes are
// zeros.
func (w *patchwork) add(i int, chunks []archive.Chunk, offset, length int64) {
	w.made[i] = make([]byte, length)
	begins := int64(0)
	for k := range chunks {
		chunk := &chunks[k]
		from, to := max(begins, offset), min(begins+int64(chunk.Length), offset+length)
		if from < to && !chunk.IsHole() {
			n, known := w.number[chunk.ID]
			if !known {
				n = len(w.chunks)
				w.number[chunk.ID], w.chunks, w.pieces = n, append(w.chunks, *chunk), append(w.pieces, nil)
			}
			w.pieces[n] = append(w.pieces[n], patch{of: i, from: int(from - begins), at: int(from - offset), length: int(to - from)})
		}
		begins += int64(chunk.Length)
	}
}

// sew reads what makes the chunks. It returns why some are not made.
func (g *giver) sew(ctx context.Context, number uint64, w *patchwork) (spoilt map[int]error, err error) {
	reader, err := g.reader(number)
	if err != nil {
		return nil, err
	}
	missing, err := reader.Each(ctx, w.chunks, func(n int, data []byte) error {
		for _, p := range w.pieces[n] {
			copy(w.made[p.of][p.at:p.at+p.length], data[min(p.from, len(data)):]) // if it is too short, the id tells
		}
		return nil
	})
	spoilt = map[int]error{}
	for _, m := range missing {
		for _, p := range w.pieces[m.Index] {
			spoilt[p.of] = m.Err
		}
	}
	return spoilt, err
}
