package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/chunker"
	"github.com/packstone/packstone/crypto"
)

// intake takes chunks in: those that the repository has already cost a look-up, the others are compressed and packed. Safe for
// concurrent use.
type intake struct {
	ids      *crypto.IDKey
	index    *catalog.Index
	writer   *archive.Writer
	flight   [flightShards]flightShard
	progress *Progress
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

func newIntake(ids *crypto.IDKey, index *catalog.Index, p *Progress) *intake {
	in := &intake{ids: ids, index: index, progress: p}
	for i := range in.flight {
		in.flight[i].slots, in.flight[i].seen = map[archive.ID]*archive.Slot{}, map[uint64]struct{}{}
	}
	return in
}

// add returns where data lies, or the slot in which it will say so. data may be reused after.
func (in *intake) add(ctx context.Context, data []byte, group string) (archive.Chunk, *archive.Slot, error) {
	id := in.name(data)
	if in.writer == nil {
		chunk, err := in.preview(ctx, id, len(data))
		return chunk, nil, err
	}
	chunk, slot, isNew, err := in.find(ctx, id, len(data))
	if err != nil || !isNew {
		return chunk, slot, err
	}
	in.progress.ChunksNew.Add(1)
	in.progress.BytesNew.Add(uint64(len(data)))
	if err := in.writer.Add(ctx, slot, data, group); err != nil {
		return archive.Chunk{}, nil, &storageError{err}
	}
	return archive.Chunk{}, slot, nil
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
	shard := &in.flight[id[0]%flightShards]
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
	shard := &in.flight[id[0]%flightShards]
	shard.Lock()
	defer shard.Unlock()
	if slot := shard.slots[id]; slot != nil {
		return archive.Chunk{}, slot, false, nil
	}
	// Its pack may have been sealed since the first look: then the index has it, and no slot any more.
	if chunk, ok, err := in.lookup(ctx, id); ok || err != nil {
		return chunk, nil, false, err
	}
	slot := archive.NewSlot(id, length)
	shard.slots[id] = slot
	return archive.Chunk{}, slot, true, nil
}

// sealed moves the chunks of a pack from the flight to the index.
func (in *intake) sealed(p archive.RunPack) {
	in.index.Add(p)
	for _, id := range p.Directory.IDs {
		shard := &in.flight[id[0]%flightShards]
		shard.Lock()
		delete(shard.slots, id)
		shard.Unlock()
	}
}
