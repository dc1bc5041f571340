package archive

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/packstone/packstone/crypto"
)

const (
	spanBytes   = 4 << 20 // fetched at once, of plaintext
	gapSegments = 4       // not wanted, but cheaper to fetch than to ask again
	headerGap   = 256 << 10
)

// Span is a stretch of a pack that one request fetches, with the frames in it that hold wanted
// chunks.
type Span struct {
	Pack        *Pack
	Want        []Chunk // all that was wanted of the pack, of which some lies in this span
	plain       int64   // bytes of the pack's plaintext
	first, last int64   // segments
	frames      []frameWant
	header      *header // of the pack, if this span is to bring it
}

// frameWant is a frame and the wanted chunks in it, as indexes in want, in the order of their
// places.
type frameWant struct {
	offset, stored int64
	chunks         []int
}

// Bad is a wanted chunk that cannot be read.
type Bad struct {
	Index int // in what was wanted
	Err   *DamagedError
}

// Spans divides the wanted chunks of one pack into spans of about most bytes, 4 MiB if 0, in the
// order of the pack. It never divides a frame. Chunks with an impossible place are in no span;
// Spans returns them as bad.
func Spans(p *Pack, want []Chunk, most int) ([]*Span, []Bad) {
	if most <= 0 {
		most = spanBytes
	}
	plain, err := p.plain()
	order, bad := make([]int, 0, len(want)), []Bad(nil)
	for i := range want {
		wrong := err
		if wrong == nil {
			wrong = want[i].Place.check(plain, want[i].Length)
		}
		if wrong != nil {
			bad = append(bad, Bad{i, &DamagedError{Kind: p.Kind, Pack: p.Name, ID: want[i].ID, Err: wrong}})
			continue
		}
		order = append(order, i)
	}
	return divide(&Span{Pack: p, Want: want, plain: plain}, order, int64(most)), bad
}

// divide divides the chunks of order into spans that are copies of like in all other respects.
func divide(like *Span, order []int, most int64) (spans []*Span) {
	place := func(i int) *Place { return &like.Want[i].Place }
	slices.SortFunc(order, func(a, b int) int {
		x, y := place(a), place(b)
		return cmp.Or(cmp.Compare(x.Frame, y.Frame), cmp.Compare(x.Stored, y.Stored), cmp.Compare(x.Start, y.Start))
	})
	for len(order) > 0 {
		frame, n := *place(order[0]), 1
		for n < len(order) && place(order[n]).Frame == frame.Frame && place(order[n]).Stored == frame.Stored {
			n++
		}
		next := frameWant{int64(frame.Frame), int64(frame.Stored), order[:n:n]}
		if last := len(spans) - 1; last < 0 || !spans[last].takes(next, most) {
			span := *like
			span.first, span.last = next.segments()
			spans = append(spans, &span)
		}
		spans[len(spans)-1].add(next)
		order = order[n:]
	}
	return spans
}

func (f *frameWant) segments() (first, last int64) {
	return f.offset / crypto.SegmentSize, (f.offset + f.stored - 1) / crypto.SegmentSize
}

// takes reports whether the next frame should be fetched in the same request as the span.
func (s *Span) takes(f frameWant, most int64) bool {
	first, last := f.segments()
	return first <= s.last+1+gapSegments && (last-s.first+1)*crypto.SegmentSize <= most
}

func (s *Span) add(f frameWant) {
	_, last := f.segments()
	s.last = max(s.last, last)
	s.frames = append(s.frames, f)
}

// Chunks yields the wanted chunks in the span, as indexes in Want, in the order of the pack.
func (s *Span) Chunks() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, frame := range s.frames {
			for _, i := range frame.chunks {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// Size returns the number of bytes to fetch, without the pack's header.
func (s *Span) Size() int64 { return (s.last - s.first + 1) * crypto.SealedSegment }

// check refuses an impossible place, before anything is fetched or allocated for it.
func (p *Place) check(plain int64, length uint32) error {
	end := int64(p.Frame) + int64(p.Stored)
	if p.Stored == 0 || end > plain || end > MaxPack {
		return fmt.Errorf("its frame of %d bytes at %d is not within %d", p.Stored, p.Frame, plain)
	}
	if length == 0 || int64(p.Start)+int64(length) > MaxChunk {
		return fmt.Errorf("%d bytes at %d of its frame are more than a frame holds", length, p.Start)
	}
	return nil
}
