package postgres

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/pipeline/database"
)

// lateRows sorts rows in memory and by runs in a file. A run is sorted and written while the rows
// of the next one come.
type lateRows struct {
	keys *keyEncoder
	dir  string
	room int    // bytes in memory, apart from the run that is being written
	disk int64  // bytes in the file
	held *block // rows in memory
	size int
	file *os.File

	writing errgroup.Group // of one run; what follows is its own meanwhile
	spare   *block
	runs    []int64 // where each ends
}

// add takes a row; send gets all rows, sorted, when there is no room for more.
func (l *lateRows) add(row []byte, key sortKey, send func([]byte) error) error {
	if l.held == nil {
		l.held = newBlock(&database.Batch{})
	}
	l.held.add(row, key)
	l.size += len(row)
	if l.size < l.room {
		return nil
	}
	if err := l.writing.Wait(); err != nil {
		return err
	}
	if l.dir == "" || l.written() >= l.disk {
		return l.drain(send)
	}
	return l.spill()
}

func (l *lateRows) written() int64 {
	if len(l.runs) == 0 {
		return 0
	}
	return l.runs[len(l.runs)-1]
}

// spill begins to write the rows in memory as a run. No other may be under way.
func (l *lateRows) spill() (err error) {
	if l.file == nil {
		if l.file, err = unnamedFile(l.dir); err != nil {
			return err
		}
	}
	full := l.held
	l.held, l.size, l.spare = l.spare, 0, nil
	l.writing.Go(func() error { return l.write(full) })
	return nil
}

// write sorts rows, adds them to the file as a run, and keeps their memory.
func (l *lateRows) write(b *block) error {
	b.sort()
	at := l.written()
	w := bufio.NewWriterSize(io.NewOffsetWriter(l.file, at), 256<<10)
	var head [binary.MaxVarintLen64]byte
	for ; b.more(); b.next++ {
		row := b.row()
		n := binary.PutUvarint(head[:], uint64(len(row)))
		w.Write(head[:n]) // Flush tells the first error
		w.Write(row)
		at += int64(n + len(row))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("put rows aside to sort them: %w", err)
	}
	b.batch.Reset()
	b.reset()
	l.runs, l.spare = append(l.runs, at), b
	return nil
}

// unnamedFile makes a file that vanishes when it is closed.
func unnamedFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".packstone-order-*")
	if err != nil {
		return nil, fmt.Errorf("make a file to sort rows in: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("make a file to sort rows in: %w", err)
	}
	return f, nil
}

// drain gives all rows in order and forgets them.
func (l *lateRows) drain(send func([]byte) error) error {
	if err := l.writing.Wait(); err != nil {
		return err
	}
	var all []*run
	if l.held != nil {
		l.held.sort()
		all = append(all, &run{block: l.held})
	}
	start := int64(0)
	for _, end := range l.runs {
		in := io.NewSectionReader(l.file, start, end-start)
		all = append(all, &run{keys: l.keys, in: bufio.NewReaderSize(in, 32<<10)})
		start = end
	}
	l.held, l.size, l.runs = nil, 0, nil
	return merge(all, send)
}

// close tells the error of a run of which nobody asked yet.
func (l *lateRows) close() error {
	err := l.writing.Wait()
	if l.file == nil {
		return err
	}
	return errors.Join(err, l.file.Close())
}

// merge gives the rows of all runs in order.
func merge(runs []*run, send func([]byte) error) error {
	var open queue[*run]
	for _, r := range runs {
		more, err := r.next()
		if err != nil {
			return err
		}
		if more {
			open.push(r)
		}
	}
	for len(open) > 0 {
		if err := send(open[0].row); err != nil {
			return err
		}
		more, err := open[0].next()
		if err != nil {
			return err
		}
		if more {
			open.settle()
		} else {
			open.pop()
		}
	}
	return nil
}

// run gives sorted rows one after another, out of memory or a file.
type run struct {
	block *block
	keys  *keyEncoder
	in    *bufio.Reader
	row   []byte
	key   sortKey
	bytes []byte
}

// Before compares the rows of two runs.
func (r *run) Before(other *run) bool { return r.key.compare(other.key) < 0 }

// next moves to the next row; false at the end.
func (r *run) next() (bool, error) {
	if r.block != nil {
		if !r.block.more() {
			return false, nil
		}
		r.row, r.key = r.block.row(), r.block.head()
		r.block.next++
		return true, nil
	}
	n, err := binary.ReadUvarint(r.in)
	if err == io.EOF {
		return false, nil
	}
	if err == nil {
		r.row = slices.Grow(r.row[:0], int(n))[:n]
		_, err = io.ReadFull(r.in, r.row)
	}
	if err == nil {
		r.bytes, err = r.keys.append(r.bytes[:0], r.row)
	}
	if err != nil {
		return false, fmt.Errorf("read sorted rows back: %w", err)
	}
	r.key = newSortKey(r.bytes)
	return true, nil
}
