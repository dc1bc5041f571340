package archive

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

const (
	defaultPack = 16 << 20
	largestPack = 128 << 20
	defaultPuts = 2
	dataFrame   = 512 << 10 // bytes of small chunks that fill a frame
	longFrame   = 2 << 20   // most bytes of a run in a frame
	treeFrame   = 128 << 10 // eight pages
)

// WriterOptions configure a Writer.
type WriterOptions struct {
	Kind       Kind            // Data if empty, or Trees
	Recipients []age.Recipient // who can open the packs; at least one

	PackSize int   // limit of a pack's padded plaintext, bytes; 16 MiB if 0
	Uploads  int   // parallel Puts of packs in memory; 2 if 0. The writer needs PackSize bytes for each, and once more
	Level    Level // of compression; by sample if 0
	// FrameSize is how many bytes of small chunks fill a frame; a chunk is small below half of it.
	// It is at most a quarter of PackSize, and at most 8 MiB. Frames of AddRun have up to 2 MiB, or
	// an eighth of PackSize if that is more. If FrameSize is 0, it is 512 KiB for data and 128 KiB
	// for tree pages, or less in small packs.
	FrameSize int

	// InFlight returns how many Puts at once suit the store best at the moment. Puts beyond Uploads
	// are of packs that wait in unnamed files in the directory Spill. If InFlight is nil, or Spill
	// is empty or full, there are none beyond Uploads.
	InFlight func() int
	Spill    string

	// Stored is called once for each pack that the store has acknowledged, when the slots of its
	// chunks know their places. Calls come from other goroutines, one at a time. Stored must not
	// change the directory.
	Stored func(*Pack, *Directory)
}

// Writer turns chunks into packs. It is safe for concurrent use. Its memory is bounded: Add waits
// when the store is slower than the source. After the first failure every call returns that
// failure.
type Writer struct {
	store   store.Store
	o       WriterOptions
	ctx     context.Context // ends the uploads
	cancel  context.CancelCauseFunc
	stop    func() bool // forgets to clean up at the end of the caller's context
	groups  groups
	sampler sampler

	adding  underway
	closing chan struct{} // holds a token while no one closes the open groups
	turn    chan struct{} // holds a token while no one lays a frame into the open pack
	open    *openPack     // whoever has the token
	filled  atomic.Int64  // bytes of the open pack's plaintext
	packs   chan struct{} // a token for each pack in memory
	frames  chan []byte   // buffers for frames that are being compressed, or wait for their turn
	telling sync.Mutex    // around Stored
	onDisk  tally         // packs that lie in files

	mu     sync.Mutex
	err    error    // the first failure
	spare  [][]byte // memory of packs that are stored
	flying map[*openPack]struct{}
}

// NewWriter makes a writer to s. It fails and frees its memory when ctx ends, and on Close.
func NewWriter(ctx context.Context, s store.Store, o WriterOptions) *Writer {
	o = o.withDefaults()
	ctx, cancel := context.WithCancelCause(ctx)
	w := &Writer{
		store: s, o: o, ctx: ctx, cancel: cancel,
		groups: groups{target: o.FrameSize},
		turn:   make(chan struct{}, 1), closing: make(chan struct{}, 1),
		packs:  make(chan struct{}, o.Uploads+1),
		frames: make(chan []byte, runtime.GOMAXPROCS(0)+1),
		flying: make(map[*openPack]struct{}),
	}
	w.turn <- struct{}{}
	w.closing <- struct{}{}
	for range cap(w.frames) {
		w.frames <- nil
	}
	if err := o.check(); err != nil {
		w.fail(err)
	}
	w.stop = context.AfterFunc(ctx, w.giveUp)
	return w
}

func (o WriterOptions) withDefaults() WriterOptions {
	if o.Kind == "" {
		o.Kind = Data
	}
	if o.PackSize == 0 {
		o.PackSize = defaultPack
	}
	if o.Uploads <= 0 {
		o.Uploads = defaultPuts
	}
	if o.FrameSize <= 0 {
		o.FrameSize = dataFrame
		if o.Kind == Trees {
			o.FrameSize = treeFrame
		}
		o.FrameSize = min(o.FrameSize, o.PackSize/4)
	}
	return o
}

func (o *WriterOptions) check() error {
	if o.Kind.code() == 0 {
		return fmt.Errorf("write packs: %q is no kind of pack", o.Kind)
	}
	if err := CheckPackSize(o.PackSize); err != nil {
		return fmt.Errorf("write packs: %w", err)
	}
	if most := min(MaxChunk/2, o.PackSize/4); o.FrameSize > most {
		return fmt.Errorf("write packs: frame size of %d bytes is above %d", o.FrameSize, most)
	}
	if o.Level < LevelAuto || o.Level > LevelBest {
		return fmt.Errorf("write packs: there is no level %d", o.Level)
	}
	if err := crypto.CheckRecipients(o.Recipients); err != nil {
		return fmt.Errorf("write packs: %w", err)
	}
	return nil
}

