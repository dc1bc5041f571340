package archive

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
)

const (
	refsTag  = "\x01ref"
	refsFull = 0
	// A bitmap of a few bytes can stand for many words. All bitmaps of a list together may take
	// this many.
	maxRefWords = 256 << 20 / 8
)

// Ref names chunks of one pack.
type Ref struct {
	Kind     Kind
	Name     Name
	Ordinals Bitmap // not empty
}

// compareRefs orders by kind, then by name. Names are hashes, so the first eight bytes nearly
// always decide.
func compareRefs(a, b *Ref) int {
	if a.Kind != b.Kind {
		return cmp.Compare(a.Kind.code(), b.Kind.code())
	}
	x, y := binary.BigEndian.Uint64(a.Name[:]), binary.BigEndian.Uint64(b.Name[:])
	if x != y {
		return cmp.Compare(x, y)
	}
	return bytes.Compare(a.Name[8:], b.Name[8:])
}

// RefSet is a set of chunks by their places: what a snapshot needs. The zero RefSet is empty. It is
// a list sorted by kind and name, so that sets are merged and compared in one pass. Several
// goroutines may only read it, and only if Settle was called after the last Add.
type RefSet struct {
	refs  []Ref
	fresh map[*Pack]*Bitmap // added since refs was sorted
	last  *Pack             // the pack of the last Add, and its bitmap
	bits  *Bitmap
	words int // that fresh takes
}

const (
	// mostFresh is how many words may be added before they are sorted in. Each page of a tree has
	// a Pack of its own for the same pack.
	mostFresh = 1 << 20
	perFresh  = 16 // words of an element of fresh beside its bitmap
)

// Add adds the chunk with this ordinal in the pack.
func (s *RefSet) Add(p *Pack, ordinal uint32) {
	if s.last != p {
		if s.fresh == nil {
			s.fresh = make(map[*Pack]*Bitmap)
		}
		if s.fresh[p] == nil {
			s.fresh[p] = new(Bitmap)
			s.words += perFresh
		}
		s.last, s.bits = p, s.fresh[p]
	}
	before := len(*s.bits)
	*s.bits = s.bits.with(ordinal)
	if s.words += len(*s.bits) - before; s.words > mostFresh {
		s.Settle()
	}
}

// Only returns the refs to the chosen packs, as a set that shares no memory with s.
func (s *RefSet) Only(chosen func(Name) bool) *RefSet {
	s.Settle()
	some := &RefSet{}
	some.Union(&RefSet{refs: slices.DeleteFunc(slices.Clone(s.refs), func(r Ref) bool { return !chosen(r.Name) })})
	return some
}

// Settle sorts what was added into the list. All other methods call it.
func (s *RefSet) Settle() {
	if len(s.fresh) == 0 {
		return
	}
	added := make([]Ref, 0, len(s.fresh))
	for p, b := range s.fresh {
		added = append(added, Ref{p.Kind, p.Name, *b})
	}
	s.fresh, s.last, s.bits, s.words = nil, nil, nil, 0
	slices.SortFunc(added, func(a, b Ref) int { return compareRefs(&a, &b) })
	// The same pack may have been added through several pointers.
	unique := added[:0]
	for _, r := range added {
		if n := len(unique); n > 0 && compareRefs(&unique[n-1], &r) == 0 {
			unique[n-1].Ordinals = unique[n-1].Ordinals.or(r.Ordinals)
			continue
		}
		unique = append(unique, r)
	}
	s.merge(unique)
}

// merge merges a sorted list into s, which takes ownership of its bitmaps.
func (s *RefSet) merge(other []Ref) {
	missing, i := 0, 0
	for j := range other {
		order := 1
		for ; i < len(s.refs); i++ {
			if order = compareRefs(&s.refs[i], &other[j]); order >= 0 {
				break
			}
		}
		if order != 0 {
			missing++
			continue
		}
		s.refs[i].Ordinals = s.refs[i].Ordinals.or(other[j].Ordinals)
	}
	if missing > 0 {
		s.insert(other, missing)
	}
}

// insert inserts the elements of other that are missing. It works from the end, so that each
// element moves once.
func (s *RefSet) insert(other []Ref, missing int) {
	i := len(s.refs) - 1
	s.refs = append(s.refs, make([]Ref, missing)...)
	to, j := len(s.refs)-1, len(other)-1
	for j >= 0 {
		order := -1
		if i >= 0 {
			order = compareRefs(&s.refs[i], &other[j])
		}
		switch {
		case order > 0:
			s.refs[to] = s.refs[i]
			i--
			to--
		case order < 0:
			s.refs[to] = other[j]
			j--
			to--
		default:
			j--
		}
	}
}

