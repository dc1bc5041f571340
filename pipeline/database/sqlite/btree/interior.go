package btree

import "encoding/binary"

// child is a page and the highest row below it.
type child struct {
	page uint32
	key  int64
}

// level holds children whose common page is not written yet.
type level []child

// cellBytes bounds a cell of an interior page and its place.
const cellBytes = 4 + 9 + 2

// width is how many children an interior page has at most.
func (f *File) width() int { return (f.page-interiorHeader)/cellBytes + 1 }

// child adds a page to a level, counted from the lowest. Two at least stay back, so that the last
// page of a level does not have one child alone.
func (t *Table) child(at int, c child) error {
	if at == len(t.levels) {
		t.levels = append(t.levels, nil)
	}
	t.levels[at] = append(t.levels[at], c)
	if width := t.file.width(); len(t.levels[at]) >= width+2 {
		return t.parent(at, width)
	}
	return nil
}

// parent writes the page of a level's first children.
func (t *Table) parent(at, count int) error {
	children := t.levels[at][:count]
	number, _, err := t.file.add(t.file.interior(children))
	if err != nil {
		return err
	}
	up := child{number, children[count-1].key}
	t.levels[at] = append(level(nil), t.levels[at][count:]...)
	return t.child(at+1, up)
}

// endLevels writes the last pages of all levels. The highest level becomes the root.
func (t *Table) endLevels() error {
	for at := 0; ; at++ {
		count, width := len(t.levels[at]), t.file.width()
		if at == len(t.levels)-1 && count <= width {
			return t.file.put(t.root, t.file.interior(t.levels[at]))
		}
		if count > width {
			if err := t.parent(at, count/2); err != nil {
				return err
			}
		}
		if err := t.parent(at, len(t.levels[at])); err != nil {
			return err
		}
	}
}

// interior makes the page of some children. The last one has no key.
func (f *File) interior(children []child) []byte {
	p := make([]byte, f.page)
	start := f.page
	cells := children[:len(children)-1]
	for i, c := range cells {
		start -= 4 + varintBytes(uint64(c.key))
		appendVarint(binary.BigEndian.AppendUint32(p[start:start], c.page), uint64(c.key))
		binary.BigEndian.PutUint16(p[interiorHeader+2*i:], uint16(start))
	}
	p[0] = interiorKind
	binary.BigEndian.PutUint16(p[3:], uint16(len(cells)))
	binary.BigEndian.PutUint16(p[5:], uint16(start))
	binary.BigEndian.PutUint32(p[8:], children[len(children)-1].page)
	return p
}
