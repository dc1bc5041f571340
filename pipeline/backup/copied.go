package backup

import (
	"context"
	"fmt"
	"io"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/source"
)

// Original is a snapshot of another repository that a backup makes a copy of: all of its sources,
// each a Copied. What the snapshot says of itself is the original's word, as is what it missed.
type Original struct {
	*catalog.Snapshot
	// SameNames: its content is cut and named as this repository does it, so that it is taken chunk
	// by chunk. Else it is cut again.
	SameNames bool
	// Anew: it is one of the same repository, in an earlier domain, and the copy takes its place.
	Anew bool
}

// Copied is a Source whose Walk gives the nodes of a tree of another repository to a Copier.
type Copied interface {
	source.Source
	// Begin is called before Walk. since is what the last tree is a copy of; nil: of nothing. known
	// tells whether the repository has a chunk, for the goroutine of Walk; nil: its chunks have
	// other names.
	Begin(since *catalog.Origin, known func(ctx context.Context, id archive.ID) (bool, error))
}

// Copier is the Visitor of a Copied.
type Copier interface {
	source.Visitor
	// Copy takes a node that is no mark, in the order of Visit. same: what the last tree is a copy
	// of has it too. The content of a file is closed when it is not needed any more.
	Copy(n *tree.Node, same bool, content Content) error
}

// Content is what a file of another repository holds.
type Content interface {
	// Piece returns the bytes of chunk i of the node, which is no hole: good until the next call.
	// It is asked for in ascending order.
	Piece(ctx context.Context, i int) ([]byte, error)
	Close()
}

// ThereError says that a copy was made already: by another run, or by this one, which has not heard
// of it.
type ThereError struct{ Copy archive.Name }

// Error implements error.
func (e *ThereError) Error() string { return fmt.Sprintf("snapshot %s is its copy already", e.Copy) }

// isThere fails with a ThereError if the log of this session has the copy that is to be made.
func (b *backup) isThere(ctx context.Context) error {
	if b.o.Original == nil {
		return nil
	}
	if b.o.Original.Anew {
		made, err := b.session.Successor(ctx, b.o.Original.Snapshot)
		if err == nil && made != nil {
			err = &ThereError{made.ID}
		}
		return err
	}
	twins, err := b.repo.Twins(b.session.Log, b.o.Origin.Repository)
	if err != nil {
		return err
	}
	if rec := twins.Of(b.o.Original.ID); rec != nil {
		return &ThereError{rec.Hash}
	}
	return nil
}

// begin tells a source of another repository what there is here.
func (c *capture) begin() {
	copied, ok := c.source.(Copied)
	if !ok {
		return
	}
	var known func(context.Context, archive.ID) (bool, error)
	if c.o.Original.SameNames {
		known = func(ctx context.Context, id archive.ID) (bool, error) {
			_, there, err := c.intake.lookup(ctx, id)
			return there, err
		}
	}
	var since *catalog.Origin
	if c.last != nil {
		since = c.last.Origin
	}
	copied.Begin(since, known)
}

// Copy implements Copier.
func (v *visitor) Copy(n *tree.Node, same bool, content Content) error {
	if err := v.settleMark(n.Path); err != nil {
		return err
	}
	it, err := v.add(*n)
	if err != nil {
		return err
	}
	it.unknown, it.node.Unknown = n.Unknown, entry.Captured
	it.copied, it.same, it.content = true, same, content
	return v.dispatch(it)
}

// drop gives back the content of an item that is not read.
func (it *item) drop() {
	if it.content != nil {
		it.content.Close()
		it.content = nil
	}
}

// copyContent takes the content of a file of another repository. What keeps it from that ends the
// backup: a copy is whole.
func (c *capture) copyContent(ctx context.Context, k *cutter, it *item) error {
	defer it.drop()
	var out content
	var err error
	if c.o.Original.SameNames {
		out, err = c.takeChunks(ctx, it)
	} else {
		out, err = c.cutAgain(ctx, k, it)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && !isStorage(err):
		return fmt.Errorf("%s: %w: %w", it.node.Path, source.ErrFailed, err)
	case err != nil:
		return err
	case out.size != it.node.Size:
		return fmt.Errorf("%s has %d bytes, and %d came: %w: %w", it.node.Path, it.node.Size, out.size, source.ErrFailed, archive.ErrDamaged)
	}
	it.node.Chunks, it.pending = out.chunks, out.pending
	return nil
}

// cutAgain cuts the content of a file as any source's.
func (c *capture) cutAgain(ctx context.Context, k *cutter, it *item) (content, error) {
	if it.node.Size > hugeFile {
		if err := k.waitTurn(ctx); err != nil {
			return content{}, err
		}
		defer k.endTurn()
	}
	return k.cut(ctx, &joined{ctx: ctx, node: &it.node, content: it.content}, it.node.Path)
}

