package archive

import (
	"hash/maphash"
	"iter"
	"sort"
	"sync"
	"unsafe"
)

// Index maps chunk ids to places, built from index runs. It is exact: it compares the whole 32-byte
// id. Ids of data and of trees come from different keys, so one index holds both. It is safe for
// concurrent use.
//
// It is a flat open-addressing table with 8 bytes a slot, at most four fifths full, over the packs'
// lists of ids, which it keeps as they are: 32 bytes of id, 4 of length, 8 for each frame and 10 to
// 15 of the table make 50 to 59 bytes a chunk.
type Index struct {
	mu     sync.RWMutex
	seed   maphash.Seed
	table  []uint64 // 0, or 32 bits of hash and 32 of the entry's number plus 1; one slot for each id
	used   int
	last   int // entries, which are numbered through all packs
	packs  []indexPack
	packOf []uint32              // which pack has every 64th entry
	more   map[uint32][]uint32   // other entries of the id that the entry in the table has
	byName map[Name][]uint32     // packs
	usable func(pack *Pack) bool // nil: all are
}

// indexPack is a pack in the index.
type indexPack struct {
	packs   []*Pack      // the same pack from several runs, at least one
	use     *Pack        // the first that may be used; nil: none
	first   uint32       // number of its first entry
	frames  []indexFrame // and one more that ends the last
	lengths []uint32
	ids     []ID
}

type indexFrame struct{ offset, ordinal uint32 }

const (
	entriesPerHint = 64
	maxEntries     = 1<<32 - 2
)

// NewIndex makes an empty index with room for this many chunks; it grows as needed.
func NewIndex(chunks int) *Index {
	return &Index{
		seed:   maphash.MakeSeed(),
		table:  make([]uint64, max(1024, chunks/4*5+1)),
		more:   make(map[uint32][]uint32),
		byName: make(map[Name][]uint32),
	}
}

// Add adds the packs of an index run, or of a writer. Nobody may change the directories afterwards.
// A pack that the index has already with the same directory takes no more room. Beyond four
// thousand million chunks Add adds nothing; backups then store those chunks again.
func (x *Index) Add(packs ...RunPack) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range packs {
		if !x.addAgain(p) && x.last+p.Directory.Len() <= maxEntries {
			x.add(p)
		}
	}
}

// addAgain records that another run lists a pack which the index has. It reports whether the
// directories are the same.
func (x *Index) addAgain(p RunPack) bool {
	for _, i := range x.byName[p.Pack.Name] {
		known := &x.packs[i]
		if *known.packs[0] != *p.Pack || !known.directory().Equal(p.Directory) {
			continue
		}
		known.packs = append(known.packs, p.Pack)
		known.decide(x.usable)
		return true
	}
	return false
}

func (x *Index) add(p RunPack) {
	d := p.Directory
	number := uint32(len(x.packs))
	pack := indexPack{packs: []*Pack{p.Pack}, first: uint32(x.last), lengths: d.Lengths, ids: d.IDs}
	pack.frames = make([]indexFrame, 1, len(d.Frames)+1)
	end := indexFrame{}
	for _, f := range d.Frames {
		end = indexFrame{end.offset + f.Stored, end.ordinal + f.Chunks}
		pack.frames = append(pack.frames, end)
	}
	pack.decide(x.usable)
	x.packs = append(x.packs, pack)
	x.byName[p.Pack.Name] = append(x.byName[p.Pack.Name], number)
	x.last += len(d.IDs)
	for len(x.packOf)*entriesPerHint < x.last {
		x.packOf = append(x.packOf, number)
	}
	for i := range d.IDs {
		x.insert(&d.IDs[i], pack.first+uint32(i))
	}
}

// insert puts an entry into the table, or links it to the entry with the same id.
func (x *Index) insert(id *ID, entry uint32) {
	if (x.used+1)*5 > len(x.table)*4 {
		x.grow()
	}
	tag := maphash.Bytes(x.seed, id[:]) >> 32
	slot := x.slot(tag)
	for x.table[slot] != 0 {
		if other := uint32(x.table[slot]) - 1; x.table[slot]>>32 == tag && *x.id(other) == *id {
			x.more[other] = append(x.more[other], entry)
			return
		}
		if slot++; slot == len(x.table) {
			slot = 0
		}
	}
	x.table[slot] = tag<<32 | uint64(entry+1)
	x.used++
}

// slot returns where the search for a tag begins. It increases with the tag, so that the table is
// sorted except for collisions.
func (x *Index) slot(tag uint64) int { return int(tag * uint64(len(x.table)) >> 32) }

func (x *Index) grow() {
	old := x.table
	x.table = make([]uint64, len(old)+len(old)/2)
	for _, value := range old {
		if value == 0 {
			continue
		}
		slot := x.slot(value >> 32)
		for x.table[slot] != 0 {
			if slot++; slot == len(x.table) {
				slot = 0
			}
		}
		x.table[slot] = value
	}
}

