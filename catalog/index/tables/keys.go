package tables

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
)

// key maps the first eight bytes of an id to a chunk's number, or those of a pack's name to the
// pack's number with the bit isPack.
type key struct{ prefix, item uint64 }

const (
	keySize   = 8 + 5
	isPack    = 1 << 39
	maxItem   = isPack - 1
	fenceSize = 8
	blockSize = 32
	// Each key takes this many bits of the filter, which lets one in a hundred absent ids pass.
	filterBits = 11
)

func (a key) compare(b key) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	return cmp.Compare(a.item, b.item)
}

func (a key) put(b []byte) {
	binary.BigEndian.PutUint64(b, a.prefix)
	b[8] = byte(a.item >> 32)
	binary.BigEndian.PutUint32(b[9:], uint32(a.item))
}

func getKey(b []byte) key {
	return key{binary.BigEndian.Uint64(b), uint64(b[8])<<32 | uint64(binary.BigEndian.Uint32(b[9:]))}
}

// layout is the offsets of a table's parts: pages of keys, then of the filter's blocks, then of
// fences.
type layout struct {
	keys, blocks                      int64
	keyPages, filterPages, fencePages int64
}

func layoutOf(keys int64) layout {
	l := layout{keys: keys, blocks: keys*filterBits/(8*blockSize) + 1}
	l.keyPages = pagesFor(keys, keySize)
	l.filterPages = pagesFor(l.blocks, blockSize)
	l.fencePages = pagesFor(l.keyPages, fenceSize)
	return l
}

// block returns the filter block of a prefix. It increases with the prefix, so that the filter is
// written in order.
func (l *layout) block(prefix uint64) int64 {
	hi, _ := bits.Mul64(prefix, uint64(l.blocks))
	return int64(hi)
}

// filterSalts spread the low bits of a prefix over the eight words of a block, as in a split block
// Bloom filter.
var filterSalts = [8]uint32{0x7c9f4b1d, 0x2d1e86a5, 0x9e3779b1, 0x517cc1b7, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1, 0xd6e8feb9}

func setBits(block []byte, prefix uint64) {
	for i, salt := range filterSalts {
		bit := uint32(prefix) * salt >> 27
		block[4*i+int(bit>>3)] |= 1 << (bit & 7)
	}
}

func hasBits(block []byte, prefix uint64) bool {
	for i, salt := range filterSalts {
		bit := uint32(prefix) * salt >> 27
		if block[4*i+int(bit>>3)]&(1<<(bit&7)) == 0 {
			return false
		}
	}
	return true
}

// tableWriter writes a table of keys, which must come in order.
type tableWriter struct {
	layout
	file   *pageFile
	keys   *pageWriter
	filter *pageWriter
	fences []uint64
	block  []byte
	blocks int64 // written, with the one that is being filled
	n      int64
}