// Union adds all of other, which stays unchanged.
func (s *RefSet) Union(other *RefSet) {
	s.Settle()
	other.Settle()
	n := len(s.refs)
	s.merge(other.refs)
	if len(s.refs) > n {
		s.own(other.refs)
	}
}

// own replaces bitmaps that s shares with list by copies.
func (s *RefSet) own(list []Ref) {
	var p slab
	i := 0
	for j := range list {
		for compareRefs(&s.refs[i], &list[j]) < 0 {
			i++
		}
		if theirs := list[j].Ordinals; &s.refs[i].Ordinals[0] == &theirs[0] {
			s.refs[i].Ordinals = p.take(len(theirs))
			copy(s.refs[i].Ordinals, theirs)
		}
	}
}

// slab allocates the words of many small bitmaps.
type slab Bitmap

func (s *slab) take(words int) Bitmap {
	if words > len(*s) {
		*s = make(slab, max(words, 1024))
	}
	b := (*s)[:words:words]
	*s = (*s)[words:]
	return Bitmap(b)
}

// Clone returns a copy that shares no memory with s.
func (s *RefSet) Clone() *RefSet {
	c := &RefSet{}
	c.Union(s)
	return c
}

// Intersects reports whether the sets name a pack in common.
func (s *RefSet) Intersects(other *RefSet) bool {
	s.Settle()
	other.Settle()
	for a, b := s.refs, other.refs; len(a) > 0 && len(b) > 0; {
		switch order := compareRefs(&a[0], &b[0]); {
		case order == 0:
			return true
		case order < 0:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return false
}

// Ordinals returns the set's chunks in a pack, empty if there are none. Callers must not change the
// result.
func (s *RefSet) Ordinals(kind Kind, name Name) Bitmap {
	s.Settle()
	wanted := Ref{Kind: kind, Name: name}
	i, found := slices.BinarySearchFunc(s.refs, &wanted, func(r Ref, w *Ref) int { return compareRefs(&r, w) })
	if !found {
		return nil
	}
	return s.refs[i].Ordinals
}

// All yields the packs, data before trees, each by name.
func (s *RefSet) All() iter.Seq[Ref] {
	s.Settle()
	return slices.Values(s.refs)
}

// Len returns the number of packs.
func (s *RefSet) Len() int {
	s.Settle()
	return len(s.refs)
}

// Chunks returns the number of chunks.
func (s *RefSet) Chunks() (n int) {
	s.Settle()
	for i := range s.refs {
		n += s.refs[i].Ordinals.Count()
	}
	return n
}

// Equal reports whether the sets have the same elements.
func (s *RefSet) Equal(other *RefSet) bool {
	s.Settle()
	other.Settle()
	return slices.EqualFunc(s.refs, other.refs, func(a, b Ref) bool {
		return compareRefs(&a, &b) == 0 && slices.Equal(a.Ordinals, b.Ordinals)
	})
}

// Without returns what is in s and not in other, as a set that shares no memory with either.
func (s *RefSet) Without(other *RefSet) *RefSet {
	s.Settle()
	other.Settle()
	left := &RefSet{}
	left.Union(&RefSet{refs: without(s.refs, other.refs)})
	return left
}

// without returns what is in a and not in b.
func without(a, b []Ref) []Ref {
	var out []Ref
	for i := range a {
		for len(b) > 0 && compareRefs(&b[0], &a[i]) < 0 {
			b = b[1:]
		}
		r := a[i]
		if len(b) > 0 && compareRefs(&b[0], &r) == 0 {
			r.Ordinals = r.Ordinals.without(b[0].Ordinals)
		}
		if len(r.Ordinals) > 0 {
			out = append(out, r)
		}
	}
	return out
}

// EncodeRefs returns the content of a refs object that holds the whole set.
func EncodeRefs(s *RefSet) []byte {
	s.Settle()
	return appendRefs(append([]byte(refsTag), refsFull, 0, 0, 0), s.refs)
}

// EncodeRefsDelta returns the content of a refs object that holds the changes from parent to now.
func EncodeRefsDelta(parent, now *RefSet) []byte {
	parent.Settle()
	now.Settle()
	out := append([]byte(refsTag), 1, 0, 0, 0)
	out = appendRefs(out, without(now.refs, parent.refs))
	return appendRefs(out, without(parent.refs, now.refs))
}

func appendRefs(dst []byte, refs []Ref) []byte {
	trees := len(refs)
	for trees > 0 && refs[trees-1].Kind == Trees {
		trees--
	}
	dst = slices.Grow(dst, 8+len(refs)*(len(Name{})+3))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(trees))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(refs)-trees))
	for i := range refs {
		dst = append(dst, refs[i].Name[:]...)
	}
	for i := range refs {
		dst = refs[i].Ordinals.append(dst)
	}
	return dst
}

