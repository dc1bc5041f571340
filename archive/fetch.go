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
// in the order of their places. The bytes are good until each returns, which must not change them. Chunks that cannot be had are left
// out and the others come all the same; the error then holds a *DamagedError for each (errors.Is ErrDamaged), or one for the whole pack. Other errors (a store out
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
	if err := f.run(ctx, f.plan()); err != nil {
		return errors.Join(append([]error{err}, f.damage...)...)
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
type windowMemory struct{ bytes []byte }

var memories = sync.Pool{New: func() any { return new(windowMemory) }}

// fetched is a window whose stored bytes are there: fewer than they should be if the pack is cut short.
type fetched struct {
	window windowWant
	memory *windowMemory
	sealed []byte // in memory
	plain  []byte // in place of sealed, when it is opened
}

// run reads the windows one after the other. While one is decompressed, the next is fetched.
func (f *fetch) run(ctx context.Context, windows []windowWant) error {
	if len(windows) == 0 {
		return nil
	}
	first, err := f.fetch(ctx, windows[0])
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	ahead := make(chan fetched)
	g.Go(func() error { return f.fetchAll(ctx, windows[1:], ahead) })
	g.Go(func() error {
		if err := f.window(ctx, first); err != nil {
			return err
		}
		for next := range ahead {
			if err := f.window(ctx, next); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// fetchAll sends windows as they come, and closes ahead.
func (f *fetch) fetchAll(ctx context.Context, windows []windowWant, ahead chan<- fetched) error {
	defer close(ahead)
	for _, w := range windows {
		next, err := f.fetch(ctx, w)
		if err != nil {
			return err
		}
		select {
		case ahead <- next:
		case <-ctx.Done():
			memories.Put(next.memory)
			return context.Cause(ctx)
		}
	}
	return nil
}

// window opens and hands on one window, and gives its memory back.
func (f *fetch) window(ctx context.Context, w fetched) error {
	defer memories.Put(w.memory)
	bad := f.openSegments(&w)
	for _, frame := range w.window.frames {
		if ctx.Err() != nil {
			return fmt.Errorf("fetch pack %s: %w", f.pack.Kind.Object(f.pack.Name), context.Cause(ctx))
		}
		if err := f.frame(w, frame, bad); err != nil {
			return err
		}
	}
	return nil
}

// fetch gets the stored bytes of a window. With the first it gets and opens the header too, in one request if it lies near.
func (f *fetch) fetch(ctx context.Context, w windowWant) (fetched, error) {
	out := fetched{window: w, memory: memories.Get().(*windowMemory)}
	var err error
	if out.sealed, err = f.get(ctx, out.memory, w); err != nil {
		memories.Put(out.memory)
	}
	return out, err
}

func (f *fetch) get(ctx context.Context, m *windowMemory, w windowWant) ([]byte, error) {
	header := int64(f.pack.Header)
	from, to := header+w.first*crypto.SealedSegment, header+(w.last+1)*crypto.SealedSegment
	if f.opener == nil {
		f.opener = f.reader.cached(f.pack.Name)
	}
	if f.opener != nil {
		return f.stored(ctx, m, from, to)
	}
	if from-header > headerGap {
		return f.getBoth(ctx, m, from, to)
	}
	object, err := f.stored(ctx, m, 0, to)
	if err != nil {
		return nil, err
	}
	size := int64(len(object))
	f.opener, err = f.reader.open(ctx, f.pack, object[:min(header, size)])
	return object[min(from, size):], err
}

// getBoth fetches the header and a range far from it at the same time.
func (f *fetch) getBoth(ctx context.Context, m *windowMemory, from, to int64) (sealed []byte, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		f.opener, err = f.reader.header(ctx, f.pack)
		return err
	})
	g.Go(func() (err error) {
		sealed, err = f.stored(ctx, m, from, to)
		return err
	})
	err = g.Wait()
	return sealed, err
}

// stored fetches a range of stored bytes, as much of it as there is.
func (f *fetch) stored(ctx context.Context, m *windowMemory, from, to int64) ([]byte, error) {
	to = min(to, int64(f.pack.Size))
	got, err := f.reader.store.Get(ctx, f.pack.Kind.Object(f.pack.Name), from, to-from, m.bytes[:0])
	if err != nil {
		return nil, f.reader.fetchError(f.pack.Kind, f.pack.Name, err)
	}
	m.bytes = got
	return got, nil
}

// openSegments decrypts a window in place, moves the segments together, and returns which do not open.
func (f *fetch) openSegments(w *fetched) (bad map[int64]error) {
	count, sealed := crypto.SegmentCount(f.plain), w.sealed
	w.plain = sealed[:0]
	for index := w.window.first; len(sealed) > 0; index++ {
		n := min(len(sealed), crypto.SealedSegment)
		segment, err := f.opener.OpenSegment(sealed[:0], sealed[:n], uint64(index), uint64(index)+1 == count)
		if err != nil {
			if bad == nil {
				bad = make(map[int64]error)
			}
			bad[index] = err
			segment = sealed[:max(0, n-crypto.SegmentOverhead)]
		}
		w.plain, sealed = append(w.plain, segment...), sealed[n:]
	}
	return bad
}

// frame decompresses a frame and hands on the wanted chunks in it.
func (f *fetch) frame(w fetched, frame frameWant, bad map[int64]error) error {
	raw := borrowScratch()
	defer giveBack(raw)
	err := f.decompress(raw, w, frame, bad)
	var right *Chunk // the last whose id is right: a run of zeros is wanted many times
	for _, i := range frame.chunks {
		c := &f.want[i]
		start, end := int64(c.Place.Start), int64(c.Place.Start)+int64(c.Length)
		switch {
		case err != nil:
			f.damaged(i, err)
		case end > int64(len(*raw)):
			f.damaged(i, fmt.Errorf("its frame holds %d bytes, and it should end at %d", len(*raw), end))
		case !c.isAgain(right) && f.key.Sum((*raw)[start:end]) != c.ID:
			f.damaged(i, errWrongID)
		default:
			right = c
			if err := f.each(i, (*raw)[start:end]); err != nil {
				return err
			}
		}
	}
	return nil
}

// isAgain tells whether c is another chunk, which may be nil, of the same frame.
func (c *Chunk) isAgain(other *Chunk) bool {
	return other != nil && other.ID == c.ID && other.Place.Start == c.Place.Start && other.Length == c.Length
}

func (f *fetch) decompress(raw *[]byte, w fetched, frame frameWant, bad map[int64]error) error {
	last := (frame.offset + frame.stored - 1) / crypto.SegmentSize
	for index := frame.offset / crypto.SegmentSize; len(bad) > 0 && index <= last; index++ {
		if err := bad[index]; err != nil {
			return err
		}
	}
	start := frame.offset - w.window.first*crypto.SegmentSize
	if start+frame.stored > int64(len(w.plain)) {
		return errCutShort
	}
	return f.reader.decompress(raw, w.plain[start:start+frame.stored])
}

var (
	errWrongID  = errors.New("its bytes do not have this id")
	errCutShort = errors.New("its frame ends after the pack")
)

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