func createTable(dir string, keys int64) (*tableWriter, error) {
	number := random()
	f, err := os.OpenFile(filepath.Join(dir, keysName(number)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the index on disk: %w", err)
	}
	w := &tableWriter{layout: layoutOf(keys), file: &pageFile{f, number}}
	w.keys = newPageWriter(w.file, keySize, 0)
	w.filter = newPageWriter(w.file, blockSize, w.keyPages)
	return w, nil
}

func (w *tableWriter) add(k key) error {
	if w.n%perPage(keySize) == 0 {
		w.fences = append(w.fences, k.prefix)
	}
	w.n++
	b, err := w.keys.next()
	if err != nil {
		return err
	}
	k.put(b)
	if err := w.fillTo(w.layout.block(k.prefix)); err != nil {
		return err
	}
	setBits(w.block, k.prefix)
	return nil
}

// fillTo moves on to a block of the filter.
func (w *tableWriter) fillTo(block int64) (err error) {
	for w.blocks <= block && err == nil {
		w.block, err = w.filter.next()
		w.blocks++
	}
	return err
}

// finish returns the table, open.
func (w *tableWriter) finish() (*table, error) {
	if w.n != w.layout.keys {
		return nil, fmt.Errorf("write the index on disk: table of %d keys where %d were announced: %w", w.n, w.layout.keys, ErrDamaged)
	}
	err := errors.Join(w.fillTo(w.layout.blocks-1), w.keys.flush(), w.filter.flush())
	fences := newPageWriter(w.file, fenceSize, w.keyPages+w.filterPages)
	for _, fence := range w.fences {
		b, nextErr := fences.next()
		if nextErr != nil {
			return nil, errors.Join(err, nextErr)
		}
		binary.BigEndian.PutUint64(b, fence)
	}
	if err := errors.Join(err, fences.flush()); err != nil {
		return nil, err
	}
	return &table{layout: w.layout, file: w.file, fences: w.fences, filter: make([]atomic.Pointer[page], w.filterPages)}, nil
}

// abandon deletes what was written.
func (w *tableWriter) abandon() {
	w.file.Close()
	os.Remove(w.file.Name())
}

// table is a sorted table of keys on disk. It never changes.
type table struct {
	layout
	file   *pageFile
	fences []uint64               // the first prefix of each page of keys
	filter []atomic.Pointer[page] // read when it is first asked
}

func openTable(dir string, note tableNote) (*table, error) {
	f, err := os.Open(filepath.Join(dir, keysName(note.number)))
	if err != nil {
		return nil, fmt.Errorf("open the index on disk: %w", err)
	}
	t := &table{layout: layoutOf(note.keys), file: &pageFile{f, note.number}}
	if err := t.readFences(); err != nil {
		f.Close()
		return nil, err
	}
	t.filter = make([]atomic.Pointer[page], t.filterPages)
	return t, nil
}

func (t *table) readFences() error {
	first := t.keyPages + t.filterPages
	end := first + t.fencePages
	if info, err := t.file.Stat(); err != nil || info.Size() != end*pageSize {
		return fmt.Errorf("%s does not have %d pages: %w", t.file.Name(), end, ErrDamaged)
	}
	t.fences = make([]uint64, t.keyPages)
	r := newPageReader(t.file, fenceSize, first, end)
	for i := range t.fences {
		b, err := r.next()
		if err != nil {
			return err
		}
		t.fences[i] = binary.BigEndian.Uint64(b)
	}
	if !slices.IsSorted(t.fences) {
		return fmt.Errorf("%s is not sorted: %w", t.file.Name(), ErrDamaged)
	}
	return nil
}

func (t *table) note() tableNote { return tableNote{t.file.number, t.keys} }

// mayHave reports whether the filter allows a prefix.
func (t *table) mayHave(prefix uint64) (bool, error) {
	block := t.block(prefix)
	number := block / perPage(blockSize)
	p := t.filter[number].Load()
	if p == nil {
		p = new(page)
		if err := t.file.read(p[:], t.keyPages+number); err != nil {
			return false, err
		}
		t.filter[number].Store(p)
	}
	at := block % perPage(blockSize) * blockSize
	return hasBits(p[at:at+blockSize], prefix), nil
}

// cursor holds the page that was last read.
type cursor struct {
	page   page
	number int64
	file   *pageFile
}

// turn reads the page with this number, unless the cursor holds it.
func (c *cursor) turn(f *pageFile, number int64) (err error) {
	if c.file == f && c.number == number {
		return nil
	}
	c.file = nil
	if err = f.read(c.page[:], number); err == nil {
		c.file, c.number = f, number
	}
	return err
}

// find appends the items of all keys with a prefix.
func (t *table) find(prefix uint64, c *cursor, items []uint64) ([]uint64, error) {
	first := int64(t.fence(prefix))
	// Keys that equal a page's first one may begin on the page before.
	for number := max(first-1, 0); number < t.keyPages && (number < first || t.fences[number] == prefix); number++ {
		if err := c.turn(t.file, number); err != nil {
			return items, err
		}
		n := int(min(perPage(keySize), t.keys-number*perPage(keySize)))
		for i := firstKey(&c.page, n, prefix); i < n; i++ {
			k := getKey(c.page[i*keySize:])
			if k.prefix != prefix {
				return items, nil
			}
			items = append(items, k.item)
		}
	}
	return items, nil
}

// firstKey returns the index, among n keys on a page, of the first that is not below prefix.
func firstKey(p *page, n int, prefix uint64) int {
	low, high := 0, n
	for low < high {
		if middle := (low + high) / 2; binary.BigEndian.Uint64(p[middle*keySize:]) < prefix {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// fence returns the number of the first page that does not begin below prefix. Ids are evenly
// distributed, so the search begins at the expected page.
func (t *table) fence(prefix uint64) int {
	n := len(t.fences)
	hi, _ := bits.Mul64(prefix, uint64(n))
	low, high, step := int(hi), int(hi), 8
	for low > 0 && t.fences[low] >= prefix {
		low, step = max(low-step, 0), 2*step
	}
	for step = 8; high < n && t.fences[high] < prefix; step *= 2 {
		high = min(high+step, n)
	}
	i, _ := slices.BinarySearch(t.fences[low:high], prefix)
	return low + i
}

// merge writes one table with the keys of several.
func merge(dir string, from []*table) (*table, error) {
	total := int64(0)
	for _, t := range from {
		total += t.keys
	}
	w, err := createTable(dir, total)
	if err != nil {
		return nil, err
	}
	merged, err := w.merge(from)
	if err != nil {
		w.abandon()
		return nil, err
	}
	return merged, nil
}

func (w *tableWriter) merge(from []*table) (*table, error) {
	var sources mergeHeap
	for _, t := range from {
		s := &mergeSource{reader: newPageReader(t.file, keySize, 0, t.keyPages), left: t.keys}
		if err := s.next(); err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	for i := len(sources) - 1; i >= 0; i-- {
		sources.sink(i)
	}
	for len(sources) > 0 {
		s := sources[0]
		if err := w.add(s.key); err != nil {
			return nil, err
		}
		if s.left == 0 {
			last := len(sources) - 1
			sources[0], sources = sources[last], sources[:last]
		} else if err := s.next(); err != nil {
			return nil, err
		}
		sources.sink(0)
	}
	return w.finish()
}

// mergeSource is a table that is being merged; key is the one at its head.
type mergeSource struct {
	key    key
	reader *pageReader
	left   int64
}

func (s *mergeSource) next() error {
	b, err := s.reader.next()
	if err != nil {
		return err
	}
	k := getKey(b)
	if k.compare(s.key) < 0 {
		return fmt.Errorf("%s is not sorted: %w", s.reader.from.Name(), ErrDamaged)
	}
	s.key = k
	s.left--
	return nil
}

// mergeHeap is a heap with the least key first.
type mergeHeap []*mergeSource

// sink restores the heap order after the key of source i has increased.
func (h mergeHeap) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].key.compare(h[least].key) < 0 {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
