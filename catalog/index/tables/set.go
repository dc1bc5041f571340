package tables

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/bits"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/archive"
)

// Set is the tables of a directory as they were when it was opened. All methods except Close are
// safe for concurrent use. All errors match ErrDamaged.
type Set struct {
	manifest *manifest
	chunks   *pageFile
	packs    *pageFile
	tables   []*table
	runs     map[archive.Name]int
	recent   []atomic.Pointer[Pack] // by the last bits of their numbers
	scratch  sync.Pool
}

// Open opens the tables in dir. If there are none, the Set is empty.
func Open(dir string) (*Set, error) {
	s, err := open(dir)
	// A concurrent merge deletes tables, perhaps after the manifest was read here.
	for range 3 {
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		s, err = open(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, err
}

func open(dir string) (*Set, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	s := newSet(m)
	if err := s.openFiles(dir); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Empty returns an empty Set.
func Empty() *Set { return newSet(&manifest{}) }

func newSet(m *manifest) *Set {
	s := &Set{manifest: m, runs: make(map[archive.Name]int, len(m.runs))}
	s.scratch.New = func() any { return new(scratch) }
	for i := range m.runs {
		s.runs[m.runs[i].name] = i
	}
	packs := m.packPages * perPage(packSize)
	s.recent = make([]atomic.Pointer[Pack], 1<<min(bits.Len64(uint64(packs)), recentBits))
	return s
}

// recentBits is the base-2 logarithm of how many packs are kept in memory.
const recentBits = 14

func (s *Set) openFiles(dir string) (err error) {
	m := s.manifest
	if s.chunks, err = openPages(filepath.Join(dir, chunksName(m.generation)), m.generation, m.chunkPages); err != nil {
		return err
	}
	if s.packs, err = openPages(filepath.Join(dir, packsName(m.generation)), ^m.generation, m.packPages); err != nil {
		return err
	}
	for _, note := range m.tables {
		t, err := openTable(dir, note)
		if err != nil {
			return err
		}
		s.tables = append(s.tables, t)
	}
	return nil
}

// openPages opens a file that must have at least this many pages. It returns nil if pages is 0.
func openPages(path string, number uint64, pages int64) (*pageFile, error) {
	if pages == 0 {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the index on disk: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() >= pages*pageSize {
		return &pageFile{f, number}, nil
	}
	f.Close()
	return nil, errors.Join(err, fmt.Errorf("%s has fewer than %d pages: %w", path, pages, ErrDamaged))
}

// Close closes the files. No other method may be called afterwards.
func (s *Set) Close() {
	for _, t := range s.tables {
		t.file.Close()
	}
	for _, f := range []*pageFile{s.chunks, s.packs} {
		if f != nil {
			f.Close()
		}
	}
}

// Run returns the number of an index run in the set.
func (s *Set) Run(name archive.Name) (number int, ok bool) {
	number, ok = s.runs[name]
	return number, ok
}

// Runs returns the number of index runs in the set, which are numbered from 0.
func (s *Set) Runs() int { return len(s.manifest.runs) }

// RunChunks returns how many chunks a run lists.
func (s *Set) RunChunks(number int) int { return int(s.manifest.runs[number].chunks) }

// Tables returns how many tables a look-up searches.
func (s *Set) Tables() int { return len(s.tables) }

// Memory returns roughly how many bytes of memory the set takes.
func (s *Set) Memory() (n int64) {
	n = int64(len(s.recent))*(8+128) + int64(len(s.runs))*100
	for _, t := range s.tables {
		n += int64(len(t.fences)) * 8
		for i := range t.filter {
			if n += 8; t.filter[i].Load() != nil {
				n += pageSize
			}
		}
	}
	return n
}

// Match is a place of a chunk.
type Match struct {
	Chunk archive.Chunk
	Pack  *Pack
}

// scratch is the working memory of one look-up.
type scratch struct {
	keys, chunks, packs cursor
	items               []uint64
}

// Find appends to dst every place of a chunk, in all runs.
func (s *Set) Find(id archive.ID, dst []Match) ([]Match, error) {
	w := s.scratch.Get().(*scratch)
	defer s.scratch.Put(w)
	if err := s.items(prefix(id[:]), w); err != nil {
		return dst, err
	}
	for _, item := range w.items {
		if item&isPack != 0 {
			continue
		}
		m, err := s.chunk(int64(item), w)
		if err != nil {
			return dst, err
		}
		if m.Chunk.ID == id {
			dst = append(dst, m)
		}
	}
	return dst, nil
}

// items collects the items with a prefix.
func (s *Set) items(prefix uint64, w *scratch) error {
	w.items = w.items[:0]
	for _, t := range s.tables {
		may, err := t.mayHave(prefix)
		if err != nil {
			return err
		}
		if !may {
			continue
		}
		if w.items, err = t.find(prefix, &w.keys, w.items); err != nil {
			return err
		}
	}
	return nil
}

// chunk reads the chunk with a number.
func (s *Set) chunk(number int64, w *scratch) (Match, error) {
	at, slot := number/perPage(chunkSize), number%perPage(chunkSize)
	if at >= s.manifest.chunkPages {
		return Match{}, fmt.Errorf("a key leads to chunk %d, which is not there: %w", number, ErrDamaged)
	}
	if err := w.chunks.turn(s.chunks, at); err != nil {
		return Match{}, err
	}
	r := getChunk(w.chunks.page[slot*chunkSize:])
	p, err := s.pack(r.pack, w)
	if err != nil {
		return Match{}, err
	}
	r.chunk.Place.Pack = &p.Pack
	return Match{r.chunk, p}, nil
}

// pack reads the pack with a number.
func (s *Set) pack(number uint32, w *scratch) (*Pack, error) {
	recent := &s.recent[number&uint32(len(s.recent)-1)]
	if p := recent.Load(); p != nil && p.number == number {
		return p, nil
	}
	at, slot := int64(number)/perPage(packSize), int64(number)%perPage(packSize)
	if at >= s.manifest.packPages {
		return nil, fmt.Errorf("pack %d is not there: %w", number, ErrDamaged)
	}
	if err := w.packs.turn(s.packs, at); err != nil {
		return nil, err
	}
	p := getPack(w.packs.page[slot*packSize:], number)
	if err := s.checkPack(p); err != nil {
		return nil, err
	}
	recent.Store(p)
	return p, nil
}

// checkPack returns an error if a pack's entry refers to something that does not exist.
func (s *Set) checkPack(p *Pack) error {
	if p == nil || p.Run >= len(s.manifest.runs) || p.Chunks > archive.MaxChunks || p.first < 0 ||
		p.first+int64(p.Chunks) > s.manifest.chunkPages*perPage(chunkSize) {
		return fmt.Errorf("a pack is not as it should be: %w", ErrDamaged)
	}
	return nil
}

// PacksNamed returns every entry of a pack.
func (s *Set) PacksNamed(name archive.Name) (packs []*Pack, err error) {
	w := s.scratch.Get().(*scratch)
	defer s.scratch.Put(w)
	if err := s.items(prefix(name[:]), w); err != nil {
		return nil, err
	}
	for _, item := range w.items {
		if item&isPack == 0 {
			continue
		}
		p, err := s.pack(uint32(item), w)
		if err != nil {
			return nil, err
		}
		if p.Name == name {
			packs = append(packs, p)
		}
	}
	return packs, nil
}

// Packs yields all packs. It yields an error last.
func (s *Set) Packs() iter.Seq2[*Pack, error] {
	return func(yield func(*Pack, error) bool) {
		r := newPageReader(s.packs, packSize, 0, s.manifest.packPages)
		for number := uint32(0); ; number++ {
			b, err := r.next()
			if err != nil {
				yield(nil, err)
				return
			}
			if b == nil {
				return
			}
			if p := getPack(b, number); p != nil && !yield(p, s.checkPack(p)) {
				return
			}
		}
	}
}

// Directory reads the directory of a pack.
func (s *Set) Directory(p *Pack) (*archive.Directory, error) {
	per := perPage(chunkSize)
	d := &archive.Directory{Lengths: make([]uint32, p.Chunks), IDs: make([]archive.ID, p.Chunks)}
	r := newPageReader(s.chunks, chunkSize, p.first/per, (p.first+int64(p.Chunks)+per-1)/per)
	for range p.first % per {
		if _, err := r.next(); err != nil {
			return nil, err
		}
	}
	frame := int64(-1)
	for i := range d.IDs {
		b, err := r.next()
		if err != nil {
			return nil, err
		}
		c := getChunk(b)
		if c.pack != p.number || c.chunk.Place.Ordinal != uint32(i) {
			return nil, fmt.Errorf("chunk %d of pack %s is not where it should be: %w", i, p.Name, ErrDamaged)
		}
		if int64(c.chunk.Place.Frame) != frame {
			frame = int64(c.chunk.Place.Frame)
			d.Frames = append(d.Frames, archive.Frame{Stored: c.chunk.Place.Stored})
		}
		d.Frames[len(d.Frames)-1].Chunks++
		d.Lengths[i], d.IDs[i] = c.chunk.Length, c.chunk.ID
	}
	return d, nil
}
