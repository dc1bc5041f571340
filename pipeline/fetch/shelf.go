package fetch

import (
	"cmp"
	"slices"

	"github.com/packstone/packstone/archive"
)

// shelf is what is still to be requested of one pack.
type shelf struct {
	name  archive.Name
	loose []*bit // in no parcel yet
	left  int    // bits that are not asked for
}

// parcel is what one request fetches.
type parcel struct {
	span   *archive.Span // nil where there is nothing to ask for
	wrong  []Missing     // what cannot lie where it should
	bits   []*bit        // that are in it
	number []*bit        // by their numbers in span and wrong: those of the whole pack
}

// shelf returns the shelf of a chunk's pack.
func (a *Ahead) shelf(c *archive.Chunk) *shelf {
	name := packName(c)
	s := a.shelves[name]
	if s == nil {
		s = &shelf{name: name}
		a.shelves[name] = s
	}
	return s
}

func (s *shelf) add(b *bit) {
	s.loose = append(s.loose, b)
	s.left++
}

// pick returns what to fetch together with a bit: what is in the same span, as far as memory
// allows.
func (a *Ahead) pick(b *bit) *parcel {
	s := a.shelf(b.chunk)
	if b.parcel == nil {
		loose := s.loose
		s.loose = nil
		a.fetch.pack(loose)
	}
	if all := b.parcel.bits; !a.afford(b) {
		s.loosen(all, b.parcel)
	}
	s.left -= len(b.parcel.bits)
	if s.left == 0 {
		delete(a.shelves, s.name)
	}
	return b.parcel
}

// loosen takes bits out of their parcels, except for those in kept.
func (s *shelf) loosen(bits []*bit, kept *parcel) {
	for _, b := range bits {
		if b.parcel != kept {
			b.parcel = nil
			s.loose = append(s.loose, b)
		}
	}
}

// pack divides bits of one pack into parcels, in the order of the pack.
func (f *Fetcher) pack(bits []*bit) {
	chunks := make([]archive.Chunk, len(bits))
	for i, b := range bits {
		chunks[i] = *b.chunk
	}
	spans, wrong := f.spans(chunks)
	for _, s := range spans {
		p := &parcel{span: s, number: bits}
		for i := range s.Chunks() {
			p.take(bits[i])
		}
	}
	if len(wrong) > 0 {
		p := &parcel{wrong: wrong, number: bits}
		for _, m := range wrong {
			p.take(bits[m.Index])
		}
	}
}

func (p *parcel) take(b *bit) {
	b.parcel = p
	p.bits = append(p.bits, b)
}

// afford keeps in a bit's parcel what is needed soon, and of the rest what memory allows. It
// reports whether that is everything.
func (a *Ahead) afford(b *bit) bool {
	lead := map[*bit]int64{}
	all := slices.Clone(b.parcel.bits)
	for _, other := range all {
		lead[other] = a.lead(other)
	}
	slices.SortStableFunc(all, func(x, y *bit) int { return cmp.Compare(lead[x], lead[y]) })
	room, window := a.fetch.o.Memory-a.held, a.window()
	var kept []*bit
	for _, other := range all {
		length := int64(other.chunk.Length)
		if other != b && (other.content.closed || lead[other] >= window && room < length) {
			continue
		}
		room -= length
		kept = append(kept, other)
	}
	if len(kept) == len(all) {
		return true
	}
	a.fetch.pack(kept)
	return false
}
