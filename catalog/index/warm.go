package index

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/index/tables"
)

// warm holds whole packs of which several chunks were found: what follows in a source often follows in the pack. When it is
// full, the older half is dropped: at most some 15 MiB, and packs of more chunks than warmPack are left out.
type warm struct {
	mu            sync.RWMutex
	recent, older *archive.Index
	last          [warmHits]atomic.Uint64 // packs in which a chunk was found
}

const (
	warmChunks = 1 << 17
	warmPack   = 1 << 15
	// As a source is read, few packs take turns. Of so many, where chunks are looked up at random one seldom comes twice.
	warmHits = 1 << 4
)

// lookup finds a chunk of a pack that is held.
func (w *warm) lookup(id archive.ID) (archive.Chunk, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, x := range [...]*archive.Index{w.recent, w.older} {
		if x == nil {
			continue
		}
		if c, found := x.Lookup(id); found {
			return c, true
		}
	}
	return archive.Chunk{}, false
}

// hit notes that a chunk of p was found on disk, and holds the pack from the second time on.
func (w *warm) hit(disk *tables.Set, p *tables.Pack) error {
	name := binary.LittleEndian.Uint64(p.Name[:])
	last := &w.last[p.Name[8]%warmHits]
	if last.Swap(name) != name || p.Chunks > warmPack || p.Chunks < 2 {
		return nil
	}
	d, err := disk.Directory(p)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.recent == nil || w.recent.Len() > warmChunks {
		w.recent, w.older = archive.NewIndex(0), w.recent
	}
	w.recent.Add(archive.RunPack{Pack: &p.Pack, Directory: d})
	return nil
}

// clear forgets all packs: some of them may not be used any more.
func (w *warm) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recent, w.older = nil, nil
}

func (w *warm) memory() (n int64) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, x := range [...]*archive.Index{w.recent, w.older} {
		if x != nil {
			n += x.Memory()
		}
	}
	return n
}
