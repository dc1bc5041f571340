package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/crypto"
)

const (
	windowSegments = 64 // fetched at once: 4 MiB
	gapSegments    = 4  // not wanted, but cheaper to fetch than to ask again
	headerGap      = 256 << 10
)

// Fetch reads chunks of one pack, in any order, and calls each with the index in want and the bytes of each chunk whose id is right,
// in the order of their places. The bytes are good until each returns. Chunks that cannot be had are left out and the others come all
// the same; the error then holds a *DamagedError for each (errors.Is ErrDamaged), or one for the whole pack. Other errors (a store out
// of reach, a wrong identity, an error of each) end it at once.
func (r *Reader) Fetch(ctx context.Context, p *Pack, want []Chunk, each func(i int, data []byte) error) error {
	if len(want) == 0 {
		return nil
	}
	key, err := r.key(p.Kind)
	if err != nil {
		return err
	}
	plain, err := p.plain()
	if err != nil {
		return &DamagedError{Kind: p.Kind, Pack: p.Name, Err: err}
	}
	f := &fetch{reader: r, pack: p, plain: plain, key: key, want: want, each: each}
	for i, window := range f.plan() {
		if err := f.window(ctx, window, i == 0); err != nil {
			return errors.Join(append([]error{err}, f.damage...)...)
		}
	}
	return errors.Join(f.damage...)
}

// fetch is the state of one Fetch.
type fetch struct {
	reader *Reader
	pack   *Pack
	plain  int64
	key    *crypto.IDKey
	want   []Chunk
	each   func(int, []byte) error
	opener *crypto.Opener
	damage []error
}

// frameWant is a frame and the wanted chunks in it, as indexes in want, ascending by place.
type frameWant struct {
	offset, stored int64
	chunks         []int
}

// windowWant is what is fetched at once: whole segments, and the frames that lie in them.
type windowWant struct {
	first, last int64 // segments
	frames      []frameWant
}

// plan sorts what is wanted into windows, in the order of the pack.
func (f *fetch) plan() []windowWant {
	order := make([]int, 0, len(f.want))
	for i := range f.want {
		if err := f.checkPlace(&f.want[i]); err != nil {
			f.damaged(i, err)
			continue
		}
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &f.want[a].Place, &f.want[b].Place
		return cmp.Or(cmp.Compare(x.Frame, y.Frame), cmp.Compare(x.Stored, y.Stored), cmp.Compare(x.Start, y.Start))
	})
	var windows []windowWant
	for len(order) > 0 {
		place := &f.want[order[0]].Place
		n := 1
		for n < len(order) && f.want[order[n]].Place.Frame == place.Frame && f.want[order[n]].Place.Stored == place.Stored {
			n++
		}
		frame := frameWant{int64(place.Frame), int64(place.Stored), order[:n]}
		windows, order = addToWindows(windows, frame), order[n:]
	}
	return windows
}

func addToWindows(windows []windowWant, frame frameWant) []windowWant {
	first, last := frame.offset/crypto.SegmentSize, (frame.offset+frame.stored-1)/crypto.SegmentSize
	if n := len(windows); n > 0 {
		w := &windows[n-1]
		if first <= w.last+1+gapSegments && last-w.first < windowSegments {
			w.last = max(w.last, last)
			w.frames = append(w.frames, frame)
			return windows
		}
	}
	return append(windows, windowWant{first, last, []frameWant{frame}})
}

// checkPlace refuses what cannot be, before anything is fetched or allocated for it.
func (f *fetch) checkPlace(c *Chunk) error {
	end := int64(c.Place.Frame) + int64(c.Place.Stored)
	if c.Place.Stored == 0 || end > f.plain || end > MaxPack {
		return fmt.Errorf("its frame of %d bytes at %d is not within %d", c.Place.Stored, c.Place.Frame, f.plain)
	}
	if c.Length == 0 || int64(c.Place.Start)+int64(c.Length) > MaxChunk {
		return fmt.Errorf("%d bytes at %d of its frame are more than a frame holds", c.Length, c.Place.Start)
	}
	return nil
}

func (f *fetch) damaged(i int, err error) {
	f.damage = append(f.damage, &DamagedError{Kind: f.pack.Kind, Pack: f.pack.Name, ID: f.want[i].ID, Err: err})
}

// windowMemory is what a window needs, kept for the next.
type windowMemory struct{ sealed, plain []byte }

var memories = sync.Pool{New: func() any { return new(windowMemory) }}

