package fetch

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/packstone/packstone/archive"
)

// Ahead fetches content before its readers need it. It expects added content to be read in that
// order, by one reader or by several at once, each from start to end. When it fetches a span that
// is needed soon, it fetches everything added that lies in the span. So it is best to add much at
// once if that is known. Options.Memory bounds what it holds, except for what is needed next.
type Ahead struct {
	fetch  *Fetcher
	ctx    context.Context // of all requests, which outlive the call that made them worth while
	stop   context.CancelFunc
	flying sync.WaitGroup

	mu       sync.Mutex
	shelves  map[archive.Name]*shelf
	queue    []*Content // what nobody reads yet, after those that are begun or closed
	asking   int        // of queue: all before are asked for
	begun    []*Content
	requests int   // under way
	size     int64 // of all that was added, bytes
	held     int64 // asked for and not read yet, bytes
	failed   error
}

// Ahead returns an Ahead that fetches until ctx ends or it is closed.
func (f *Fetcher) Ahead(ctx context.Context) *Ahead {
	a := &Ahead{fetch: f, shelves: map[archive.Name]*shelf{}}
	a.ctx, a.stop = context.WithCancel(ctx)
	return a
}

// Content is the content of a file, being fetched for one reader.
type Content struct {
	ahead  *Ahead
	bits   []bit
	start  int64 // bytes that were added before
	size   int64
	taken  int           // bits that were handed out
	offset int64         // bytes of those, without holes
	zeros  int64         // of a hole that is being handed out, bytes
	asking int           // all bits before are asked for
	begun  bool          // someone reads it
	closed bool          // nobody will
	ready  chan struct{} // holds a token when something has come
}

// bit is a chunk of a Content.
type bit struct {
	content *Content
	chunk   *archive.Chunk
	offset  int64
	parcel  *parcel // with which it is to be fetched; nil where that is not decided
	asked   bool
	here    bool
	data    []byte
	lease   *lease // of the memory that data lies in; nil if it is its own
	err     error
}

// lease is the memory of a frame, shared by several bits.
type lease struct {
	piece *archive.Piece
	users int
}

// Add adds contents, each a list of chunks. The caller must not change the lists afterwards.
func (a *Ahead) Add(lists ...[]archive.Chunk) []*Content {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]*Content, len(lists))
	for i, chunks := range lists {
		c := &Content{ahead: a, start: a.size, ready: make(chan struct{}, 1), bits: make([]bit, len(chunks))}
		for k := range chunks {
			c.bits[k] = bit{content: c, chunk: &chunks[k], offset: c.size, asked: chunks[k].IsHole()}
			if chunks[k].IsHole() {
				continue
			}
			c.size += int64(chunks[k].Length)
			a.shelf(&chunks[k]).add(&c.bits[k])
		}
		a.size += c.size
		all[i] = c
	}
	a.queue = append(a.queue, all...)
	a.advance()
	return all
}

// Close ends all requests and waits for them.
func (a *Ahead) Close() {
	a.stop()
	a.flying.Wait()
}

// Begin says that the content will be read now, before what was added earlier.
func (c *Content) Begin() {
	c.ahead.mu.Lock()
	defer c.ahead.mu.Unlock()
	c.begin()
	c.ahead.advance()
}

func (c *Content) begin() {
	if !c.begun && !c.closed {
		c.begun = true
		c.ahead.begun = append(c.ahead.begun, c)
	}
}

