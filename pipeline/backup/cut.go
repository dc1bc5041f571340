package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tripwire"
	"github.com/packstone/packstone/chunker"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/source"
)

// content is the chunk list of one file. pending[i] is not nil where chunks[i] has no place yet;
// pending is nil if all have.
type content struct {
	chunks  []archive.Chunk
	pending []*archive.Slot
	size    int64
	dense   bool // it does not compress, by its beginning
}

func (c *content) put(i int, chunk archive.Chunk, slot *archive.Slot) {
	if slot == nil {
		c.chunks[i] = chunk
		return
	}
	if c.pending == nil || len(c.pending) < len(c.chunks) {
		c.pending = append(c.pending, make([]*archive.Slot, len(c.chunks)-len(c.pending))...)
	}
	c.pending[i] = slot
}

// cutter turns the content of files into chunks. Each worker has one of its own.
type cutter struct {
	intake   *intake
	chunkers map[source.Class]*chunker.Chunker
	class    source.Class
	blocks   *blockPool
	buffer   []byte        // of this worker, for what fits at once
	lengths  []int         // of the chunks in it
	long     chan struct{} // holds a token for each long file that is being cut
	turn     bool          // this worker has one
	parallel int
	progress *pipeline.Progress
	counted  atomic.Int64 // bytes of this file that progress has
}

// tellRead counts bytes as they are read: a file may take long.
func (c *cutter) tellRead(n int) {
	c.counted.Add(int64(n))
	c.progress.BytesRead.Add(uint64(n))
	c.progress.BytesDone.Add(uint64(n))
}

// beginFile counts a file from its beginning, again if it is read again.
func (c *cutter) beginFile(again bool) {
	if n := c.counted.Swap(0); again {
		c.progress.BytesDone.Add(-uint64(n))
	}
}

const (
	// wholeFile is the size up to which a file is read at once, in one worker.
	wholeFile = 1 << 20
	// hugeFile is the size from which a file is not opened before it is its turn to be cut: who
	// waits holds a connection.
	hugeFile = 16 << 20
)

var sqliteMagic = []byte("SQLite format 3\x00")

// cut reads a file to its end.
func (c *cutter) cut(ctx context.Context, f io.Reader, name string) (content, error) {
	if c.buffer == nil {
		c.buffer = make([]byte, wholeFile+1)
	}
	n, err := io.ReadFull(f, c.buffer)
	switch {
	case err == io.EOF:
		return content{}, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return content{}, err
	}
	cut := c.cutWhole
	if err == nil {
		cut = func(ctx context.Context, head []byte, name string) (content, error) {
			return c.cutLong(ctx, f, head, name)
		}
	}
	dense := tripwire.Dense(c.buffer[:n])
	out, err := cut(ctx, c.buffer[:n], name)
	out.dense = dense
	return out, err
}

func (c *cutter) chunker(head []byte) *chunker.Chunker {
	if bytes.HasPrefix(head, sqliteMagic) {
		return c.chunkers[source.ClassPages]
	}
	return c.chunkers[c.class]
}

func (c *cutter) cutWhole(ctx context.Context, data []byte, name string) (content, error) {
	k, group := c.chunker(data), groupOf(name, data)
	out := content{size: int64(len(data))}
	c.tellRead(len(data))
	c.lengths = c.lengths[:0]
	for rest := data; len(rest) > 0; {
		n := k.Cut(rest, true)
		c.lengths = append(c.lengths, n)
		rest = rest[n:]
	}
	out.chunks = make([]archive.Chunk, len(c.lengths))
	err := c.intake.addRun(ctx, data, c.lengths, group, out.put)
	return out, err // in two steps, since addRun changes out
}

// groupOf names the kind of content: by the file's extension, or by a look at its beginning.
func groupOf(name string, head []byte) string {
	ext := strings.ToLower(path.Ext(name))
	if len(ext) > 1 && len(ext) <= 8 {
		return ext
	}
	if bytes.IndexByte(head[:min(len(head), 512)], 0) >= 0 {
		return "binary"
	}
	return "text"
}

// block is a piece of a long file whose chunks are worked on by several goroutines; it returns to
// the pool after the last.
type block struct {
	data []byte
	refs atomic.Int32
}

// blockPool bounds the memory of long files. take waits for a free block.
type blockPool struct {
	free chan *block
	size int
}

// longFiles are cut at once; each keeps all processors busy. blocks is what they share: at least
// two for each.
const (
	longFiles = 2
	blocks    = 2 * longFiles
)

// newBlockPool makes a pool for files whose chunks have up to largest bytes. A block holds several
// chunks of average size, so that little is copied from one to the next.
func newBlockPool(largest int) *blockPool {
	p := &blockPool{free: make(chan *block, blocks), size: max(largest+largest/2, wholeFile+largest)}
	for range blocks {
		p.free <- &block{}
	}
	return p
}

