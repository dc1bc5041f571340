package backup

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/chunker"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline"
)

// intake takes chunks in: those that the repository has already cost a look-up, the others are
// compressed and packed. Safe for concurrent use.
type intake struct {
	ids      *crypto.IDKey
	index    *index.Index
	writer   *archive.Writer
	inFlight [flightShards]flightShard
	progress *pipeline.Progress
	zeros    atomic.Pointer[zeroRun]
}

// zeroRun is the last chunk of nothing but zeros that was named: there are many alike.
type zeroRun struct {
	length int
	id     archive.ID
}

// flightShard holds chunks that are being written and that the index does not know yet.
type flightShard struct {
	sync.Mutex
	slots map[archive.ID]*archive.Slot
	seen  map[uint64]struct{} // of a dry run: the beginnings of new ids
}

const flightShards = 64

func newIntake(ids *crypto.IDKey, index *index.Index, p *pipeline.Progress) *intake {
	in := &intake{ids: ids, index: index, progress: p}
	for i := range in.inFlight {
		in.inFlight[i].slots, in.inFlight[i].seen = map[archive.ID]*archive.Slot{}, map[uint64]struct{}{}
	}
	return in
}

// addRun takes in the chunks of these lengths that lie one after the other in data, which may be
// reused after. put is told of each where it lies, or the slot in which it will say so. New chunks
// that are neighbours are compressed together.
func (in *intake) addRun(ctx context.Context, data []byte, lengths []int, group string, put func(int, archive.Chunk, *archive.Slot)) error {
	var run []*archive.Slot // new ones, that end where the next chunk begins
	begin, at := 0, 0
	for i, n := range lengths {
		chunk, slot, isNew, err := in.identify(ctx, data[at:at+n])
		if err != nil {
			return err
		}
		put(i, chunk, slot)
		if isNew {
			run = append(run, slot)
		} else {
			if err := in.write(ctx, run, data[begin:at], group); err != nil {
				return err
			}
			run, begin = run[:0], at+n
		}
		at += n
	}
	return in.write(ctx, run, data[begin:at], group)
}

// identify says where a chunk lies, or the slot in which it will say so, and whether it is for the
// caller to write.
func (in *intake) identify(ctx context.Context, piece []byte) (_ archive.Chunk, _ *archive.Slot, isNew bool, _ error) {
	id := in.name(piece)
	if in.writer == nil {
		chunk, err := in.preview(ctx, id, len(piece))
		return chunk, nil, false, err
	}
	return in.find(ctx, id, len(piece))
}

// write packs new chunks.
func (in *intake) write(ctx context.Context, run []*archive.Slot, data []byte, group string) error {
	if len(run) == 0 {
		return nil
	}
	in.progress.ChunksNew.Add(uint64(len(run)))
	in.progress.BytesNew.Add(uint64(len(data)))
	if err := in.writer.AddRun(ctx, run, data, group); err != nil {
		return &storageError{err}
	}
	return nil
}

// name returns the id of data. Zeros of the same length are hashed once.
func (in *intake) name(data []byte) archive.ID {
	if !chunker.AllZero(data) {
		return in.ids.Sum(data)
	}
	if run := in.zeros.Load(); run != nil && run.length == len(data) {
		return run.id
	}
	run := &zeroRun{len(data), in.ids.Sum(data)}
	in.zeros.Store(run)
	return run.id
}

// preview counts what a dry run would write.
func (in *intake) preview(ctx context.Context, id archive.ID, length int) (archive.Chunk, error) {
	if chunk, ok, err := in.lookup(ctx, id); ok || err != nil {
		return chunk, err
	}
	shard := &in.inFlight[id[0]%flightShards]
	shard.Lock()
	defer shard.Unlock()
	begin := binary.LittleEndian.Uint64(id[8:])
	if _, seen := shard.seen[begin]; !seen {
		shard.seen[begin] = struct{}{}
		in.progress.ChunksNew.Add(1)
		in.progress.BytesNew.Add(uint64(length))
	}
	return archive.Chunk{ID: id, Length: uint32(length)}, nil
}

// lookup asks the index.
func (in *intake) lookup(ctx context.Context, id archive.ID) (archive.Chunk, bool, error) {
	chunk, ok, err := in.index.Lookup(ctx, id)
	if err != nil {
		return chunk, false, &storageError{err}
	}
	return chunk, ok, nil
}

// storageError is a failure of the repository's side, which no other file can get around.
type storageError struct{ error }

// Unwrap returns what is wrapped, for errors.Is and errors.As.
func (e *storageError) Unwrap() error { return e.error }

func isStorage(err error) bool {
	var storage *storageError
	return errors.As(err, &storage)
}

// find looks a chunk up, and claims it for the caller to write if it is new.
func (in *intake) find(ctx context.Context, id archive.ID, length int) (_ archive.Chunk, _ *archive.Slot, isNew bool, _ error) {
	if chunk, ok, err := in.lookup(ctx, id); ok || err != nil {
		return chunk, nil, false, err
	}
	shard := &in.inFlight[id[0]%flightShards]
	shard.Lock()
	defer shard.Unlock()
	if slot := shard.slots[id]; slot != nil {
		return archive.Chunk{}, slot, false, nil
	}
	// Its pack may have been sealed since the first look: then the index has it, and no slot any
	// more.
	if chunk, ok, err := in.lookup(ctx, id); ok || err != nil {
		return chunk, nil, false, err
	}
	slot := archive.NewSlot(id, length)
	shard.slots[id] = slot
	return archive.Chunk{}, slot, true, nil
}

// sealed moves the chunks of a pack that were in flight to the index.
func (in *intake) sealed(p archive.RunPack) {
	in.index.Add(p)
	for _, id := range p.Directory.IDs {
		shard := &in.inFlight[id[0]%flightShards]
		shard.Lock()
		delete(shard.slots, id)
		shard.Unlock()
	}
}
