package btree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// ErrDamaged is a file whose pages contradict each other.
var ErrDamaged = errors.New("the SQLite file is damaged")

// Places in the header that only readers look at, in bytes.
const (
	atVersion = 18 // two bytes: 1 means a rollback journal, 2 a write-ahead log
	atSchema  = 40 // counter of changes to the schema
)

// deepest is how many levels of pages a table has at most: a page has two children or more, and
// there are fewer than 2^32 pages.
const deepest = 33

// Reader reads tables of a SQLite file page by page. Its user holds a read transaction of SQLite's
// meanwhile, so that nobody changes the file. It is safe for concurrent use.
type Reader struct {
	file   *os.File
	page   int // bytes
	pages  uint32
	schema uint32
}

// OpenReader opens a file. It refuses one with a write-ahead log, whose newest pages lie elsewhere.
func OpenReader(path string) (*Reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{file: file}
	if err := r.readHeader(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return r, nil
}

func (r *Reader) readHeader() error {
	header := make([]byte, headerBytes)
	if _, err := r.file.ReadAt(header, 0); err != nil {
		return err
	}
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if r.page = int(binary.BigEndian.Uint16(header[atPageSize:])); r.page == 1 {
		r.page = 64 << 10
	}
	switch {
	case string(header[:16]) != magic || r.page < smallestPages || r.page&(r.page-1) != 0 || header[atReserved] != 0:
		return fmt.Errorf("%w: its pages are of an unknown size", ErrFile)
	case header[atVersion] != 1 || header[atVersion+1] != 1:
		return fmt.Errorf("%w: it has a write-ahead log", ErrFile)
	case binary.BigEndian.Uint32(header[atEncoding:]) != encodingUTF8:
		return fmt.Errorf("%w: its texts are not UTF-8", ErrFile)
	}
	r.pages = uint32(min(info.Size()/int64(r.page), 1<<32-2))
	r.schema = binary.BigEndian.Uint32(header[atSchema:])
	return nil
}

// Pages is how many pages the file has.
func (r *Reader) Pages() int64 { return int64(r.pages) }

// SchemaVersion is what PRAGMA schema_version gives.
func (r *Reader) SchemaVersion() int64 { return int64(r.schema) }

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// Rows calls f with each row of the table whose root is the page of that number, in the order of
// the rows' numbers. A row is good until f returns. Of one that is longer than most bytes, only the
// number is given: its values are nil. Rows ends at the first error of f.
func (r *Reader) Rows(root uint32, most int64, f func(number int64, values *Values) error) error {
	s := &scan{reader: r, most: most, row: f}
	return s.pages([]uint32{root}, 0)
}

// scan is one walk through a table.
type scan struct {
	reader  *Reader
	most    int64
	row     func(int64, *Values) error
	runs    [deepest][]byte // pages that were read at once, by level
	long    []byte          // a row that is larger than its page
	values  Values
	last    int64
	any     bool
	visited uint32
}

// pages visits pages of one level in their order; those that stand in a row are read at once.
func (s *scan) pages(numbers []uint32, level int) error {
	if level == deepest {
		return fmt.Errorf("%w: a table has too many levels", ErrDamaged)
	}
	for len(numbers) > 0 {
		run, err := s.read(numbers, level)
		if err != nil {
			return err
		}
		for at := 0; at < len(run); at += s.reader.page {
			if err := s.visit(run[at:at+s.reader.page], level); err != nil {
				return fmt.Errorf("page %d: %w", numbers[at/s.reader.page], err)
			}
		}
		numbers = numbers[len(run)/s.reader.page:]
	}
	return nil
}

// read reads the first of some pages, and those that follow it in the file and in the list.
func (s *scan) read(numbers []uint32, level int) ([]byte, error) {
	count := 1
	for count < len(numbers) && count < max(runBytes/s.reader.page, 1) && numbers[count] == numbers[0]+uint32(count) {
		count++
	}
	size := count * s.reader.page
	if cap(s.runs[level]) < size {
		s.runs[level] = make([]byte, size)
	}
	run := s.runs[level][:size]
	return run, s.reader.get(numbers[0], run)
}

// get fills a buffer with pages.
func (r *Reader) get(number uint32, into []byte) error {
	if count := len(into) / r.page; number < 2 || int64(number)+int64(count)-1 > int64(r.pages) {
		return fmt.Errorf("%w: it has no page %d", ErrDamaged, number)
	}
	_, err := r.file.ReadAt(into, int64(number-1)*int64(r.page))
	return err
}

func (s *scan) visit(page []byte, level int) error {
	if s.visited++; s.visited > s.reader.pages {
		return fmt.Errorf("%w: a table has more pages than the file", ErrDamaged)
	}
	count := int(binary.BigEndian.Uint16(page[3:]))
	switch {
	case page[0] == leafKind && leafHeader+2*count <= len(page):
		return s.leaf(page, count)
	case page[0] == interiorKind && interiorHeader+2*count <= len(page):
		children, err := childrenOf(page, count)
		if err != nil {
			return err
		}
		return s.pages(children, level+1)
	}
	return fmt.Errorf("%w: it is no page of a table", ErrDamaged)
}

// childrenOf are the pages below an interior one.
func childrenOf(page []byte, count int) ([]uint32, error) {
	children := make([]uint32, 0, count+1)
	for i := range count {
		at := int(binary.BigEndian.Uint16(page[interiorHeader+2*i:]))
		if at < interiorHeader || at+4 > len(page) {
			return nil, errCell
		}
		children = append(children, binary.BigEndian.Uint32(page[at:]))
	}
	return append(children, binary.BigEndian.Uint32(page[8:])), nil
}

// errCell is a cell that does not lie where its page says.
var errCell = fmt.Errorf("%w: a row does not lie where its page says", ErrDamaged)

func (s *scan) leaf(page []byte, count int) error {
	for i := range count {
		at := int(binary.BigEndian.Uint16(page[leafHeader+2*i:]))
		if at < leafHeader || at >= len(page) {
			return errCell
		}
		if err := s.cell(page[at:]); err != nil {
			return err
		}
	}
	return nil
}

// cell hands a row on.
func (s *scan) cell(cell []byte) error {
	size, n := varint(cell)
	number, m := varint(cell[n:])
	if n == 0 || m == 0 || size > uint64(s.reader.pages)*uint64(s.reader.page) {
		return errCell
	}
	if s.any && int64(number) <= s.last {
		return fmt.Errorf("%w: row %d comes after row %d", ErrDamaged, int64(number), s.last)
	}
	s.last, s.any = int64(number), true
	if int64(size) > s.most {
		return s.row(s.last, nil)
	}
	record, err := s.record(cell[n+m:], int64(size))
	if err == nil {
		err = s.values.begin(record)
	}
	if err != nil {
		return fmt.Errorf("row %d: %w", s.last, err)
	}
	return s.row(s.last, &s.values)
}

// record puts the bytes of a row together.
func (s *scan) record(cell []byte, size int64) ([]byte, error) {
	local := localBytes(s.reader.page, size)
	if int64(local) == size {
		if local > len(cell) {
			return nil, errCell
		}
		return cell[:local], nil
	}
	if local+4 > len(cell) {
		return nil, errCell
	}
	s.long = append(s.long[:0], cell[:local]...)
	return s.long, s.reader.overflow(binary.BigEndian.Uint32(cell[local:]), size, &s.long)
}

// overflow appends the rest of a row of some size from its chain of pages.
func (r *Reader) overflow(number uint32, size int64, into *[]byte) error {
	page := make([]byte, r.page)
	for int64(len(*into)) < size {
		if err := r.get(number, page); err != nil {
			return err
		}
		number = binary.BigEndian.Uint32(page)
		*into = append(*into, page[4:4+min(int64(r.page-4), size-int64(len(*into)))]...)
	}
	return nil
}
