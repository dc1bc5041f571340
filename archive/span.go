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

// Span is a stretch of a pack that one request fetches, and the frames in it of which something is
// wanted.
type Span struct {
	Pack        *Pack
	Want        []Chunk // all that was wanted of the pack, of which some lies in this span
	plain       int64   // bytes of the pack's plaintext
	first, last int64   // segments
	frames      []frameWant
	header      *header // of the pack, if this span is to bring it
}

// frameWant is a frame and the wanted chunks in it, as indexes in want, ascending by place.
type frameWant struct {
	offset, stored int64
	chunks         []int
}

// Bad is a wanted chunk that cannot be had.
type Bad struct {
	Index int // in what was wanted
	Err   *DamagedError
}

// Spans divides what is wanted of one pack into spans of about most bytes, 4 MiB if 0, in the order
// of the pack. What has an impossible place is in no span, but among the bad. A frame is never
// divided.
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

// divide lays the chunks of order into spans that are otherwise as like is.
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

// takes tells whether the next frame is better fetched together with what is in the span.
func (s *Span) takes(f frameWant, most int64) bool {
	first, last := f.segments()
	return first <= s.last+1+gapSegments && (last-s.first+1)*crypto.SegmentSize <= most
}

func (s *Span) add(f frameWant) {
	_, last := f.segments()
	s.last = max(s.last, last)
	s.frames = append(s.frames, f)
}

// Chunks yields which of what was wanted lies in the span, in the order of the pack.
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

// Size is the number of bytes that are fetched, without the pack's header.
func (s *Span) Size() int64 { return (s.last - s.first + 1) * crypto.SealedSegment }

// check refuses what cannot be, before anything is fetched or allocated for it.
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
