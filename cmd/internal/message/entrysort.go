package message

import (
	"cmp"
	"path"
	"slices"
	"time"
)

// orders are how entries can be sorted.
var orders = map[string]func(a, b *Entry) int{
	"name":      func(a, b *Entry) int { return cmp.Compare(a.Name, b.Name) },
	"size":      func(a, b *Entry) int { return cmp.Compare(b.Size, a.Size) },
	"time":      func(a, b *Entry) int { return time.Time(b.ModTime).Compare(time.Time(a.ModTime)) },
	"extension": func(a, b *Entry) int { return cmp.Compare(path.Ext(string(a.Name)), path.Ext(string(b.Name))) },
}

// CanSort tells whether entries can be sorted by what a word says.
func CanSort(by string) bool { return orders[by] != nil }

// SortEntries sorts rows by name, size (largest first), time (newest first) or extension; with "" they
// stay as they are. Rows that are equal keep their order, unless all of it is reversed.
func SortEntries(rows []Entry, by string, reverse bool) {
	if order := orders[by]; order != nil {
		slices.SortStableFunc(rows, func(a, b Entry) int { return order(&a, &b) })
	}
	if reverse {
		slices.Reverse(rows)
	}
}
