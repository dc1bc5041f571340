package tables

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
)

const (
	pageSize = 4096
	pageBody = pageSize - 4 // what the sum at the end leaves
)

type page [pageSize]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pageSum returns the checksum of a page's body. It includes the numbers of the page and its file,
// so that no page is taken for another.
func pageSum(file uint64, number int64, body []byte) uint32 {
	begin := (file ^ uint64(number)*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
	return crc32.Update(uint32(begin>>32), castagnoli, body)
}

// pageFile is a file of pages.
type pageFile struct {
	*os.File
	number uint64 // of the file, random
}

// read fills p with whole pages, from page first on. Every failure counts as damage, since the file
// can be rebuilt.
func (f *pageFile) read(p []byte, first int64) error {
	if _, err := f.ReadAt(p, first*pageSize); err != nil {
		return fmt.Errorf("read page %d of %s: %w: %w", first, f.Name(), ErrDamaged, err)
	}
	for ; len(p) > 0; p, first = p[pageSize:], first+1 {
		if pageSum(f.number, first, p[:pageBody]) != binary.LittleEndian.Uint32(p[pageBody:]) {
			return fmt.Errorf("read page %d of %s: its sum is wrong: %w", first, f.Name(), ErrDamaged)
		}
	}
	return nil
}

// perPage returns how many items of a size a page holds. None spans pages.
func perPage(size int) int64 { return int64(pageBody / size) }

// pagesFor returns how many pages n items take.
func pagesFor(n, size int64) int64 {
	per := perPage(int(size))
	return (n + per - 1) / per
}

// writeAhead is how many pages are written at once.
const writeAhead = 32

// pageWriter writes items of one size to a file, page after page.
type pageWriter struct {
	to     *pageFile
	size   int   // of an item, bytes
	at     int64 // number of the first page in buffer
	buffer []byte
	used   int // bytes of the page that is being filled, which is the last in buffer
}

func newPageWriter(to *pageFile, size int, at int64) *pageWriter {
	return &pageWriter{to: to, size: size, at: at}
}

// next returns zeroed room for one more item, to be filled before the next call.
func (w *pageWriter) next() ([]byte, error) {
	if len(w.buffer) == 0 || w.used+w.size > pageBody {
		if err := w.turn(); err != nil {
			return nil, err
		}
	}
	start := len(w.buffer) - pageSize + w.used
	w.used += w.size
	return w.buffer[start : start+w.size], nil
}

// turn begins a page.
func (w *pageWriter) turn() error {
	w.seal()
	if len(w.buffer) == writeAhead*pageSize {
		if err := w.write(); err != nil {
			return err
		}
	}
	if w.buffer == nil {
		w.buffer = make([]byte, 0, writeAhead*pageSize)
	}
	w.buffer = w.buffer[:len(w.buffer)+pageSize]
	clear(w.buffer[len(w.buffer)-pageSize:])
	w.used = 0
	return nil
}

// seal writes the checksum of the last filled page.
func (w *pageWriter) seal() {
	if len(w.buffer) == 0 {
		return
	}
	p := w.buffer[len(w.buffer)-pageSize:]
	number := w.at + int64(len(w.buffer)/pageSize) - 1
	binary.LittleEndian.PutUint32(p[pageBody:], pageSum(w.to.number, number, p[:pageBody]))
}

func (w *pageWriter) write() error {
	if _, err := w.to.WriteAt(w.buffer, w.at*pageSize); err != nil {
		return fmt.Errorf("write the index on disk: %w", err)
	}
	w.at += int64(len(w.buffer) / pageSize)
	w.buffer = w.buffer[:0]
	return nil
}

// flush writes everything; the next item begins a page.
func (w *pageWriter) flush() error {
	w.seal()
	return w.write()
}

// item returns the number of the next item. Pages that flush has ended early count as full.
func (w *pageWriter) item() int64 {
	page := w.at + int64(len(w.buffer)/pageSize)
	if len(w.buffer) == 0 || w.used+w.size > pageBody {
		return page * perPage(w.size)
	}
	return (page-1)*perPage(w.size) + int64(w.used/w.size)
}

// pageReader reads items of one size in order.
type pageReader struct {
	from   *pageFile
	size   int
	at     int64 // the page after those that were read
	end    int64
	buffer []byte
	pages  []byte // of buffer, those that come next
	unread []byte // of the page that is being read
}

func newPageReader(from *pageFile, size int, first, end int64) *pageReader {
	return &pageReader{from: from, size: size, at: first, end: end}
}

// next returns the next item, valid until the next call; nil after the last page. The unused end of
// a page reads as zeros.
func (r *pageReader) next() ([]byte, error) {
	if len(r.unread) < r.size {
		if err := r.turn(); err != nil || r.unread == nil {
			return nil, err
		}
	}
	item := r.unread[:r.size]
	r.unread = r.unread[r.size:]
	return item, nil
}

func (r *pageReader) turn() error {
	if len(r.pages) == 0 {
		n := min(writeAhead, r.end-r.at)
		if r.unread = nil; n <= 0 {
			return nil
		}
		if r.buffer == nil {
			r.buffer = make([]byte, n*pageSize)
		}
		r.pages = r.buffer[:n*pageSize]
		if err := r.from.read(r.pages, r.at); err != nil {
			return err
		}
		r.at += n
	}
	r.unread, r.pages = r.pages[:pageBody:pageBody], r.pages[pageSize:]
	return nil
}