// Next returns the next chunk, or a piece of a hole, or io.EOF after the last. The bytes are valid
// until Next or Close is called again, and must not be changed. Any other error is final.
func (c *Content) Next() ([]byte, error) {
	a := c.ahead
	a.mu.Lock()
	defer a.mu.Unlock()
	c.begin()
	c.drop(c.taken - 1)
	if c.taken == len(c.bits) {
		return nil, io.EOF
	}
	b := &c.bits[c.taken]
	if b.chunk.IsHole() {
		return c.hole(int64(b.chunk.Length)), nil
	}
	for a.advance(); !b.here; a.advance() {
		if err := a.wait(c); err != nil {
			return nil, err
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	a.held -= int64(b.chunk.Length)
	c.taken, c.offset = c.taken+1, c.offset+int64(b.chunk.Length)
	a.advance()
	return b.data, nil
}

var zeros [256 << 10]byte

// hole returns the next zeros of a hole of this length.
func (c *Content) hole(length int64) []byte {
	n := min(length-c.zeros, int64(len(zeros)))
	if c.zeros += n; c.zeros == length {
		c.taken, c.zeros = c.taken+1, 0
	}
	return zeros[:n]
}

// wait waits until something has arrived for a content. It releases the lock while it waits.
func (a *Ahead) wait(c *Content) error {
	if a.failed != nil {
		return a.failed
	}
	a.mu.Unlock()
	defer a.mu.Lock()
	select {
	case <-c.ready:
		return nil
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	}
}

// drop frees the memory of a bit that was returned.
func (c *Content) drop(i int) {
	if i < 0 {
		return
	}
	b := &c.bits[i]
	if b.lease != nil {
		b.lease.leave()
	}
	b.data, b.lease = nil, nil
}

func (l *lease) leave() {
	if l.users--; l.users == 0 {
		l.piece.Free()
	}
}

// Close says that the rest of the content is not needed.
func (c *Content) Close() {
	a := c.ahead
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.closed {
		return
	}
	c.drop(c.taken - 1)
	for i := c.taken; i < len(c.bits); i++ {
		if b := &c.bits[i]; b.asked && !b.chunk.IsHole() {
			a.held -= int64(b.chunk.Length)
			c.drop(i)
		}
	}
	c.closed = true
	for i, other := range a.begun {
		if other == c {
			a.begun = append(a.begun[:i], a.begun[i+1:]...)
			break
		}
	}
	a.advance()
}

// advance requests what is needed next, as far as requests and memory allow.
func (a *Ahead) advance() {
	for a.failed == nil && a.requests < a.fetch.atOnce() {
		b, lead := a.soonest()
		if b == nil || lead > a.window()/4*3 {
			return
		}
		a.ask(b)
	}
}

// window returns how many bytes of its content are always fetched ahead of a reader. At three
// quarters of it more is requested, so that requests do not become small.
func (a *Ahead) window() int64 {
	memory, span := a.fetch.o.Memory, int64(a.fetch.spanBytes())
	far := min(memory/2, 2*span*int64(a.fetch.connections())) // content is about twice as long as what is fetched of it
	return max(max(memory/4, far)/int64(max(1, len(a.begun))), span/4)
}

// soonest returns the bit that will be read first of those not requested, and how many bytes will
// be read before it.
func (a *Ahead) soonest() (first *bit, lead int64) {
	for _, c := range a.begun {
		if b := c.unasked(); b != nil {
			if l := a.lead(b); first == nil || l < lead {
				first, lead = b, l
			}
		}
	}
	a.tidy()
	for ; a.asking < len(a.queue); a.asking++ {
		if b := a.queue[a.asking].unasked(); b != nil {
			if l := a.lead(b); first == nil || l < lead {
				first, lead = b, l
			}
			break
		}
	}
	return first, lead
}

// tidy removes contents from the head of the queue that are being read or closed.
func (a *Ahead) tidy() {
	n := 0
	for n < len(a.queue) && (a.queue[n].begun || a.queue[n].closed) {
		a.queue[n] = nil
		n++
	}
	a.queue, a.asking = a.queue[n:], max(0, a.asking-n)
}

// unasked returns the first bit that is not requested.
func (c *Content) unasked() *bit {
	if c.closed {
		return nil
	}
	for ; c.asking < len(c.bits); c.asking++ {
		if !c.bits[c.asking].asked {
			return &c.bits[c.asking]
		}
	}
	return nil
}

// lead returns how many bytes will be read before a bit: of its own content if that is being read,
// else of the content that is nearest to its end and of all that precedes the bit in the queue.
func (a *Ahead) lead(b *bit) int64 {
	c := b.content
	if c.begun {
		return b.offset - c.offset
	}
	rest := int64(0)
	for i, other := range a.begun {
		if left := other.size - other.offset; i == 0 || left < rest {
			rest = left
		}
	}
	for _, first := range a.queue {
		if !first.begun && !first.closed {
			return rest + c.start - first.start + b.offset
		}
	}
	return rest + b.offset
}

// ask requests a bit, and what is near it in its pack.
func (a *Ahead) ask(b *bit) {
	p := a.pick(b)
	for _, b := range p.bits {
		b.asked = true
		a.held += int64(b.chunk.Length)
	}
	a.requests++
	a.fetch.claim(p.span)
	a.flying.Go(func() {
		err := a.bring(p)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.requests--
		if err != nil {
			a.fail(err)
		}
		a.advance()
	})
}

// fail passes an error that ends everything to all readers.
func (a *Ahead) fail(err error) {
	if a.failed == nil {
		a.failed = err
	}
	for _, c := range a.begun {
		c.tell()
	}
}

// tell wakes the reader, if it waits.
func (c *Content) tell() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// bring fetches a parcel and delivers its chunks.
func (a *Ahead) bring(p *parcel) (err error) {
	lack := p.wrong
	if p.span != nil {
		lack, err = a.fetch.span(a.ctx, p.span, func(piece *archive.Piece) error {
			a.put(p, piece)
			return nil
		})
	}
	for _, m := range lack {
		b := p.number[m.Index]
		data, err := a.fetch.elsewhere(a.ctx, b.chunk, m.Err)
		if ends(a.ctx, err) {
			return err
		}
		a.mu.Lock()
		b.arrive(data, nil, err)
		a.mu.Unlock()
	}
	return err
}

// put delivers the content of a frame to its bits. If only a little of a frame is wanted, it copies
// that, so that no more memory is held than is counted.
func (a *Ahead) put(p *parcel, piece *archive.Piece) {
	wanted := 0
	for _, i := range piece.Chunks {
		wanted += int(p.number[i].chunk.Length)
	}
	shared := &lease{piece: piece, users: 1}
	copies := make([][]byte, len(piece.Chunks))
	if wanted < piece.Size()/2 {
		for k, i := range piece.Chunks {
			copies[k] = append([]byte(nil), piece.Data(i)...)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, i := range piece.Chunks {
		if copies[k] != nil {
			p.number[i].arrive(copies[k], nil, nil)
		} else {
			p.number[i].arrive(piece.Data(i), shared, nil)
		}
	}
	shared.leave()
}

func (b *bit) arrive(data []byte, in *lease, err error) {
	if b.content.closed {
		return
	}
	if in != nil {
		in.users++
	}
	b.data, b.lease, b.err, b.here = data, in, err, true
	b.content.tell()
}

// All yields the chunks like Next, and ends with the first error.
func (c *Content) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for {
			data, err := c.Next()
			if errors.Is(err, io.EOF) || !yield(data, err) || err != nil {
				return
			}
		}
	}
}