// joined reads the chunks of a node one after the other. It implements source.Sparse.
type joined struct {
	source.File // of which only Read is wanted
	ctx         context.Context
	node        *tree.Node
	content     Content
	next        int    // chunk that is not begun
	rest        []byte // of the one that is
	zeros       int64  // of the hole that is
}

// Read implements io.Reader.
func (j *joined) Read(p []byte) (int, error) {
	for len(j.rest) == 0 && j.zeros == 0 {
		if j.next == len(j.node.Chunks) {
			return 0, io.EOF
		}
		if err := j.advance(); err != nil {
			return 0, err
		}
	}
	if j.zeros > 0 {
		n := int(min(j.zeros, int64(len(p))))
		clear(p[:n])
		j.zeros -= int64(n)
		return n, nil
	}
	n := copy(p, j.rest)
	j.rest = j.rest[n:]
	return n, nil
}

func (j *joined) advance() (err error) {
	chunk := &j.node.Chunks[j.next]
	if chunk.IsHole() {
		j.zeros = int64(chunk.Length)
	} else if j.rest, err = j.content.Piece(j.ctx, j.next); err != nil {
		return err
	}
	j.next++
	return nil
}

// Zeros implements source.Sparse. Holes that follow each other are one.
func (j *joined) Zeros() int64 {
	for len(j.rest) == 0 && j.next < len(j.node.Chunks) && j.node.Chunks[j.next].IsHole() {
		j.zeros += int64(j.node.Chunks[j.next].Length)
		j.next++
	}
	if len(j.rest) > 0 {
		return 0
	}
	return j.zeros
}

// Skip implements source.Sparse.
func (j *joined) Skip(n int64) { j.zeros -= n }

// takeChunks takes a file's chunks as they are: those that the repository has cost a look-up, of
// the others the bytes come.
func (c *capture) takeChunks(ctx context.Context, it *item) (content, error) {
	n := &it.node
	out := content{chunks: make([]archive.Chunk, len(n.Chunks))}
	run := copyRun{in: c.intake, name: n.Path}
	for i := range n.Chunks {
		chunk := n.Chunks[i]
		out.size += int64(chunk.Length)
		if chunk.IsHole() {
			out.chunks[i] = chunk
			continue
		}
		found, slot, isNew, err := c.intake.find(ctx, chunk.ID, int(chunk.Length))
		if err != nil {
			return out, err
		}
		out.put(i, found, slot)
		if !isNew {
			continue
		}
		piece, err := it.content.Piece(ctx, i)
		if err != nil {
			return out, err
		}
		c.o.Progress.BytesRead.Add(uint64(len(piece)))
		if err := run.add(ctx, slot, piece); err != nil {
			return out, err
		}
	}
	return out, run.write(ctx)
}

// copyRun is new chunks of one file that are compressed together.
type copyRun struct {
	in    *intake
	name  string
	slots []*archive.Slot
	data  []byte
}

func (r *copyRun) add(ctx context.Context, slot *archive.Slot, piece []byte) error {
	r.slots, r.data = append(r.slots, slot), append(r.data, piece...)
	if len(r.data) < longStretch {
		return nil
	}
	return r.write(ctx)
}

func (r *copyRun) write(ctx context.Context) error {
	err := r.in.write(ctx, r.slots, r.data, groupOf(r.name, r.data))
	r.slots, r.data = r.slots[:0], r.data[:0]
	return err
}

// copyOf says of the trees that were made what the original says of its own; an error if they are
// not the same.
func (b *backup) copyOf(captures []*capture) (*catalog.Snapshot, error) {
	s := *b.o.Original.Snapshot
	if b.o.Original.Anew {
		s = *s.Anew()
	} else {
		s.Copied, s.Origin = true, b.o.Origin
	}
	s.Parent, s.Sources = "", nil
	if b.last != nil {
		s.Parent = b.last.Commit
	}
	for _, c := range captures {
		of, _ := b.o.Original.Source(c.job.Name)
		state := *of
		if was, is := state.Root, c.state.Root; was.Entries != is.Entries || was.Bytes != is.Bytes {
			return nil, fmt.Errorf("%s: its tree has %d entries of %d bytes, and the copy %d of %d: %w: %w",
				c.job.label(), was.Entries, was.Bytes, is.Entries, is.Bytes, source.ErrFailed, archive.ErrDamaged)
		}
		state.Root = c.state.Root
		s.Sources = append(s.Sources, state)
	}
	return &s, nil
}
