package fit

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// spool sorts records by their paths: in memory up to a bound, then in runs, files that have no
// name any more. The zero value with a bound is ready.
type spool struct {
	dir  string
	most int // bytes in memory

	data   []byte
	starts []int        // of the records in data
	levels [][]*os.File // runs; those of a level are merged into one of the next
}

const (
	leastMemory = 1 << 20 // of a spool
	fanIn       = 16      // runs of a level
	mostRecord  = 1 << 20
)

// In a record a slash of the path is a zero: so bytes sort as entries of a tree do, and no path has
// a zero of its own.
const slash = 0

// put adds a record, a path and what belongs to it.
func (s *spool) put(path, rest []byte) error {
	s.starts = append(s.starts, len(s.data))
	s.data = binary.AppendUvarint(s.data, uint64(len(path)))
	s.data = binary.AppendUvarint(s.data, uint64(len(rest)))
	at := len(s.data)
	s.data = append(append(s.data, path...), rest...)
	for i := at; i < at+len(path); i++ {
		if s.data[i] == '/' {
			s.data[i] = slash
		}
	}
	if len(s.data)+8*len(s.starts) < s.most {
		return nil
	}
	return s.spill()
}

// reset drops all records.
func (s *spool) reset() {
	for _, level := range s.levels {
		for _, run := range level {
			run.Close()
		}
	}
	s.data, s.starts, s.levels = nil, nil, nil
}

// sort sorts what is in memory.
func (s *spool) sort() {
	slices.SortStableFunc(s.starts, func(a, b int) int { return bytes.Compare(pathAt(s.data, a), pathAt(s.data, b)) })
}

// pathAt is the path of the record that begins at a place.
func pathAt(data []byte, at int) []byte {
	path, n := binary.Uvarint(data[at:])
	_, m := binary.Uvarint(data[at+n:])
	return data[at+n+m : at+n+m+int(path)]
}

// spill writes what is in memory to a run.
func (s *spool) spill() error {
	s.sort()
	err := s.write(0, &memory{data: s.data, starts: s.starts})
	s.data, s.starts = s.data[:0], s.starts[:0]
	return err
}

// write writes a run of a level, and where that has enough, merges them.
func (s *spool) write(level int, from records) error {
	run, err := writeRun(s.dir, from)
	if err != nil {
		return fmt.Errorf("put references aside: %w", err)
	}
	if level == len(s.levels) {
		s.levels = append(s.levels, nil)
	}
	s.levels[level] = append(s.levels[level], run)
	if len(s.levels[level]) < fanIn {
		return nil
	}
	runs := s.levels[level]
	s.levels[level] = nil
	defer func() {
		for _, run := range runs {
			run.Close()
		}
	}()
	m := &merger{}
	for _, run := range runs {
		if err := m.add(readRun(run), nil); err != nil {
			return err
		}
	}
	return s.write(level+1, m)
}

// into adds all records, sorted, to a merger, as those of a rule.
func (s *spool) into(m *merger, of *rule) error {
	s.sort()
	err := m.add(&memory{data: s.data, starts: s.starts}, of)
	for _, level := range s.levels {
		for _, run := range level {
			err = errors.Join(err, m.add(readRun(run), of))
		}
	}
	return err
}

// records gives records in the order of their paths, each good until the next; io.EOF after the
// last.
type records interface {
	next() (path, rest []byte, err error)
}

// memory gives records that lie in memory.
type memory struct {
	data   []byte
	starts []int
}

func (m *memory) next() (path, rest []byte, err error) {
	if len(m.starts) == 0 {
		return nil, nil, io.EOF
	}
	data := m.data[m.starts[0]:]
	m.starts = m.starts[1:]
	size, n := binary.Uvarint(data)
	more, used := binary.Uvarint(data[n:])
	data = data[n+used:]
	return data[:size], data[size : size+more], nil
}

// writeRun writes records to a file that nobody else can open, and that is gone when it is closed.
func writeRun(dir string, from records) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".packstone-references-*")
	if err != nil {
		return nil, err
	}
	err = os.Remove(f.Name())
	out, head := bufio.NewWriterSize(f, 64<<10), []byte(nil)
	for err == nil {
		var path, rest []byte
		if path, rest, err = from.next(); err != nil {
			break
		}
		head = binary.AppendUvarint(binary.AppendUvarint(head[:0], uint64(len(path))), uint64(len(rest)))
		out.Write(head)
		out.Write(path)
		_, err = out.Write(rest)
	}
	if errors.Is(err, io.EOF) {
		err = out.Flush()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// run gives the records of a file.
type run struct {
	in     *bufio.Reader
	record []byte
}

func readRun(f *os.File) *run { return newRun(io.NewSectionReader(f, 0, 1<<62)) }

func newRun(in io.Reader) *run { return &run{in: bufio.NewReaderSize(in, 64<<10)} }

func (r *run) next() (path, rest []byte, err error) {
	size, err := binary.ReadUvarint(r.in)
	if err != nil {
		return nil, nil, err
	}
	more, err := binary.ReadUvarint(r.in)
	if err != nil || size > mostRecord || more > mostRecord {
		return nil, nil, errors.Join(errRecord, err)
	}
	r.record = slices.Grow(r.record[:0], int(size+more))[:size+more]
	if _, err := io.ReadFull(r.in, r.record); err != nil {
		return nil, nil, errors.Join(errRecord, err)
	}
	return r.record[:size], r.record[size:], nil
}

// merger gives the records of several in one order, and tells whose each is.
type merger struct {
	heads []head
	last  bool // that the first head has given its record
}

type head struct {
	from       records
	of         *rule
	path, rest []byte
}

// add adds records of a rule.
func (m *merger) add(from records, of *rule) error {
	h := head{from: from, of: of}
	var err error
	if h.path, h.rest, err = from.next(); err == io.EOF {
		return nil
	}
	if err == nil {
		heap.Push(m, h)
	}
	return err
}

func (m *merger) next() (path, rest []byte, err error) {
	if m.last {
		first := &m.heads[0]
		switch first.path, first.rest, err = first.from.next(); err {
		case nil:
			heap.Fix(m, 0)
		case io.EOF:
			heap.Pop(m)
		default:
			return nil, nil, err
		}
	}
	if m.last = len(m.heads) > 0; !m.last {
		return nil, nil, io.EOF
	}
	return m.heads[0].path, m.heads[0].rest, nil
}

// rule is the one that the last record is of.
func (m *merger) rule() *rule { return m.heads[0].of }

// Len implements heap.Interface, as do those that follow.
func (m *merger) Len() int { return len(m.heads) }

// Less implements heap.Interface.
func (m *merger) Less(i, j int) bool { return bytes.Compare(m.heads[i].path, m.heads[j].path) < 0 }

// Swap implements heap.Interface.
func (m *merger) Swap(i, j int) { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }

// Push implements heap.Interface.
func (m *merger) Push(h any) { m.heads = append(m.heads, h.(head)) }

// Pop implements heap.Interface.
func (m *merger) Pop() any {
	last := m.heads[len(m.heads)-1]
	m.heads = m.heads[:len(m.heads)-1]
	return last
}