// window fetches, opens and hands on one window.
func (f *fetch) window(ctx context.Context, w windowWant, first bool) error {
	m := memories.Get().(*windowMemory)
	defer memories.Put(m)
	from := int64(f.pack.Header) + w.first*crypto.SealedSegment
	to := int64(f.pack.Header) + (w.last+1)*crypto.SealedSegment
	sealed, err := f.get(ctx, m, from, to, first)
	if err != nil {
		return err
	}
	bad, err := f.openSegments(m, sealed, w.first)
	if err != nil {
		return err
	}
	for _, frame := range w.frames {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("fetch pack %s: %w", f.pack.Kind.Object(f.pack.Name), context.Cause(ctx))
		}
		if err := f.frame(m, frame, w.first, bad); err != nil {
			return err
		}
	}
	return nil
}

// get fetches a range of stored bytes. With the first window it gets and opens the header too, in one request if it lies near.
func (f *fetch) get(ctx context.Context, m *windowMemory, from, to int64, first bool) (sealed []byte, err error) {
	if first {
		f.opener = f.reader.cached(f.pack.Name)
	}
	header := int64(f.pack.Header)
	switch {
	case f.opener != nil:
		m.sealed, err = f.reader.get(ctx, f.pack, from, to, m.sealed[:0])
		return m.sealed, err
	case from-header <= headerGap:
		if m.sealed, err = f.reader.get(ctx, f.pack, 0, to, m.sealed[:0]); err != nil {
			return nil, err
		}
		f.opener, err = f.reader.open(ctx, f.pack, m.sealed[:header])
		return m.sealed[from:], err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		f.opener, err = f.reader.header(ctx, f.pack)
		return err
	})
	g.Go(func() (err error) {
		m.sealed, err = f.reader.get(ctx, f.pack, from, to, m.sealed[:0])
		return err
	})
	err = g.Wait()
	return m.sealed, err
}

// openSegments decrypts a window into m.plain and returns which segments do not open.
func (f *fetch) openSegments(m *windowMemory, sealed []byte, first int64) (bad map[int64]error, err error) {
	count := crypto.SegmentCount(f.plain)
	m.plain = slices.Grow(m.plain[:0], len(sealed))
	for index := first; len(sealed) > 0; index++ {
		n := min(len(sealed), crypto.SealedSegment)
		plain, err := f.opener.OpenSegment(m.plain, sealed[:n], uint64(index), uint64(index)+1 == count)
		if err != nil {
			if bad == nil {
				bad = make(map[int64]error)
			}
			bad[index] = err
			plain = m.plain[:len(m.plain)+max(0, n-crypto.SegmentOverhead)]
		}
		m.plain, sealed = plain, sealed[n:]
	}
	return bad, nil
}

// frame decompresses a frame and hands on the wanted chunks in it. The window starts at segment first.
func (f *fetch) frame(m *windowMemory, w frameWant, first int64, bad map[int64]error) error {
	raw := borrowScratch()
	defer giveBack(raw)
	err := f.decompress(raw, m, w, first, bad)
	for _, i := range w.chunks {
		c := &f.want[i]
		start, end := int64(c.Place.Start), int64(c.Place.Start)+int64(c.Length)
		switch {
		case err != nil:
			f.damaged(i, err)
		case end > int64(len(*raw)):
			f.damaged(i, fmt.Errorf("its frame holds %d bytes, and it should end at %d", len(*raw), end))
		case f.key.Sum((*raw)[start:end]) != c.ID:
			f.damaged(i, errWrongID)
		default:
			if err := f.each(i, (*raw)[start:end]); err != nil {
				return err
			}
		}
	}
	return nil
}

var errWrongID = errors.New("its bytes do not have this id")

func (f *fetch) decompress(raw *[]byte, m *windowMemory, w frameWant, first int64, bad map[int64]error) error {
	for index := w.offset / crypto.SegmentSize; len(bad) > 0 && index <= (w.offset+w.stored-1)/crypto.SegmentSize; index++ {
		if err := bad[index]; err != nil {
			return err
		}
	}
	start := w.offset - first*crypto.SegmentSize
	if start+w.stored > int64(len(m.plain)) {
		return fmt.Errorf("its frame ends after the pack")
	}
	return f.reader.decompress(raw, m.plain[start:start+w.stored])
}

// decompress puts the content of one frame into raw.
func (r *Reader) decompress(raw *[]byte, frame []byte) error {
	size, err := contentSize(frame)
	if err != nil {
		return err
	}
	if size > MaxChunk {
		return fmt.Errorf("its frame claims to hold %d bytes", size)
	}
	*raw, err = r.decoder.DecodeAll(frame, slices.Grow((*raw)[:0], int(size)))
	if err != nil {
		return fmt.Errorf("decompress its frame: %w", err)
	}
	return nil
}
