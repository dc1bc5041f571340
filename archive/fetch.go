package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive/sabotage"
	"github.com/packstone/packstone/crypto"
)

// Fetch reads chunks of one pack, given in any order, one span after the other. It calls each with
// the index in want and the bytes of every chunk whose id is right, in the order of their places.
// The bytes are valid until each returns; each must not change them.
//
// Fetch skips chunks that it cannot read, and goes on with the others. Its error then holds a
// *DamagedError for each of them, or one for the whole pack (errors.Is ErrDamaged). Any other error
// (a store out of reach, a wrong identity, an error of each) ends it at once. Callers that read
// much use Spans, Load and Open, for several spans at once.
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

// Loaded is a span whose stored bytes have been fetched. If the pack is cut short, it holds fewer
// bytes than it should.
type Loaded struct {
	reader *Reader
	span   *Span
	key    *crypto.IDKey
	opener *crypto.Opener
	memory *spanMemory
	sealed []byte // in memory
	plain  []byte // in place of sealed, when it is opened
}

// spanMemory is memory for a span, pooled for the next one.
type spanMemory struct{ bytes []byte }

var memories = sync.Pool{New: func() any { return new(spanMemory) }}

// Claim makes a span responsible for fetching its pack's header, unless the header is known or
// another span fetches it. Callers that load several spans at once call it for each in order, so
// that the span nearest to the header gets the job. Every claimed span must be passed to Load or
// Forgo.
func (r *Reader) Claim(s *Span) {
	if h, first := r.claim(s.Pack.Name); first {
		s.header = h
	}
}

// Forgo says that a span will not be loaded, and why.
func (r *Reader) Forgo(s *Span, reason error) {
	if s.header != nil {
		_ = r.settle(s.header, s.Pack, nil, reason)
		s.header = nil
	}
}

// Load fetches the stored bytes of a span. The first span of a pack fetches and opens the pack's
// header too, in the same request if it is near; spans of the pack that are loaded meanwhile wait
// for it. A *DamagedError concerns the whole pack. The caller must call Open or Drop on the result.
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

// stored returns the range of the span in the object.
func (l *Loaded) stored() (from, to int64) {
	header := int64(l.span.Pack.Header)
	return header + l.span.first*crypto.SealedSegment, header + (l.span.last+1)*crypto.SealedSegment
}

func (l *Loaded) get(ctx context.Context) (err error) {
	from, to := l.stored()
	l.sealed, err = l.fetch(ctx, from, to)
	return err
}

// getFromStart fetches the header and the span in one request.
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

// getBeside fetches the header and a distant span, with two requests at the same time.
func (l *Loaded) getBeside(ctx context.Context, h *header) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		opener, err := l.reader.fetchHeader(ctx, l.span.Pack)
		return l.reader.settle(h, l.span.Pack, opener, err)
	})
	g.Go(func() error { return l.get(gctx) })
	return g.Wait()
}

// fetch returns a range of the stored bytes, or as much of it as the object has.
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

// Drop frees the memory of a span that will not be opened.
func (l *Loaded) Drop() {
	memories.Put(l.memory)
	l.memory, l.sealed, l.plain = nil, nil, nil
}

// Open decrypts and decompresses the span, and then drops it. It calls take with the content of
// each frame, in the order of the pack; take owns the Piece and must free it. Open returns the
// chunks that it could not read. An error is one of take or of ctx, and ends it.
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

// openSegments decrypts a span in place and closes the gaps between its segments. It returns an
// error for each segment that does not open, and fills that with zeros.
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
			clear(segment)
		}
		l.plain, sealed = append(l.plain, segment...), sealed[n:]
	}
	return bad
}

// Piece is the wanted content of one frame: the chunks whose ids are right. Its memory belongs to
// the holder, who calls Free.
type Piece struct {
	Chunks []int // indexes in what was wanted, in the order of their places
	want   []Chunk
	raw    *[]byte
	stored []byte // of the frame, in the memory of the span; nil if it is damaged
}

// Data returns the content of the chunk with index i in what was wanted, valid until Free. Callers
// must not change it.
func (p *Piece) Data(i int) []byte {
	place := &p.want[i].Place
	return (*p.raw)[place.Start:][:p.want[i].Length]
}

// Frame returns the frame as it is stored. whole reports whether the frame holds exactly the chunks
// of the piece, each once. The bytes are valid only until the function that received the piece
// returns, and must not be changed.
func (p *Piece) Frame() (stored []byte, whole bool) {
	if p.stored == nil {
		return nil, false
	}
	end := 0
	for _, i := range p.Chunks {
		if int(p.want[i].Place.Start) != end {
			return nil, false
		}
		end += int(p.want[i].Length)
	}
	return p.stored, end == len(*p.raw)
}

// Size returns how many bytes the piece holds in memory.
func (p *Piece) Size() int { return cap(*p.raw) }

// Free returns the memory to the pool.
func (p *Piece) Free() {
	frameMemory.put(p.raw)
	p.raw = nil
}

// piece decompresses a frame and checks the ids of the wanted chunks in it. It returns nil if none
// is right. Where a segment of the frame is damaged, chunks of which it has no byte may still be right.
func (l *Loaded) piece(frame frameWant, damage map[int64]error) (*Piece, []Bad) {
	hurt := hurtBy(frame, damage)
	raw, stored, err := l.decompress(frame)
	if err != nil {
		return nil, l.bad(frame.chunks, cmp.Or(hurt, err))
	}
	if hurt != nil {
		stored = nil
	}
	p, bad := &Piece{Chunks: make([]int, 0, len(frame.chunks)), want: l.span.Want, raw: raw, stored: stored}, []Bad(nil)
	var right *Chunk // the last whose id is right: a run of zeros is wanted many times
	for _, i := range frame.chunks {
		c := &l.span.Want[i]
		switch end := int64(c.Place.Start) + int64(c.Length); {
		case end > int64(len(*raw)):
			bad = append(bad, l.bad([]int{i}, cmp.Or(hurt, fmt.Errorf("its frame holds %d bytes, and it should end at %d", len(*raw), end)))...)
		case !c.isAgain(right) && l.key.Sum(p.Data(i)) != c.ID && !sabotage.Has(sabotage.NoIDCheck):
			bad = append(bad, l.bad([]int{i}, cmp.Or(hurt, ErrWrongID))...)
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

// isAgain reports whether c is the same chunk as other, which may be nil, in the same frame.
func (c *Chunk) isAgain(other *Chunk) bool {
	return other != nil && other.ID == c.ID && other.Place.Start == c.Place.Start && other.Length == c.Length
}

// hurtBy returns the error of the first segment of a frame that does not open.
func hurtBy(frame frameWant, damage map[int64]error) error {
	first, last := frame.segments()
	for index := first; len(damage) > 0 && index <= last; index++ {
		if err := damage[index]; err != nil {
			return err
		}
	}
	return nil
}

func (l *Loaded) decompress(frame frameWant) (raw *[]byte, stored []byte, err error) {
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

// rawSize returns how many bytes a frame claims to hold.
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
