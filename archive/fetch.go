package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/crypto"
)

// Fetch reads chunks of one pack, in any order, one span after the other, and calls each with the
// index in want and the bytes of each chunk whose id is right, in the order of their places. The
// bytes are good until each returns, which must not change them. Chunks that cannot be had are left
// out and the others come all the same; the error then holds a *DamagedError for each (errors.Is
// ErrDamaged), or one for the whole pack. Other errors (a store out of reach, a wrong identity, an
// error of each) end it at once. Who wants much uses Spans, Load and Open, several at once.
func (r *Reader) Fetch(ctx context.Context, p *Pack, want []Chunk, each func(i int, data []byte) error) error {
	spans, bad := Spans(p, want, 0)
	for _, s := range spans {
		loaded, err := r.Load(ctx, s)
		if err != nil {
			return errors.Join(err, joined(bad))
		}
		wrong, err := loaded.Open(ctx, func(piece *Piece) error {
			defer piece.Free()
			for _, i := range piece.Chunks {
				if err := each(i, piece.Data(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if bad = append(bad, wrong...); err != nil {
			return err
		}
	}
	return joined(bad)
}

func joined(bad []Bad) error {
	all := make([]error, len(bad))
	for i, b := range bad {
		all[i] = b.Err
	}
	return errors.Join(all...)
}

// Loaded is a span whose stored bytes are there: fewer than they should be if the pack is cut
// short.
type Loaded struct {
	reader *Reader
	span   *Span
	key    *crypto.IDKey
	opener *crypto.Opener
	memory *spanMemory
	sealed []byte // in memory
	plain  []byte // in place of sealed, when it is opened
}

// spanMemory is what a span needs, kept for the next.
type spanMemory struct{ bytes []byte }

var memories = sync.Pool{New: func() any { return new(spanMemory) }}

// Claim makes a span bring its pack's header, unless that is known or another brings it. Of spans
// that are loaded at once it is called in order, so that the one that lies nearest brings it. Each
// is loaded or forgone after.
func (r *Reader) Claim(s *Span) {
	if h, first := r.claim(s.Pack.Name); first {
		s.header = h
	}
}

// Forgo says that a span is not loaded, for the reason given.
func (r *Reader) Forgo(s *Span, reason error) {
	if s.header != nil {
		_ = r.settle(s.header, s.Pack, nil, reason)
		s.header = nil
	}
}

// Load gets the stored bytes of a span. The first of a pack gets and opens its header too, in the
// same request if it lies near; others that are loaded meanwhile wait for it. A *DamagedError
// concerns the whole pack. Whoever does not open what is loaded calls Drop.
func (r *Reader) Load(ctx context.Context, s *Span) (*Loaded, error) {
	key, err := r.key(s.Pack.Kind)
	if err != nil {
		r.Forgo(s, err)
		return nil, err
	}
	l := &Loaded{reader: r, span: s, key: key, memory: memories.Get().(*spanMemory)}
	if err := l.load(ctx); err != nil {
		l.Drop()
		return nil, err
	}
	return l, nil
}

func (l *Loaded) load(ctx context.Context) error {
	p := l.span.Pack
	if l.span.header == nil {
		l.reader.Claim(l.span)
	}
	header := l.span.header
	l.span.header = nil
	var err error
	switch {
	case header == nil:
		if err = l.get(ctx); err == nil {
			l.opener, err = l.reader.opener(ctx, p)
		}
		return err
	case l.span.first*crypto.SealedSegment <= headerGap:
		err = l.getFromStart(ctx, header)
	default:
		err = l.getBeside(ctx, header)
	}
	l.opener = header.opener
	return err
}

// stored is where the span lies in the object.
func (l *Loaded) stored() (from, to int64) {
	header := int64(l.span.Pack.Header)
	return header + l.span.first*crypto.SealedSegment, header + (l.span.last+1)*crypto.SealedSegment
}

func (l *Loaded) get(ctx context.Context) (err error) {
	from, to := l.stored()
	l.sealed, err = l.fetch(ctx, from, to)
	return err
}

// getFromStart gets the header and the span at once.
func (l *Loaded) getFromStart(ctx context.Context, h *header) error {
	from, to := l.stored()
	object, err := l.fetch(ctx, 0, to)
	if err != nil {
		return l.reader.settle(h, l.span.Pack, nil, err)
	}
	size := int64(len(object))
	l.sealed = object[min(from, size):]
	opener, err := l.reader.open(ctx, l.span.Pack, object[:min(int64(l.span.Pack.Header), size)])
	return l.reader.settle(h, l.span.Pack, opener, err)
}

// getBeside gets the header and a span far from it at the same time.
func (l *Loaded) getBeside(ctx context.Context, h *header) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		opener, err := l.reader.fetchHeader(ctx, l.span.Pack)
		return l.reader.settle(h, l.span.Pack, opener, err)
	})
	g.Go(func() error { return l.get(gctx) })
	return g.Wait()
}

// fetch gets a range of stored bytes, as much of it as there is.
func (l *Loaded) fetch(ctx context.Context, from, to int64) ([]byte, error) {
	p := l.span.Pack
	to = min(to, int64(p.Size))
	got, err := l.reader.store.Get(ctx, p.Kind.Object(p.Name), from, to-from, l.memory.bytes[:0])
	if err != nil {
		return nil, l.reader.fetchError(p.Kind, p.Name, err)
	}
	l.memory.bytes = got
	return got, nil
}

// Drop gives back the memory of what is not opened.
func (l *Loaded) Drop() {
	memories.Put(l.memory)
	l.memory, l.sealed, l.plain = nil, nil, nil
}

// Open decrypts and decompresses what was loaded, which is dropped then, and hands on the content
// of each frame, in the order of the pack; take owns what it gets. It returns the chunks that
// cannot be had. An error is one of take, or of ctx, and ends it.
func (l *Loaded) Open(ctx context.Context, take func(*Piece) error) (bad []Bad, err error) {
	defer l.Drop()
	damage := l.openSegments()
	for _, frame := range l.span.frames {
		if ctx.Err() != nil {
			return bad, fmt.Errorf("fetch pack %s: %w", l.span.Pack.Kind.Object(l.span.Pack.Name), context.Cause(ctx))
		}
		piece, wrong := l.piece(frame, damage)
		bad = append(bad, wrong...)
		if piece == nil {
			continue
		}
		if err := take(piece); err != nil {
			return bad, err
		}
	}
	return bad, nil
}

// openSegments decrypts a span in place, moves the segments together, and returns which do not
// open.
func (l *Loaded) openSegments() (bad map[int64]error) {
	count, sealed := crypto.SegmentCount(l.span.plain), l.sealed
	l.plain = sealed[:0]
	for index := l.span.first; len(sealed) > 0; index++ {
		n := min(len(sealed), crypto.SealedSegment)
		segment, err := l.opener.OpenSegment(sealed[:0], sealed[:n], uint64(index), uint64(index)+1 == count)
		if err != nil {
			if bad == nil {
				bad = make(map[int64]error)
			}
			bad[index] = err
			segment = sealed[:max(0, n-crypto.SegmentOverhead)]
		}
		l.plain, sealed = append(l.plain, segment...), sealed[n:]
	}
	return bad
}

// Piece is the content of a frame, as far as it was wanted and its id is right. Its memory belongs
// to whoever holds it, until Free.
type Piece struct {
	Chunks []int // indexes in what was wanted, in the order of their places
	want   []Chunk
	raw    *[]byte
	stored []byte // of the frame, in the memory of the span
}

// Data is the content of a chunk, good until Free. It must not be changed.
func (p *Piece) Data(i int) []byte {
	place := &p.want[i].Place
	return (*p.raw)[place.Start:][:p.want[i].Length]
}

// Frame is the frame as it is stored, where its right chunks are all that lies in it and each lies
// there once. It is good until the function returns that was handed the piece, and must not be
// changed.
func (p *Piece) Frame() (stored []byte, whole bool) {
	end := 0
	for _, i := range p.Chunks {
		if int(p.want[i].Place.Start) != end {
			return nil, false
		}
		end += int(p.want[i].Length)
	}
	return p.stored, end == len(*p.raw)
}

// Size is how many bytes the piece holds in memory.
func (p *Piece) Size() int { return cap(*p.raw) }

// Free gives the memory back.
func (p *Piece) Free() {
	frameMemory.put(p.raw)
	p.raw = nil
}

// piece decompresses a frame and compares the wanted chunks in it with their ids. It is nil if none
// is right.
func (l *Loaded) piece(frame frameWant, damage map[int64]error) (*Piece, []Bad) {
	raw, stored, err := l.decompress(frame, damage)
	if err != nil {
		return nil, l.bad(frame.chunks, err)
	}
	p, bad := &Piece{Chunks: make([]int, 0, len(frame.chunks)), want: l.span.Want, raw: raw, stored: stored}, []Bad(nil)
	var right *Chunk // the last whose id is right: a run of zeros is wanted many times
	for _, i := range frame.chunks {
		c := &l.span.Want[i]
		switch end := int64(c.Place.Start) + int64(c.Length); {
		case end > int64(len(*raw)):
			bad = append(bad, l.bad([]int{i}, fmt.Errorf("its frame holds %d bytes, and it should end at %d", len(*raw), end))...)
		case !c.isAgain(right) && l.key.Sum(p.Data(i)) != c.ID:
			bad = append(bad, l.bad([]int{i}, ErrWrongID)...)
		default:
			right = c
			p.Chunks = append(p.Chunks, i)
		}
	}
	if len(p.Chunks) == 0 {
		p.Free()
		return nil, bad
	}
	return p, bad
}

func (l *Loaded) bad(chunks []int, err error) []Bad {
	p, all := l.span.Pack, make([]Bad, len(chunks))
	for k, i := range chunks {
		all[k] = Bad{i, &DamagedError{Kind: p.Kind, Pack: p.Name, ID: l.span.Want[i].ID, Err: err}}
	}
	return all
}

// isAgain tells whether c is another chunk, which may be nil, of the same frame.
func (c *Chunk) isAgain(other *Chunk) bool {
	return other != nil && other.ID == c.ID && other.Place.Start == c.Place.Start && other.Length == c.Length
}

func (l *Loaded) decompress(frame frameWant, damage map[int64]error) (raw *[]byte, stored []byte, err error) {
	first, last := frame.segments()
	for index := first; len(damage) > 0 && index <= last; index++ {
		if err := damage[index]; err != nil {
			return nil, nil, err
		}
	}
	start := frame.offset - l.span.first*crypto.SegmentSize
	if start+frame.stored > int64(len(l.plain)) {
		return nil, nil, errCutShort
	}
	stored = l.plain[start : start+frame.stored]
	size, err := rawSize(stored)
	if err != nil {
		return nil, nil, err
	}
	raw = frameMemory.take(size)
	if err := l.reader.decompress(raw, stored); err != nil {
		frameMemory.put(raw)
		return nil, nil, err
	}
	return raw, stored, nil
}

var errCutShort = errors.New("its frame ends after the pack")

// rawSize is how many bytes a frame claims to hold.
func rawSize(frame []byte) (int, error) {
	size, err := contentSize(frame)
	if err != nil {
		return 0, err
	}
	if size > MaxChunk {
		return 0, fmt.Errorf("its frame claims to hold %d bytes", size)
	}
	return int(size), nil
}

// decompress puts the content of one frame into raw.
func (r *Reader) decompress(raw *[]byte, frame []byte) error {
	size, err := rawSize(frame)
	if err != nil {
		return err
	}
	*raw, err = r.decoder.DecodeAll(frame, slices.Grow((*raw)[:0], size))
	if err != nil {
		return fmt.Errorf("decompress its frame: %w", err)
	}
	return nil
}
