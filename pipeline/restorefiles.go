package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/target"
)

// restoring is a file on its way back. Its chunks come in any order, from several goroutines.
type restoring struct {
	node *tree.Node
	left int    // chunks that are still to come
	have []bool // chunks that the target had already; nil: none

	mu     sync.Mutex
	file   target.File
	failed error
}

func newRestoring(n *tree.Node) *restoring { return &restoring{node: n, left: len(n.Chunks)} }

// use is a chunk of a file and where it belongs in it.
type use struct {
	file   *restoring
	offset int64
}

// packJob is what a window needs of one pack.
type packJob struct {
	pack *archive.Pack
	want []archive.Chunk
	uses []use
}

// writeByPack fetches every pack of the window once and writes each chunk wherever it belongs.
func (r *restore) writeByPack(ctx context.Context, window []*restoring) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.parallel())
	for _, f := range window {
		if len(f.node.Chunks) == 0 {
			g.Go(func() error { return r.done(gctx, f, r.commit(gctx, f)) })
		}
	}
	for _, job := range planByPack(window) {
		g.Go(func() error { return r.runJob(gctx, job) })
	}
	return dropUnlessDone(window, g.Wait())
}

// dropUnlessDone leaves nothing half-written behind where a window ended early.
func dropUnlessDone(window []*restoring, err error) error {
	if err == nil {
		return nil
	}
	for _, f := range window {
		f.mu.Lock()
		if f.file != nil {
			f.file.Abort()
			f.file = nil
		}
		f.mu.Unlock()
	}
	return err
}

func (r *restore) parallel() int {
	if r.o.Parallel > 0 {
		return r.o.Parallel
	}
	return 4
}

// planByPack sorts the chunks of files by their packs, in the order in which packs are first needed.
func planByPack(window []*restoring) []*packJob {
	byPack := map[archive.Name]*packJob{}
	var jobs []*packJob
	for _, f := range window {
		offset := int64(0)
		for i, c := range f.node.Chunks {
			if f.have != nil && (f.have[i] || f.failed != nil) {
				offset += int64(c.Length)
				continue
			}
			var name archive.Name
			if c.Place.Pack != nil {
				name = c.Place.Pack.Name
			}
			job := byPack[name]
			if job == nil {
				job = &packJob{pack: c.Place.Pack}
				byPack[name] = job
				jobs = append(jobs, job)
			}
			job.want = append(job.want, c)
			job.uses = append(job.uses, use{f, offset})
			offset += int64(c.Length)
		}
	}
	return jobs
}

// runJob writes all chunks of a job. A chunk that no place gives fails its file alone.
func (r *restore) runJob(ctx context.Context, job *packJob) error {
	missing, err := r.fetch.Fetch(ctx, job.pack, job.want, func(i int, data []byte) error {
		u := job.uses[i]
		return r.done(ctx, u.file, r.write(ctx, u.file, u.offset, data))
	})
	if err != nil {
		return err
	}
	for _, m := range missing {
		if err := r.done(ctx, job.uses[m.Index].file, m.Err); err != nil {
			return err
		}
	}
	return nil
}

// done handles the outcome of a step: the first failure of a file is told, and the file dropped.
func (r *restore) done(ctx context.Context, f *restoring, err error) error {
	if err == nil {
		return nil
	}
	f.mu.Lock()
	first := f.failed == nil
	f.failed = err
	if f.file != nil {
		f.file.Abort()
		f.file = nil
	}
	f.mu.Unlock()
	if !first {
		return nil
	}
	return r.problem(f.node.Path, err)
}

// write puts one chunk into its file, and completes the file with its last.
func (r *restore) write(ctx context.Context, f *restoring, offset int64, data []byte) error {
	file, err := r.open(ctx, f)
	if file == nil || err != nil {
		return err
	}
	if err := writeData(file, data, offset, f.node.Extents); err != nil {
		return err
	}
	r.o.Progress.BytesDone.Add(uint64(len(data)))
	f.mu.Lock()
	f.left--
	last := f.left == 0
	f.mu.Unlock()
	if !last {
		return nil
	}
	return r.commit(ctx, f)
}

// open returns the file that f is written to; nil if f has failed already.
func (r *restore) open(ctx context.Context, f *restoring) (target.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil || f.file != nil {
		return f.file, nil
	}
	file, err := r.target.Create(ctx, &f.node.Entry)
	f.file = file
	return file, err
}

// commit gives a file whose content is there its name.
func (r *restore) commit(ctx context.Context, f *restoring) error {
	file, err := r.open(ctx, f)
	if file == nil || err != nil {
		return err
	}
	if err := file.Commit(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	f.file = nil
	f.mu.Unlock()
	if r.o.Verify {
		if err := r.verify(ctx, f.node); err != nil {
			return err
		}
	}
	r.o.Progress.FilesDone.Add(1)
	r.o.Progress.setCurrent(f.node.Path)
	r.count(ActionRestore, f.node)
	return nil
}

// writeData writes data at offset, but leaves holes what the extents of a sparse file leave out. nil extents: all is data.
func writeData(f target.File, data []byte, offset int64, extents []entry.Extent) error {
	if extents == nil {
		_, err := f.WriteAt(data, offset)
		return err
	}
	end := offset + int64(len(data))
	for _, x := range extents {
		from, to := max(offset, x.Offset), min(end, x.Offset+x.Length)
		if from >= to {
			continue
		}
		if _, err := f.WriteAt(data[from-offset:to-offset], from); err != nil {
			return err
		}
	}
	return nil
}

// batchBytes bounds what is fetched ahead of a file that is written in order.
const batchBytes = 8 << 20

// writeInOrder writes files from start to end, as targets need that are streams.
func (r *restore) writeInOrder(ctx context.Context, window []*restoring) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, r.traits.Parallel))
	for _, f := range window {
		g.Go(func() error { return r.done(gctx, f, r.stream(gctx, f)) })
	}
	return dropUnlessDone(window, g.Wait())
}

