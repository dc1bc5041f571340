package local

import "github.com/packstone/packstone/catalog/entry"

// maxExtents bounds the extents of one file. Where it has more, its smallest holes count as data.
const maxExtents = 8 << 10

// extents collects ranges of data in ascending order.
type extents struct {
	list    []entry.Extent
	minHole int64 // smaller holes are data
}

func (x *extents) add(offset, length int64) {
	if x.join(offset, length) {
		return
	}
	x.list = append(x.list, entry.Extent{Offset: offset, Length: length})
	for len(x.list) >= maxExtents {
		x.minHole = max(2*x.minHole, 8<<10)
		x.compact()
	}
}

// join makes a range part of the last one if the hole between is small.
func (x *extents) join(offset, length int64) bool {
	if len(x.list) == 0 {
		return false
	}
	last := &x.list[len(x.list)-1]
	if hole := offset - last.Offset - last.Length; hole > 0 && hole >= x.minHole {
		return false
	}
	last.Length = offset + length - last.Offset
	return true
}

func (x *extents) compact() {
	all := x.list
	x.list = x.list[:0]
	for _, e := range all {
		if !x.join(e.Offset, e.Length) {
			x.list = append(x.list, e)
		}
	}
}

// result is nil if all of a file is data.
func (x *extents) result(size int64) []entry.Extent {
	if len(x.list) == 1 && x.list[0].Offset == 0 && x.list[0].Length >= size {
		return nil
	}
	if x.list == nil {
		return []entry.Extent{}
	}
	return x.list
}
