package local

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// Listing is the names in one directory, 16 bytes each besides their text.
type Listing struct {
	text  []byte // the names, each followed by a zero byte
	names []name
}

type name struct {
	key  uint64 // the name's first bytes, so that most comparisons need no more
	at   uint32
	size uint16
	kind Kind
}

// Kind is what a listing tells of a name's type; many file systems tell it without a further call.
type Kind uint8

// What a listing tells.
const (
	KindUnknown Kind = iota
	KindDirectory
	KindOther
)

// maxText bounds the text of one listing; its offsets are of 32 bits.
const maxText = 1<<32 - 1<<16

// List reads the names in d into l, in no order, without "." and "..".
func (d *Dir) List(l *Listing) error {
	l.text, l.names = l.text[:0], l.names[:0]
	err := d.list(l)
	if err == unix.EBADF { // opened for its names only
		err = unix.EACCES
	}
	if err != nil {
		return &fs.PathError{Op: "list", Path: d.File, Err: err}
	}
	return nil
}

// Add appends a name.
func (l *Listing) Add(text []byte, kind Kind) error {
	if len(l.text) > maxText || len(text) > 1<<16-1 {
		return unix.EOVERFLOW
	}
	var head [8]byte
	copy(head[:], text)
	l.names = append(l.names, name{binary.BigEndian.Uint64(head[:]), uint32(len(l.text)), uint16(len(text)), kind})
	l.text = append(append(l.text, text...), 0)
	return nil
}

// Len is the number of names.
func (l *Listing) Len() int { return len(l.names) }

// Bytes is about how much memory l takes.
func (l *Listing) Bytes() int { return cap(l.text) + 16*cap(l.names) }

// Name returns the name at i; it is valid as long as l.
func (l *Listing) Name(i int) []byte {
	n := l.names[i]
	return l.text[n.at : n.at+uint32(n.size)]
}

// Kind returns what is known of the type of the name at i.
func (l *Listing) Kind(i int) Kind { return l.names[i].kind }

// Sort orders the names bytewise.
func (l *Listing) Sort() {
	slices.SortFunc(l.names, func(a, b name) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return bytes.Compare(l.text[a.at:a.at+uint32(a.size)], l.text[b.at:b.at+uint32(b.size)])
	})
}

// Filter keeps the names for which keep returns true.
func (l *Listing) Filter(keep func(name []byte, kind Kind) bool) {
	kept := l.names[:0]
	for _, n := range l.names {
		if keep(l.text[n.at:n.at+uint32(n.size)], n.kind) {
			kept = append(kept, n)
		}
	}
	l.names = kept
}

// Has tells whether name is among the names.
func (l *Listing) Has(name string) bool {
	for i := range l.names {
		if string(l.Name(i)) == name {
			return true
		}
	}
	return false
}
