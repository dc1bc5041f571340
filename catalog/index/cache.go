package index

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/index/tables"
)

// cache holds whole packs in which several chunks were found: neighbours in a source are often
// neighbours in a pack. When it is full, it drops the older half. It takes some 15 MiB at most, and
// leaves out packs of more than cachePack chunks.
type cache struct {
	mu            sync.RWMutex
	recent, older *archive.Index
	last          [cacheHits]atomic.Uint64 // packs in which a chunk was found
}

const (
	cacheChunks = 1 << 17
	cachePack   = 1 << 15
	// While a source is read, few packs take turns. Among this many, random look-ups seldom hit a
	// pack twice.
	cacheHits = 1 << 4
)

// lookup finds a chunk in a cached pack.
func (h *cache) lookup(id archive.ID) (archive.Chunk, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, x := range [...]*archive.Index{h.recent, h.older} {
		if x == nil {
			continue
		}
		if c, found := x.Lookup(id); found {
			return c, true
		}
	}
	return archive.Chunk{}, false
}

// hit records that a chunk of p was found on disk, and caches the pack at the second time.
func (h *cache) hit(disk *tables.Set, p *tables.Pack) error {
	name := binary.LittleEndian.Uint64(p.Name[:])
	last := &h.last[p.Name[8]%cacheHits]
	if last.Swap(name) != name || p.Chunks > cachePack || p.Chunks < 2 {
		return nil
	}
	d, err := disk.Directory(p)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.recent == nil || h.recent.Len() > cacheChunks {
		h.recent, h.older = archive.NewIndex(0), h.recent
	}
	h.recent.Add(archive.RunPack{Pack: &p.Pack, Directory: d})
	return nil
}

// clear drops all packs, after some of them have become unusable.
func (h *cache) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recent, h.older = nil, nil
}

func (h *cache) memory() (n int64) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, x := range [...]*archive.Index{h.recent, h.older} {
		if x != nil {
			n += x.Memory()
		}
	}
	return n
}