func (p *blockPool) take(ctx context.Context) (*block, error) {
	select {
	case b := <-p.free:
		if b.data == nil {
			b.data = make([]byte, p.size)
		}
		b.refs.Store(1)
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *blockPool) drop(b *block) {
	if b.refs.Add(-1) == 0 {
		p.free <- b
	}
}

// What is compressed together of a long file, bytes: pages are read back one by one where they have
// changed.
const (
	longStretch  = 2 << 20
	pagesStretch = 512 << 10
)

// longCut is the state of one long file.
type longCut struct {
	*cutter
	group *errgroup.Group
	ctx   context.Context
	kind  string
	mu    sync.Mutex
	out   content
	holes int64 // chunks of out that are
}

// cutLong reads and cuts a long file in this goroutine and hands its chunks to others. head is what
// was read already.
func (c *cutter) cutLong(ctx context.Context, f io.Reader, head []byte, name string) (content, error) {
	if !c.turn {
		if err := c.waitTurn(ctx); err != nil {
			return content{}, err
		}
		defer c.endTurn()
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.parallel)
	l := &longCut{cutter: c, group: g, ctx: gctx, kind: groupOf(name, head)}
	err := l.run(gctx, f, head)
	if waitErr := g.Wait(); waitErr != nil {
		return l.out, waitErr
	}
	if err != nil {
		return l.out, err
	}
	if len(l.out.pending) > 0 && len(l.out.pending) < len(l.out.chunks) {
		l.out.pending = append(l.out.pending, make([]*archive.Slot, len(l.out.chunks)-len(l.out.pending))...)
	}
	return l.out, nil
}

// waitTurn waits until fewer long files are cut than may be at once.
func (c *cutter) waitTurn(ctx context.Context) error {
	select {
	case c.long <- struct{}{}:
		c.turn = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *cutter) endTurn() {
	c.turn = false
	<-c.long
}

func (l *longCut) run(ctx context.Context, f io.Reader, head []byte) error {
	k := l.chunker(head)
	l.tellRead(len(head))
	rest := head // what the block before has left
	var before *block
	for end := false; !end; {
		b, err := l.blocks.take(ctx)
		if err != nil {
			return err
		}
		n := copy(b.data, rest)
		if before != nil {
			l.blocks.drop(before)
		}
		before = b
		m, err := io.ReadFull(f, b.data[n:])
		end = err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			l.blocks.drop(b)
			return err
		}
		l.tellRead(m)
		rest = l.dispatch(k, b, b.data[:n+m], end)
		if rest, err = l.skipHole(k, f, rest); err != nil {
			l.blocks.drop(b)
			return err
		}
	}
	l.blocks.drop(before)
	if len(rest) > 0 {
		return fmt.Errorf("cut a file: %d bytes left over", len(rest))
	}
	return nil
}

const (
	// leftOut is how many chunks of nothing but zeros that lie in a hole, one after the other, are
	// listed as a hole, and not read.
	leftOut = 4
	// longestHole is how much of a file one entry of its list may leave out, bytes; mostHoles is
	// how many of them a file may have, 4 PiB.
	longestHole = 1<<32 - 1<<20
	mostHoles   = 1 << 20
)

// skipHole leaves a hole out that comes next in the file, where whole chunks of it would be zeros
// alone. rest is what was read and not cut before it. It returns what is still to be cut.
func (l *longCut) skipHole(k *chunker.Chunker, f io.Reader, rest []byte) ([]byte, error) {
	sparse, ok := f.(source.Sparse)
	if !ok {
		return rest, nil
	}
	ahead, chunk := sparse.Zeros(), int64(k.Class().Max) // a run of zeros is always cut at the most
	hole := (int64(len(rest)) + ahead) / chunk * chunk
	if hole < leftOut*chunk || !chunker.AllZero(rest) {
		return rest, nil
	}
	sparse.Skip(hole - int64(len(rest)))
	return nil, l.addHole(hole)
}

// addHole lists zeros that are not stored.
func (l *longCut) addHole(length int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holes += length/longestHole + 1; l.holes > mostHoles {
		return fmt.Errorf("it has holes of more than %d bytes, which is more than a snapshot can have of one file", int64(mostHoles*longestHole))
	}
	l.out.size += length
	for ; length > 0; length -= longestHole {
		l.out.chunks = append(l.out.chunks, archive.Chunk{Length: uint32(min(length, longestHole))})
	}
	return nil
}

// stretch is some chunks of a long file that lie one after the other.
type stretch struct {
	first   int // number of the first one
	data    []byte
	lengths []int
}

// dispatch cuts data and gives the group a stretch at a time; it returns what needs more data to be
// cut.
func (l *longCut) dispatch(k *chunker.Chunker, b *block, data []byte, end bool) []byte {
	for {
		s := l.stretch(k, data, end)
		if len(s.lengths) == 0 {
			return data
		}
		data = data[len(s.data):]
		b.refs.Add(1)
		l.group.Go(func() error {
			defer l.blocks.drop(b)
			return l.take(s)
		})
	}
}

// stretch cuts the next chunks off data, for which it makes room in the list.
func (l *longCut) stretch(k *chunker.Chunker, data []byte, end bool) stretch {
	most := longStretch
	if k == l.chunkers[source.ClassPages] {
		most = pagesStretch
	}
	size, lengths := 0, make([]int, 0, 16)
	for size < most && size < len(data) {
		n := k.Cut(data[size:], end)
		if n == 0 {
			break
		}
		size, lengths = size+n, append(lengths, n)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := stretch{len(l.out.chunks), data[:size], lengths}
	l.out.chunks = append(l.out.chunks, make([]archive.Chunk, len(lengths))...)
	l.out.size += int64(size)
	return s
}

func (l *longCut) take(s stretch) error {
	return l.intake.addRun(l.ctx, s.data, s.lengths, l.kind, func(i int, chunk archive.Chunk, slot *archive.Slot) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.out.put(s.first+i, chunk, slot)
	})
}