func (r *restore) stream(ctx context.Context, f *restoring) error {
	chunks, offset := f.node.Chunks, int64(0)
	if len(chunks) == 0 {
		return r.commit(ctx, f)
	}
	for len(chunks) > 0 {
		n := batchLength(chunks)
		batch, err := r.fetch.Gather(ctx, chunks[:n])
		if err != nil {
			return err
		}
		for _, data := range batch {
			if err := r.write(ctx, f, offset, data); err != nil {
				return err
			}
			offset += int64(len(data))
		}
		chunks = chunks[n:]
	}
	return nil
}

// batchLength is how many chunks come to about batchBytes, one at least.
func batchLength(chunks []archive.Chunk) int {
	size := 0
	for i, c := range chunks {
		size += int(c.Length)
		if size > batchBytes && i > 0 {
			return i
		}
	}
	return len(chunks)
}

// Missing is a chunk that no place has given.
type Missing struct {
	Index int // in the list of what was wanted
	Err   error
}

// Fetcher gets chunks wherever they are: at the place that is told, or where the index, or else a pack's own directory, has
// them. Safe for concurrent use.
type Fetcher struct {
	Reader *archive.Reader
	// IDs names chunks of data. Without it nothing that was written can be verified.
	IDs *crypto.IDKey
	// Index is asked for when a place proves wrong. It may be nil.
	Index func(ctx context.Context) (*index.Index, error)
	// Directories is asked for when the index does not help: it finds where chunks lie from the packs themselves. It may be nil.
	Directories func(ctx context.Context) (*index.Index, error)
	// Warn is told of places that were wrong. It may be nil.
	Warn func(err error)
}

// Fetch gets chunks of one pack, and those that are not there from elsewhere. each is called by one goroutine at a time, once
// for every chunk that comes; the others are returned. An error is one of each, or of ctx.
func (f *Fetcher) Fetch(ctx context.Context, p *archive.Pack, want []archive.Chunk, each func(i int, data []byte) error) ([]Missing, error) {
	came := make([]bool, len(want))
	var stop error
	err := archive.ErrDamaged
	if p != nil {
		err = f.Reader.Fetch(ctx, p, want, func(i int, data []byte) error {
			came[i] = true
			stop = each(i, data)
			return stop
		})
	}
	if err == nil || stop != nil {
		return nil, stop
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, store.ErrUnreachable) {
		return nil, err
	}
	if f.Warn != nil {
		f.Warn(err)
	}
	return f.elsewhere(ctx, want, came, err, each)
}

// elsewhere looks for what did not come.
func (f *Fetcher) elsewhere(ctx context.Context, want []archive.Chunk, came []bool, cause error, each func(i int, data []byte) error) ([]Missing, error) {
	var missing []Missing
	for i, c := range want {
		if came[i] {
			continue
		}
		var stop error
		err := f.another(ctx, c, func(data []byte) error {
			stop = each(i, data)
			return stop
		})
		if stop != nil {
			return nil, stop
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			missing = append(missing, Missing{i, fmt.Errorf("chunk %s: %w", c.ID, cause)})
		}
	}
	return missing, nil
}

// another gets one chunk from a place that the index knows and that is not the one that was wrong.
func (f *Fetcher) another(ctx context.Context, c archive.Chunk, take func([]byte) error) error {
	err := archive.ErrDamaged
	for _, find := range []func(context.Context) (*index.Index, error){f.Index, f.Directories} {
		if find == nil {
			continue
		}
		index, indexErr := find(ctx)
		if indexErr != nil {
			err = indexErr
			continue
		}
		places, placesErr := index.Places(ctx, c.ID)
		if placesErr != nil {
			err = placesErr
			continue
		}
		if err = f.anyOf(ctx, c, places, take); err == nil {
			return nil
		}
	}
	return err
}

// anyOf gets one chunk from the first of places that is right.
func (f *Fetcher) anyOf(ctx context.Context, c archive.Chunk, places []archive.Chunk, take func([]byte) error) error {
	for _, other := range places {
		if c.Place.Pack != nil && other.Place.Pack.Name == c.Place.Pack.Name && other.Place.Ordinal == c.Place.Ordinal {
			continue
		}
		err := f.Reader.Fetch(ctx, other.Place.Pack, []archive.Chunk{other}, func(_ int, data []byte) error { return take(data) })
		if err == nil {
			return nil
		}
	}
	return archive.ErrDamaged
}

// Gather gets a few chunks of any packs into memory, in their order.
func (f *Fetcher) Gather(ctx context.Context, want []archive.Chunk) ([][]byte, error) {
	out := make([][]byte, len(want))
	for start := 0; start < len(want); {
		end := start + 1
		for end < len(want) && want[end].Place.Pack == want[start].Place.Pack {
			end++
		}
		missing, err := f.Fetch(ctx, want[start].Place.Pack, want[start:end], func(i int, data []byte) error {
			out[start+i] = append([]byte(nil), data...)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(missing) > 0 {
			return nil, missing[0].Err
		}
		start = end
	}
	return out, nil
}
