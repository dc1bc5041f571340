package btree

import "encoding/binary"

// overflow writes what does not stand in a leaf to a chain of pages, and returns the first one's
// number.
func (f *File) overflow(parts [][]byte) (first uint32, err error) {
	left := int64(0)
	for _, p := range parts {
		left += int64(len(p))
	}
	chain := &chain{file: f, parts: parts, room: int64(f.page - 4)}
	pages := (left + chain.room - 1) / chain.room
	at, count, err := f.reserve(int(min(pages, runBytes/int64(f.page)+1)))
	first = at
	for err == nil {
		pages -= int64(count)
		var next uint32
		var more int
		if pages > 0 {
			if next, more, err = f.reserve(int(min(pages, runBytes/int64(f.page)+1))); err != nil {
				return 0, err
			}
		}
		if err := chain.write(at, count, next); err != nil || pages == 0 {
			return first, err
		}
		at, count = next, more
	}
	return 0, err
}

// chain cuts bytes into overflow pages.
type chain struct {
	file  *File
	parts [][]byte
	room  int64 // of a page
	run   []byte
}

// write writes pages in a row, of which the last one names next; 0 ends the chain.
func (c *chain) write(at uint32, count int, next uint32) error {
	c.run = c.run[:0]
	for i := range count {
		follows := at + uint32(i) + 1
		if i == count-1 {
			follows = next
		}
		c.run = c.fill(binary.BigEndian.AppendUint32(c.run, follows))
	}
	return c.file.put(at, c.run)
}

// fill appends a page's share of what is left, and zeros where that ends.
func (c *chain) fill(dst []byte) []byte {
	room := int(c.room)
	for room > 0 && len(c.parts) > 0 {
		n := min(room, len(c.parts[0]))
		dst, c.parts[0], room = append(dst, c.parts[0][:n]...), c.parts[0][n:], room-n
		if len(c.parts[0]) == 0 {
			c.parts = c.parts[1:]
		}
	}
	return append(dst, make([]byte, room)...)
}