// CheckPackSize returns an error unless packs may have this limit, in bytes.
func CheckPackSize(n int) error {
	if n < 2*packFloor || n > largestPack {
		return fmt.Errorf("pack size of %d bytes is not within %d and %d", n, 2*packFloor, largestPack)
	}
	return nil
}

// Add compresses a chunk and puts it into a pack. The slot must have the chunk's id; the caller may
// change data when Add returns. group names the kind of content, such as a file's extension: small
// chunks of one group are compressed together. The slot knows its place when the pack is full, or
// after Seal or Flush: shortly before the store acknowledges the pack.
func (w *Writer) Add(ctx context.Context, slot *Slot, data []byte, group string) error {
	defer w.adding.begin().Done()
	return w.add(ctx, slot, data, group)
}

func (w *Writer) add(ctx context.Context, slot *Slot, data []byte, group string) error {
	if err := w.failure(); err != nil {
		return err
	}
	if len(data) == 0 || len(data) > MaxChunk || uint32(len(data)) != slot.chunk.Length {
		return fmt.Errorf("add chunk %s: %d bytes, slot of %d", slot.ID(), len(data), slot.chunk.Length)
	}
	if len(data) >= w.o.FrameSize/2 {
		return w.addFrame(ctx, group, data, []*Slot{slot})
	}
	full, evicted := w.groups.add(group, slot, data)
	if err := w.addGroup(ctx, evicted); err != nil {
		return err
	}
	return w.addGroup(ctx, full)
}

// AddRun adds chunks that lie one after the other in data, as Add would. If they are enough to fill
// a frame, they share it with each other and with no other chunks.
func (w *Writer) AddRun(ctx context.Context, slots []*Slot, data []byte, group string) error {
	defer w.adding.begin().Done()
	total := 0
	for _, slot := range slots {
		total += int(slot.chunk.Length)
	}
	if total != len(data) {
		return fmt.Errorf("add %d chunks: %d bytes, slots of %d", len(slots), len(data), total)
	}
	for len(slots) > 0 {
		n, size := w.cutFrame(slots)
		if err := w.addTogether(ctx, slots[:n], data[:size], group); err != nil {
			return err
		}
		slots, data = slots[n:], data[size:]
	}
	return nil
}

// cutFrame returns how many chunks of a run go into the next frame, and their bytes. Larger frames
// compress better. Near the end of a pack frames are smaller, so that the pack comes close to a
// size that padding allows.
func (w *Writer) cutFrame(slots []*Slot) (chunks, size int) {
	most := max(w.o.FrameSize, min(longFrame, w.o.PackSize/8))
	if w.filled.Load() > int64(w.o.PackSize)/4*3 {
		most = w.o.FrameSize
	}
	for _, slot := range slots {
		n := int(slot.chunk.Length)
		if chunks > 0 && size+n > most {
			break
		}
		chunks, size = chunks+1, size+n
	}
	return chunks, size
}

