package btree

import (
	"encoding/binary"
	"fmt"
)

// Kinds of b-tree pages, and the bytes of their headers.
const (
	leafKind       = 0x0d
	interiorKind   = 0x05
	leafHeader     = 8
	interiorHeader = 12
)

// runBytes is how much of a table waits until it is written.
const runBytes = 256 << 10

// Table writes one table. It is not safe for concurrent use.
type Table struct {
	file   *File
	root   uint32
	run    []byte // leaves that wait, the last of which is open
	keys   []int64
	leaf   leaf
	levels []level // the lowest first
	last   int64   // the row that was appended last
	any    bool
}

// leaf is the open page: cells grow from its end, their places from its start.
type leaf struct {
	page  []byte
	cells int
	start int // of the cells
}

// Table begins to write the table whose root is the page of that number; it must be empty.
func (f *File) Table(root uint32) *Table {
	t := &Table{file: f, root: root, run: make([]byte, 0, max(runBytes, f.page))}
	t.open()
	return t
}

// Fits says that a row's number follows those of all rows before.
func (t *Table) Fits(row int64) bool { return !t.any || row > t.last }

// Append adds a row. Its number must fit.
func (t *Table) Append(row int64, r *Record) error {
	if !t.Fits(row) {
		return fmt.Errorf("row %d does not follow row %d", row, t.last)
	}
	size := r.Size()
	local := localBytes(t.file.page, size)
	need := varintBytes(uint64(size)) + varintBytes(uint64(row)) + local
	if int64(local) < size {
		need += 4
	}
	if t.leaf.start-need < leafHeader+2*(t.leaf.cells+1) {
		if err := t.close(); err != nil {
			return err
		}
	}
	t.leaf.start -= need
	cell := appendVarint(t.leaf.page[t.leaf.start:t.leaf.start], uint64(size))
	cell = appendVarint(cell, uint64(row))
	parts := r.parts()
	for len(parts) > 0 && len(parts[0]) <= local {
		cell, local, parts = append(cell, parts[0]...), local-len(parts[0]), parts[1:]
	}
	if len(parts) > 0 {
		cell, parts[0] = append(cell, parts[0][:local]...), parts[0][local:]
		first, err := t.file.overflow(parts)
		if err != nil {
			return err
		}
		binary.BigEndian.AppendUint32(cell, first)
	}
	binary.BigEndian.PutUint16(t.leaf.page[leafHeader+2*t.leaf.cells:], uint16(t.leaf.start))
	t.leaf.cells++
	t.last, t.any = row, true
	return nil
}

// localBytes is how many bytes of a row of some size stand in its leaf.
func localBytes(page int, size int64) int {
	if size <= int64(page-35) {
		return int(size)
	}
	least := (page-12)*32/255 - 23
	if some := int64(least) + (size-int64(least))%int64(page-4); some <= int64(page-35) {
		return int(some)
	}
	return least
}

// open begins a leaf.
func (t *Table) open() {
	at := len(t.run)
	t.run = t.run[:at+t.file.page]
	t.leaf = leaf{page: t.run[at:], start: t.file.page}
	clear(t.leaf.page)
}

// close ends a leaf, and writes those that wait once they are many.
func (t *Table) close() error {
	t.seal()
	if len(t.run)+t.file.page > cap(t.run) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	t.open()
	return nil
}

func (t *Table) seal() {
	p := t.leaf.page
	p[0] = leafKind
	binary.BigEndian.PutUint16(p[3:], uint16(t.leaf.cells))
	binary.BigEndian.PutUint16(p[5:], uint16(t.leaf.start)) // 65,536 is written as 0
	t.keys = append(t.keys, t.last)
}

// flush writes the leaves that wait.
func (t *Table) flush() error {
	for pages, keys := t.run, t.keys; len(keys) > 0; {
		first, count, err := t.file.add(pages)
		if err != nil {
			return err
		}
		for i, key := range keys[:count] {
			if err := t.child(0, child{first + uint32(i), key}); err != nil {
				return err
			}
		}
		pages, keys = pages[count*t.file.page:], keys[count:]
	}
	t.run, t.keys = t.run[:0], t.keys[:0]
	return nil
}

// End writes what waits, and the root last.
func (t *Table) End() error {
	t.seal()
	if len(t.keys) == 1 && len(t.levels) == 0 {
		return t.file.put(t.root, t.leaf.page)
	}
	if err := t.flush(); err != nil {
		return err
	}
	return t.endLevels()
}
