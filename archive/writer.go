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

// WriterOptions say what a Writer makes.
type WriterOptions struct {
	Kind       Kind            // Data if empty, or Trees
	Recipients []age.Recipient // who can open the packs; at least one

	PackSize int   // limit of a pack's padded plaintext, bytes; 16 MiB if 0
	Uploads  int   // parallel Puts of packs in memory; 2 if 0. The writer needs PackSize bytes for each, and once more
	Level    Level // of compression; by sample if 0
	// FrameSize is how many bytes of small chunks, those below half of it, fill a frame: at most a
	// quarter of a pack, and at most 8 MiB. Runs of AddRun have frames of up to 2 MiB, or an eighth
	// of a pack, if that is more. If 0, it is 512 KiB of data and 128 KiB of pages, or less in
	// small packs.
	FrameSize int

	// InFlight tells, each time, how many Puts the store is best used with now. Those beyond
	// Uploads are of packs in files without a name in the directory Spill. nil, or no directory, or
	// no room in it: there are none.
	InFlight func() int
	Spill    string

	// Stored is called once for each pack that the store has acknowledged. The slots of its chunks
	// know their places. Calls come from other goroutines, one at a time; the directory must not be
	// changed.
	Stored func(*Pack, *Directory)
}

// Writer turns chunks into packs. It may be used by several goroutines at once. Its memory is
// bounded: Add waits when the store is slower than the source. After the first failure every call
// returns it.
type Writer struct {
	store   store.Store
	o       WriterOptions
	ctx     context.Context // ends the uploads
	cancel  context.CancelCauseFunc
	stop    func() bool // forgets to clean up at the end of the caller's context
	groups  groups
	sampler sampler

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

// NewWriter makes a writer to s. When ctx ends, the writer fails and gives up its memory; so does
// Close.
func NewWriter(ctx context.Context, s store.Store, o WriterOptions) *Writer {
	o = o.withDefaults()
	ctx, cancel := context.WithCancelCause(ctx)
	w := &Writer{
		store: s, o: o, ctx: ctx, cancel: cancel,
		groups: groups{target: o.FrameSize},
		turn:   make(chan struct{}, 1),
		packs:  make(chan struct{}, o.Uploads+1),
		frames: make(chan []byte, runtime.GOMAXPROCS(0)+1),
		flying: make(map[*openPack]struct{}),
	}
	w.turn <- struct{}{}
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

// CheckPackSize tells what is wrong with a limit of packs, in bytes.
func CheckPackSize(n int) error {
	if n < 2*packFloor || n > largestPack {
		return fmt.Errorf("pack size of %d bytes is not within %d and %d", n, 2*packFloor, largestPack)
	}
	return nil
}

// Add compresses a chunk, whose slot knows its id, and puts it into a pack; data may be changed
// when it returns. group names the kind of content, such as a file's extension: small chunks of one
// group are compressed together. Where the chunk lies is known when its pack is full, or the writer
// is sealed or flushed: soon before the store acknowledges it.
func (w *Writer) Add(ctx context.Context, slot *Slot, data []byte, group string) error {
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

// AddRun adds chunks that lie one after the other in data, as Add adds each of them. Where they are
// enough, they share a frame with each other and not with what others add.
func (w *Writer) AddRun(ctx context.Context, slots []*Slot, data []byte, group string) error {
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

// cutFrame tells how many of a run's chunks share the next frame, and their bytes. More compress
// better; what closes a pack is smaller, so that it comes near to a size that padding knows.
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

// addTogether makes a frame of a run, or adds its chunks one by one if they would not fill one.
func (w *Writer) addTogether(ctx context.Context, slots []*Slot, data []byte, group string) error {
	if len(slots) > 1 && len(data) > w.o.FrameSize/4*3 {
		if err := w.failure(); err != nil {
			return err
		}
		return w.addFrame(ctx, group, data, slots)
	}
	for _, slot := range slots {
		n := slot.chunk.Length
		if err := w.Add(ctx, slot, data[:n], group); err != nil {
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

// addFrame compresses in the caller's goroutine; only the copy into the pack is done by one at a
// time.
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

// Takes tells whether a frame of so many stored and raw bytes is one as this writer makes: neither
// so small that its chunks had better share another with what else is added, nor too big for the
// packs.
func (w *Writer) Takes(stored, raw int) bool {
	return raw >= w.o.FrameSize/2 && stored <= w.o.PackSize/4
}

// AddFrame adds chunks as a frame in which they were stored already, all that lies in it, which the
// writer must take.
func (w *Writer) AddFrame(ctx context.Context, slots []*Slot, frame []byte) error {
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

// take waits for the turn to change the open pack.
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

// makeRoom sees to it that a frame fits the open pack, and waits for memory where a new one is
// needed. It needs the turn.
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

// Flush uploads all that was added before it was called and waits until the store has acknowledged
// it. The writer can go on after.
func (w *Writer) Flush(ctx context.Context) error {
	if err := w.closePack(ctx); err != nil {
		return err
	}
	return w.settle(ctx, func(p *openPack) <-chan struct{} { return p.done })
}

// Seal waits until all that was added before it was called has its place, and begins to upload it.
// Nothing may count on that place before a later Flush has succeeded.
func (w *Writer) Seal(ctx context.Context) error {
	if err := w.closePack(ctx); err != nil {
		return err
	}
	return w.settle(ctx, func(p *openPack) <-chan struct{} { return p.named })
}

// closePack sends everything off that was added.
func (w *Writer) closePack(ctx context.Context) error {
	if err := w.failure(); err != nil {
		return err
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

// Close ends the writer, waits for its goroutines and gives its memory back. What was not flushed
// is lost. It returns the first failure, if there was one before. Closing again does nothing.
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

// giveUp gives back the memory of a writer that has ended.
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

// fail notes the first failure, stops the uploads, and returns that failure.
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

// ended is the reason why the writer has ended: its first failure, or the end of its context.
func (w *Writer) ended() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = fmt.Errorf("write packs: %w", context.Cause(w.ctx))
	}
	return w.err
}