// find returns the first entry of an id.
func (x *Index) find(id *ID) (entry uint32, found bool) {
	tag := maphash.Bytes(x.seed, id[:]) >> 32
	for slot := x.slot(tag); x.table[slot] != 0; {
		entry := uint32(x.table[slot]) - 1
		if x.table[slot]>>32 == tag && *x.id(entry) == *id {
			return entry, true
		}
		if slot++; slot == len(x.table) {
			slot = 0
		}
	}
	return 0, false
}

// pack returns the pack to which an entry belongs.
func (x *Index) pack(entry uint32) *indexPack {
	i := x.packOf[entry/entriesPerHint]
	for entry-x.packs[i].first >= uint32(len(x.packs[i].ids)) {
		i++
	}
	return &x.packs[i]
}

func (x *Index) id(entry uint32) *ID {
	p := x.pack(entry)
	return &p.ids[entry-p.first]
}

// Lookup finds a chunk in a pack that the filter allows (SetFilter).
func (x *Index) Lookup(id ID) (Chunk, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.lookup(&id)
}

func (x *Index) lookup(id *ID) (Chunk, bool) {
	entry, found := x.find(id)
	if !found {
		return Chunk{}, false
	}
	if p := x.pack(entry); p.use != nil {
		return p.chunk(p.use, entry-p.first), true
	}
	for _, entry := range x.more[entry] {
		if p := x.pack(entry); p.use != nil {
			return p.chunk(p.use, entry-p.first), true
		}
	}
	return Chunk{}, false
}

// Places returns all places of a chunk, those in packs that the filter allows first. A restore that
// finds a wrong id at one place tries the next.
func (x *Index) Places(id ID) []Chunk {
	x.mu.RLock()
	defer x.mu.RUnlock()
	first, found := x.find(&id)
	if !found {
		return nil
	}
	var usable, rest []Chunk
	for _, entry := range append([]uint32{first}, x.more[first]...) {
		if p := x.pack(entry); p.use != nil {
			usable = append(usable, p.chunk(p.use, entry-p.first))
		} else {
			rest = append(rest, p.chunk(p.packs[0], entry-p.first))
		}
	}
	return append(usable, rest...)
}

// SetFilter sets which packs Lookup may use: those for which usable returns true. The index calls
// usable now for every pack it has, and later for each pack that is added; usable must not call the
// index. A nil usable allows all packs.
func (x *Index) SetFilter(usable func(*Pack) bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.usable = usable
	for i := range x.packs {
		x.packs[i].decide(usable)
	}
}

// Pack returns what the index knows of the pack with this name.
func (x *Index) Pack(name Name) (RunPack, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	list := x.byName[name]
	if len(list) == 0 {
		return RunPack{}, false
	}
	p := &x.packs[list[0]]
	return RunPack{p.packs[0], p.directory()}, true
}

// Packs yields all packs. It does not see packs that are added meanwhile.
func (x *Index) Packs() iter.Seq[RunPack] {
	return func(yield func(RunPack) bool) {
		x.mu.RLock()
		n := len(x.packs)
		x.mu.RUnlock()
		for i := range n {
			x.mu.RLock()
			p := x.packs[i]
			x.mu.RUnlock()
			if !yield(RunPack{p.packs[0], p.directory()}) {
				return
			}
		}
	}
}

// Len returns the number of different chunks.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.used
}

// Memory returns roughly how many bytes the index takes.
func (x *Index) Memory() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := int64(8*cap(x.table)) + int64(4*cap(x.packOf)) + int64(32*len(x.more))
	for i := range x.packs {
		p := &x.packs[i]
		n += int64(unsafe.Sizeof(*p)+unsafe.Sizeof(Pack{})) + 48 // the map by name too
		n += int64(8*cap(p.frames) + 4*cap(p.lengths) + 32*cap(p.ids))
	}
	return n
}

// decide chooses the first mention of a pack that usable allows.
func (p *indexPack) decide(usable func(*Pack) bool) {
	p.use = nil
	for _, pack := range p.packs {
		if usable == nil || usable(pack) {
			p.use = pack
			return
		}
	}
}

func (p *indexPack) chunk(pack *Pack, ordinal uint32) Chunk {
	f := sort.Search(len(p.frames)-1, func(i int) bool { return p.frames[i+1].ordinal > ordinal })
	frame, end := p.frames[f], p.frames[f+1]
	start := uint32(0)
	for _, length := range p.lengths[frame.ordinal:ordinal] {
		start += length
	}
	place := Place{Pack: pack, Ordinal: ordinal, Frame: frame.offset, Stored: end.offset - frame.offset, Start: start}
	return Chunk{ID: p.ids[ordinal], Length: p.lengths[ordinal], Place: place}
}

func (p *indexPack) directory() *Directory {
	d := &Directory{Frames: make([]Frame, len(p.frames)-1), Lengths: p.lengths, IDs: p.ids}
	for i := range d.Frames {
		from, to := p.frames[i], p.frames[i+1]
		d.Frames[i] = Frame{Stored: to.offset - from.offset, Chunks: to.ordinal - from.ordinal}
	}
	return d
}