// addTogether makes a frame of a run, or adds its chunks one by one if they do not fill a frame.
func (w *Writer) addTogether(ctx context.Context, slots []*Slot, data []byte, group string) error {
	if len(slots) > 1 && len(data) > w.o.FrameSize/4*3 {
		if err := w.failure(); err != nil {
			return err
		}
		return w.addFrame(ctx, group, data, slots)
	}
	for _, slot := range slots {
		n := slot.chunk.Length
		if err := w.add(ctx, slot, data[:n], group); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (w *Writer) addGroup(ctx context.Context, g *group) error {
	if g == nil {
		return nil
	}
	defer w.groups.recycle(g)
	return w.addFrame(ctx, g.kind, g.raw, g.slots)
}

// addFrame compresses in the caller's goroutine. Only copying into the pack is done by one
// goroutine at a time.
func (w *Writer) addFrame(ctx context.Context, kind string, raw []byte, slots []*Slot) error {
	var buffer []byte
	select {
	case buffer = <-w.frames:
	case <-ctx.Done():
		return w.fail(fmt.Errorf("write packs: %w", context.Cause(ctx)))
	}
	frame := w.compress(kind, raw, buffer[:0])
	defer func() { w.frames <- frame }()
	return w.lay(ctx, frame, slots)
}

// Takes reports whether a frame of this many stored and raw bytes is like those that this writer
// makes: large enough that its chunks need not share another frame, and small enough for the packs.
func (w *Writer) Takes(stored, raw int) bool {
	return raw >= w.o.FrameSize/2 && stored <= w.o.PackSize/4
}

// AddFrame adds a frame that is stored already, as it is. The slots are those of all chunks in it.
// Takes must allow the frame.
func (w *Writer) AddFrame(ctx context.Context, slots []*Slot, frame []byte) error {
	defer w.adding.begin().Done()
	if err := w.failure(); err != nil {
		return err
	}
	return w.lay(ctx, frame, slots)
}

// lay copies a frame into the open pack.
func (w *Writer) lay(ctx context.Context, frame []byte, slots []*Slot) error {
	if err := w.take(ctx); err != nil {
		return w.fail(err)
	}
	defer w.give()
	if err := w.makeRoom(ctx, len(frame), len(slots)); err != nil {
		return w.fail(err)
	}
	w.open.addFrame(frame, slots)
	w.filled.Store(w.open.size)
	return nil
}

// compress appends a frame to buffer.
func (w *Writer) compress(kind string, raw, buffer []byte) []byte {
	if w.o.Level != LevelAuto {
		return encoder(w.o.Level).EncodeAll(raw, buffer)
	}
	level := w.sampler.level(kind, raw)
	frame := encoder(level).EncodeAll(raw, buffer)
	if level == LevelFastest && len(frame) > len(raw)-len(raw)/16 {
		return w.sampler.harder(kind, frame, raw)
	}
	return frame
}

// take waits until the caller may change the open pack.
func (w *Writer) take(ctx context.Context) error {
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("write packs: %w", context.Cause(ctx))
	case <-w.ctx.Done():
		return w.ended()
	}
}

func (w *Writer) give() { w.turn <- struct{}{} }

// makeRoom ensures that a frame fits the open pack, and waits for memory if that needs a new pack.
// The caller must hold the turn.
func (w *Writer) makeRoom(ctx context.Context, stored, chunks int) error {
	if w.open != nil && w.open.takes(stored, chunks) {
		return nil
	}
	if err := w.ship(); err != nil {
		return err
	}
	select {
	case w.packs <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("write packs: %w", context.Cause(ctx))
	case <-w.ctx.Done():
		return w.ended()
	}
	pack, err := w.newPack()
	if err == nil && !pack.fits(stored, chunks) {
		err = fmt.Errorf("write packs: a frame of %d bytes does not fit a pack of %d", stored, w.o.PackSize)
	}
	if err != nil {
		<-w.packs
		return err
	}
	w.open = pack
	return nil
}

func (w *Writer) newPack() (*openPack, error) {
	buffer, err := w.takeBuffer()
	if err != nil {
		return nil, err
	}
	return &openPack{buffer: buffer, limit: int64(w.o.PackSize), named: make(chan struct{}), done: make(chan struct{})}, nil
}

func (w *Writer) takeBuffer() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := len(w.spare) - 1; last >= 0 {
		buffer := w.spare[last]
		w.spare = w.spare[:last]
		return buffer, nil
	}
	return buffers.take(bufferSize(int64(w.o.PackSize)))
}

// Flush uploads everything added before the call, and waits until the store has acknowledged it.
// The writer can be used afterwards.
func (w *Writer) Flush(ctx context.Context) error {
	if err := w.closePack(ctx); err != nil {
		return err
	}
	return w.settle(ctx, func(p *openPack) <-chan struct{} { return p.done })
}

// Seal waits until everything added before the call has its place, and begins to upload it. Nobody
// may rely on these places until a later Flush has succeeded.
func (w *Writer) Seal(ctx context.Context) error {
	if err := w.closePack(ctx); err != nil {
		return err
	}
	return w.settle(ctx, func(p *openPack) <-chan struct{} { return p.named })
}

// closePack writes all open groups and sends off the open pack. What others have taken out of the
// open groups, and not laid into the pack yet, is waited for.
func (w *Writer) closePack(ctx context.Context) error {
	if err := w.failure(); err != nil {
		return err
	}
	select {
	case <-w.closing:
		defer func() { w.closing <- struct{}{} }()
	case <-ctx.Done():
		return fmt.Errorf("write packs: %w", context.Cause(ctx))
	}
	if err := w.adding.wait(ctx); err != nil {
		return fmt.Errorf("write packs: %w", err)
	}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, member := range w.groups.takeAll() {
		g.Go(func() error { return w.addGroup(inner, member) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	return w.ship()
}

// Close ends the writer, waits for its goroutines and frees its memory. What was not flushed is
// lost. Close returns the writer's first failure, if any. Closing again does nothing.
func (w *Writer) Close() error {
	err := w.failure()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	w.fail(ErrClosed)
	w.stop()
	w.giveUp()
	_ = w.settle(context.Background(), func(p *openPack) <-chan struct{} { return p.done })
	return err
}

// giveUp frees the memory of a writer that has ended.
func (w *Writer) giveUp() {
	<-w.turn
	defer w.give()
	if w.open != nil {
		w.drop(w.open)
		w.open = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, buffer := range w.spare {
		buffers.put(buffer)
	}
	w.spare = nil
}

// fail records the first failure, stops the uploads, and returns that failure.
func (w *Writer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
		w.cancel(err)
	}
	return w.err
}

func (w *Writer) failure() error {
	if w.ctx.Err() != nil {
		return w.ended()
	}
	return nil
}

// ended returns the reason why the writer has ended: its first failure, or the end of its context.
func (w *Writer) ended() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = fmt.Errorf("write packs: %w", context.Cause(w.ctx))
	}
	return w.err
}