// RefChange is the content of a refs object: a whole set, or changes to one.
type RefChange struct {
	Full           bool
	Added, Removed []Ref
}

// ParseRefs reads the content of a refs object.
func ParseRefs(content []byte) (*RefChange, error) {
	c, err := parseRefs(content)
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	return c, nil
}

func parseRefs(b []byte) (*RefChange, error) {
	head := len(refsTag) + 4
	if len(b) < head || string(b[:len(refsTag)]) != refsTag || b[4] > 1 || b[5] != 0 || b[6] != 0 || b[7] != 0 {
		return nil, fmt.Errorf("it begins with %x: %w", b[:min(len(b), head)], ErrDamaged)
	}
	p := &refsParser{left: maxRefWords}
	c := &RefChange{Full: b[4] == refsFull}
	rest, err := b[head:], error(nil)
	if c.Added, rest, err = p.list(rest); err != nil {
		return nil, err
	}
	if !c.Full {
		if c.Removed, rest, err = p.list(rest); err != nil {
			return nil, err
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the end: %w", len(rest), ErrDamaged)
	}
	return c, nil
}

// refsParser limits the number of words that all bitmaps take together.
type refsParser struct {
	slab slab
	left int // words that may still be given out
	err  error
}

func (p *refsParser) room(words int) Bitmap {
	p.left -= words
	if p.left < 0 {
		p.err = fmt.Errorf("bitmaps of more than %d words: %w", maxRefWords, ErrDamaged)
		words = 1 // the caller fills at least one, and then sees the error
	}
	return p.slab.take(words)
}

func (p *refsParser) list(b []byte) ([]Ref, []byte, error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("a list in %d bytes: %w", len(b), ErrDamaged)
	}
	data, trees := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
	b = b[8:]
	// Each pack takes its name and at least one byte.
	if (data+trees)*33 > uint64(len(b)) {
		return nil, nil, fmt.Errorf("%d packs in %d bytes: %w", data+trees, len(b), ErrDamaged)
	}
	refs := make([]Ref, data+trees)
	for i := range refs {
		refs[i].Kind = Data
		if uint64(i) >= data {
			refs[i].Kind = Trees
		}
		b = b[copy(refs[i].Name[:], b):]
		if i > 0 && compareRefs(&refs[i-1], &refs[i]) >= 0 {
			return nil, nil, fmt.Errorf("pack %s is out of order: %w", refs[i].Name, ErrDamaged)
		}
	}
	for i := range refs {
		var err error
		if refs[i].Ordinals, b, err = parseBitmap(b, p.room); err != nil {
			return nil, nil, fmt.Errorf("pack %s: %w", refs[i].Name, err)
		}
		if p.err != nil {
			return nil, nil, p.err
		}
	}
	return refs, b, nil
}

// Apply applies a refs object: a full one replaces the set. A delta must fit the set, or Apply
// fails with ErrDamaged and leaves the set unchanged. c must not be used afterwards.
func (s *RefSet) Apply(c *RefChange) error {
	s.Settle()
	if c.Full {
		s.refs = c.Added
		return nil
	}
	if missing := without(c.Removed, s.refs); len(missing) > 0 {
		return fmt.Errorf("apply refs: pack %s has not what is to be removed: %w", missing[0].Name, ErrDamaged)
	}
	for a, b := s.refs, c.Added; len(a) > 0 && len(b) > 0; {
		switch order := compareRefs(&a[0], &b[0]); {
		case order < 0:
			a = a[1:]
		case order > 0:
			b = b[1:]
		case a[0].Ordinals.meets(b[0].Ordinals):
			return fmt.Errorf("apply refs: pack %s has already what is to be added: %w", a[0].Name, ErrDamaged)
		default:
			a, b = a[1:], b[1:]
		}
	}
	s.remove(c.Removed)
	s.merge(c.Added)
	return nil
}

// remove removes the elements of a sorted list, and keeps the freed capacity.
func (s *RefSet) remove(list []Ref) {
	if len(list) == 0 {
		return
	}
	kept := s.refs[:0]
	for _, r := range s.refs {
		for len(list) > 0 && compareRefs(&list[0], &r) < 0 {
			list = list[1:]
		}
		if len(list) > 0 && compareRefs(&list[0], &r) == 0 {
			r.Ordinals = r.Ordinals.without(list[0].Ordinals)
		}
		if len(r.Ordinals) > 0 {
			kept = append(kept, r)
		}
	}
	clear(s.refs[len(kept):])
	s.refs = kept
}
