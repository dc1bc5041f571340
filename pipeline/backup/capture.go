package backup

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/catalog/tripwire"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/source"
)

// capture is one source on its way into a tree. The walk compares each entry with the last tree;
// what is new or has changed is read by workers; a collector puts everything into the new tree in
// the order of the walk.
type capture struct {
	*backup
	job    *Job
	source source.Source
	tree   *tree.Writer
	merge  *tree.Merger
	state  catalog.SourceState
	seen   tripwire.Seen

	group   *batch // that the walk is filling
	ordered chan *batch
	work    chan task
	links   map[fileKey]*shared
	blocks  *blockPool
	relied  *archive.Pack // the last that relyOn has noted

	unfinished *catalog.Unfinished // of a source that is slow to read; else nil

	mu sync.Mutex // around state.Coverage and seen
}

// item is one entry of the walk and what became of it.
type item struct {
	node    tree.Node
	pending []*archive.Slot
	step    tree.Step    // what the last tree has
	keep    bool         // as the last tree has it
	moved   bool         // but for the number of its device, which names of one file must agree in, or for what is unknown in it
	skip    error        // could not be read: left out, and marked
	unknown entry.Reason // a directory: why what is in it is not all known; anything else: it is a mark
	shared  *shared      // a file with several names
	first   bool         // this is the first of them
	dense   bool         // its content was read and does not compress
	read    bool

	counted int64 // bytes of its content that progress has
	told    bool  // progress has counted the file
	listed  int64 // bytes that the walk has found

	captured int64 // when an interrupted run has captured it; 0: it has not

	copied  bool    // it is of another repository, and
	same    bool    // what the last tree is a copy of has it too
	content Content // of a file, until it is not needed any more
}

// fileKey tells files of a source apart, whatever their names.
type fileKey struct{ device, inode uint64 }

// shared is what became of the first name of a file, for its other names.
type shared struct {
	listed  entry.Entry // the first name as the walk found it
	node    tree.Node
	pending []*archive.Slot
	skip    error
	names   uint32 // so far
}

// batch is a piece of the walk. Its items are complete when done is closed.
type batch struct {
	items []item
	open  atomic.Int32 // items that are being read, and one more while the walk adds to it
	done  chan struct{}
}

func newBatch() *batch {
	b := &batch{done: make(chan struct{})}
	b.open.Store(1)
	return b
}

func (b *batch) finish() {
	if b.open.Add(-1) == 0 {
		close(b.done)
	}
}

type task struct {
	item  *item
	batch *batch
}

const (
	batchItems = 256
	slowItems  = 32 // of a source of which what was captured is remembered: the fewer, the sooner
	batches    = 16 // between the walk and the collector
)

func (c *capture) batchItems() int {
	if c.unfinished != nil {
		return slowItems
	}
	return batchItems
}

// capture walks one source to its end. Its tree is complete when all data is flushed.
func (b *backup) capture(ctx context.Context, job *Job) (*capture, error) {
	src, err := job.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	c := &capture{
		backup: b, job: job, source: src,
		ordered: make(chan *batch, batches), work: make(chan task, batchItems), links: map[fileKey]*shared{},
		blocks: newBlockPool(b.largestChunk(src.Class())),
		seen:   tripwire.Seen{Name: job.Name, Location: job.Location, Kind: kindOf(job.Type)},
		state:  catalog.SourceState{Name: job.Name, Type: job.Type, Location: job.Location, Paths: job.Paths, Marks: true, Moment: time.Now().UTC()},
	}
	if excluding, ok := src.(source.Excluding); ok {
		c.state.Excludes = excluding.Excludes()
	}
	last := c.openTrees(ctx)
	c.seen.Compared = last != nil
	c.o.Progress.BeginWalk(c.last.Size(job.Name, job.Location))
	defer c.merge.Close()
	c.openUnfinished()
	c.begin()
	if incremental, ok := src.(source.Incremental); ok && last != nil {
		incremental.Previous(c.lookup(c.openLast(ctx, &tree.Cache{})))
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.walk(gctx) })
	for range c.workers() {
		g.Go(func() error { return c.worker(gctx) })
	}
	g.Go(func() error { return c.collect(gctx) })
	err = g.Wait()
	c.advise()
	if dated, ok := src.(source.Dated); ok && err == nil {
		c.state.Moment = dated.Moment()
	}
	if counting, ok := src.(source.Counting); ok && err == nil {
		c.state.Coverage.Rows = counting.Rows()
	}
	c.state.Finished = time.Now().UTC()
	return c, err
}

// workers are as many as there is work for processors, or as a network wants.
func (c *capture) workers() int {
	if distant, ok := c.source.(source.Distant); ok {
		return max(c.o.Concurrency, distant.Readers())
	}
	return c.o.Concurrency
}

// advise passes on what the source has to say about the run.
func (c *capture) advise() {
	advising, ok := c.source.(source.Advising)
	if !ok || c.o.Advice == nil {
		return
	}
	for _, text := range advising.Advice() {
		c.o.Advice(text)
	}
}

// lookup finds entries of the last tree whose content can be taken over.
func (c *capture) lookup(last *tree.Tree) source.Lookup {
	return func(ctx context.Context, path string) (*entry.Entry, error) {
		node, err := last.Lookup(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range node.Chunks {
			if pack := node.Chunks[i].Place.Pack; pack != nil && c.unreliable(ctx, pack) {
				return nil, nil
			}
		}
		return &node.Clone().Entry, nil
	}
}

// openLast opens the last tree of the source, nil if there is none. A cache makes it fast to look
// up many entries.
func (c *capture) openLast(ctx context.Context, cache *tree.Cache) *tree.Tree {
	root, ok := c.last.Root(c.job.Name, c.job.Location)
	if !ok {
		return nil
	}
	unusable := func(p *archive.Pack) bool { return c.unreliable(ctx, p) }
	return tree.Open(root, c.loadPages(), tree.OpenOptions{Unusable: unusable, Cache: cache})
}

// openTrees opens the last tree of the source, nil if there is none, and the new one.
func (c *capture) openTrees(ctx context.Context) (last *tree.Tree) {
	last = c.openLast(ctx, nil)
	c.merge = last.Merge()
	if c.o.DryRun {
		return
	}
	domain := c.session.Domain()
	ids := domain.TreeID()
	c.tree = tree.NewWriter(last, tree.WriterOptions{
		Key:    domain.PageKey(),
		ID:     func(page []byte) archive.ID { return ids.Sum(page) },
		Seal:   c.trees.Seal,
		Flush:  c.trees.Flush,
		Settle: c.data.Seal,
		Store: func(ctx context.Context, slot *archive.Slot, page []byte) error {
			if err := c.pages.Keep(slot.ID(), page); err != nil {
				return err
			}
			known, ok, err := c.index.Lookup(ctx, slot.ID())
			if err != nil {
				return err
			}
			if ok {
				slot.Seal(known.Place)
				return nil
			}
			return c.trees.Add(ctx, slot, page, "page")
		},
	})
	return last
}

// walk compares the source with the last tree and hands out what must be read.
func (c *capture) walk(ctx context.Context) error {
	defer close(c.work)
	defer close(c.ordered)
	c.group = newBatch()
	v := &visitor{capture: c, ctx: ctx}
	if err := c.source.Walk(ctx, v); err != nil {
		return err
	}
	c.o.Progress.EndWalk()
	if c.unfinished != nil {
		c.unfinished.Exhaust()
	}
	return v.end()
}

type visitor struct {
	*capture
	ctx    context.Context
	last   *item      // that was visited last; what is learnt of it later is noted in it, so it is not sent before the next one
	mark   *tree.Node // not put in its place before it is clear that its path is not visited
	failed error      // where nobody could be told
}

// Visit implements source.Visitor.
func (v *visitor) Visit(e *entry.Entry) error {
	if err := v.settleMark(e.Path); err != nil {
		return err
	}
	it, err := v.add(tree.Node{Entry: *e})
	if err != nil {
		return err
	}
	it.unknown, it.node.Unknown = e.Unknown, entry.Captured
	return v.dispatch(it)
}

// add makes room for an item.
func (v *visitor) add(n tree.Node) (*item, error) {
	if len(v.group.items) == v.batchItems() {
		if err := v.send(); err != nil {
			return nil, err
		}
	}
	if v.group.items == nil {
		v.group.items = make([]item, 0, v.batchItems())
	}
	v.group.items = append(v.group.items, item{node: n})
	v.last = &v.group.items[len(v.group.items)-1]
	return v.last, nil
}

// Problem implements source.Visitor.
func (v *visitor) Problem(path string, err error) {
	v.missed(path, err)
	v.Leave(path, entry.Unreadable)
}

// Leave implements source.Witness. A mark out of order is of a source that has no paths.
func (v *visitor) Leave(path string, why entry.Reason) {
	last := v.last
	if last != nil && last.node.Path == path {
		if last.node.Type == entry.Directory {
			last.unknown = why
		}
		return
	}
	if err := v.settleMark(path); err != nil {
		v.failed = err
		return
	}
	if v.last == nil || entry.ComparePaths(v.last.node.Path, path) < 0 {
		v.mark = &tree.Node{Entry: entry.Entry{Path: path, Type: entry.File, Unknown: why}}
	}
}

// settleMark puts a mark in its place, before the path that comes next.
func (v *visitor) settleMark(next string) error {
	mark := v.mark
	v.mark = nil
	if mark == nil || entry.ComparePaths(mark.Path, next) >= 0 {
		return v.failed
	}
	it, err := v.add(*mark)
	if err != nil {
		return err
	}
	it.unknown = mark.Unknown
	if it.step, err = v.merge.Next(v.ctx, &it.node.Entry); err != nil {
		return err
	}
	it.keep = isMarked(it.step.Old, it.unknown)
	return v.failed
}

// isMarked tells whether the last tree has this mark.
func isMarked(old *tree.Node, why entry.Reason) bool {
	return old != nil && old.IsMark() && old.Unknown == why
}

// end puts the last mark in its place and sends what is left.
func (v *visitor) end() error {
	if v.mark != nil {
		if err := v.settleMark(v.mark.Path + "\xff"); err != nil {
			return err
		}
	}
	return v.send()
}

func (v *visitor) send() error {
	if len(v.group.items) == 0 {
		return nil
	}
	select {
	case v.ordered <- v.group:
		v.group.finish()
		v.group = newBatch()
		return nil
	case <-v.ctx.Done():
		return context.Cause(v.ctx)
	}
}

// countKept has progress count a file that need not be read.
func (it *item) countKept(p *pipeline.Progress) {
	if it.node.Type != entry.File {
		return
	}
	it.told, it.counted = true, it.node.Size
	p.FilesDone.Add(1)
	p.BytesDone.Add(uint64(it.node.Size))
}

// dispatch decides whether an entry must be read.
func (v *visitor) dispatch(it *item) error {
	e := &it.node.Entry
	if e.Type == entry.File {
		it.listed = e.Size
		v.o.Progress.FilesTotal.Add(1)
		v.o.Progress.BytesTotal.Add(uint64(e.Size))
	}
	var err error
	if it.step, err = v.merge.Next(v.ctx, e); err != nil {
		return err
	}
	old := it.step.Old
	if old != nil && it.isUnchanged(old) {
		usable := it.step.Usable
		if !usable {
			if usable, err = v.elsewhere(it); err != nil {
				return err
			}
		}
		if usable {
			v.keep(it)
			it.drop()
			it.countKept(v.o.Progress)
			return nil
		}
	}
	v.count(e, old != nil)
	if v.isLater(it) {
		it.drop()
		return nil
	}
	if taken, err := v.takeOver(v.ctx, it); taken || err != nil {
		it.drop()
		return err
	}
	v.group.open.Add(1)
	select {
	case v.work <- task{it, v.group}:
		return nil
	case <-v.ctx.Done():
		return context.Cause(v.ctx)
	}
}

// isUnchanged tells whether an item is as the last tree has it. Of one that is copied nothing is
// guessed.
func (it *item) isUnchanged(old *tree.Node) bool {
	if it.copied {
		return it.same
	}
	return isUnchanged(old, &it.node.Entry)
}

// isUnchanged is entry.Unchanged, whatever is known of what lies in a directory.
func isUnchanged(old *tree.Node, now *entry.Entry) bool {
	if now.Type != entry.Directory || old.Type != entry.Directory {
		return entry.Unchanged(&old.Entry, now)
	}
	was := old.Entry
	was.Unknown = now.Unknown
	return entry.Unchanged(&was, now)
}

// keep takes an entry as the last tree has it, but for the number of the device where that tells
// which names are of one file.
func (v *visitor) keep(it *item) {
	it.keep = true
	device := it.node.Device
	if v.isLater(it) {
		it.shared = nil // it knows its content itself
	}
	if it.node.Links > 1 && it.step.Old.Device != device {
		it.moved = true
	}
	it.node = *it.step.Old
	it.node.Device = device
}

// isLater tells whether the entry is a further name of a file that was met already.
func (v *visitor) isLater(it *item) bool {
	if it.node.Type != entry.File || it.node.Links < 2 || it.node.Inode == 0 {
		return false
	}
	key := fileKey{it.node.Device, it.node.Inode}
	it.shared = v.links[key]
	// Some file systems make numbers up, and up again for another file. Names of one file agree in
	// everything else; the number of one that does not says nothing.
	known := it.shared != nil
	later := known && entry.Unchanged(&it.shared.listed, &it.node.Entry)
	if !later {
		it.shared, it.first = &shared{listed: it.node.Entry}, true
		v.links[key] = it.shared
	}
	if it.shared.names++; it.shared.names == it.node.Links {
		delete(v.links, key)
	}
	if known && !later {
		it.node.Inode = 0
	}
	return later
}

func (c *capture) count(e *entry.Entry, known bool) {
	if e.Type != entry.File {
		return
	}
	if known {
		c.o.Progress.FilesChanged.Add(1)
	} else {
		c.o.Progress.FilesNew.Add(1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known {
		c.state.Coverage.Changed++
	} else {
		c.state.Coverage.New++
	}
}

func (c *capture) missed(path string, err error) {
	c.o.Progress.Missed.Add(1)
	c.mu.Lock()
	noteProblem(&c.state.Coverage, path, err)
	c.mu.Unlock()
	if c.o.Problem != nil {
		c.o.Problem(path, err)
	}
}

// worker reads what the walk hands out.
func (c *capture) worker(ctx context.Context) error {
	k := &cutter{
		intake: c.intake, chunkers: c.chunkers, class: c.source.Class(), blocks: c.blocks, long: c.long,
		parallel: c.o.Concurrency, progress: c.o.Progress,
	}
	for t := range c.work {
		if err := c.read(ctx, k, t.item); err != nil {
			return err
		}
		t.batch.finish()
	}
	return nil
}

// read completes one entry. What concerns this entry alone is noted and is no error.
func (c *capture) read(ctx context.Context, k *cutter, it *item) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	e := &it.node.Entry
	detail := c.source.Detail(ctx, e)
	if err := c.fatal(ctx, detail); err != nil {
		return err
	}
	if errors.Is(detail, source.ErrVanished) || detail != nil && e.Type == entry.Symlink && e.Target == "" {
		c.leaveOut(it, detail)
		return nil
	}
	var err error
	if e.Type == entry.File {
		err = c.readFile(ctx, k, it)
	}
	if it.skip == nil && detail != nil {
		c.missed(e.Path, detail) // its content is there, some of its metadata are not
	}
	return err
}

// readFile reads content, twice if it changed meanwhile: most changes are short.
func (c *capture) readFile(ctx context.Context, k *cutter, it *item) error {
	e := &it.node.Entry
	c.o.Progress.SetCurrent(e.Path)
	k.beginFile(false)
	if it.copied {
		defer func() { it.counted = k.counted.Load() }()
		return c.copyContent(ctx, k, it)
	}
	toEnd, err := c.readContent(ctx, k, it)
	if errors.Is(err, source.ErrChanged) {
		k.beginFile(true)
		toEnd, err = c.readContent(ctx, k, it)
	}
	it.counted, it.told = k.counted.Load(), true
	c.o.Progress.FilesDone.Add(1)
	switch {
	case errors.Is(err, source.ErrChanged) && toEnd:
		e.Fuzzy = true
		c.missed(e.Path, err)
	case c.fatal(ctx, err) != nil:
		return c.fatal(ctx, err)
	case err != nil:
		c.leaveOut(it, err)
	}
	return nil
}

// leaveOut notes that an entry is not in the snapshot.
func (c *capture) leaveOut(it *item, err error) {
	it.skip = err
	c.missed(it.node.Path, err)
}

// readContent tells, beside the error, whether content was read to its end.
func (c *capture) readContent(ctx context.Context, k *cutter, it *item) (toEnd bool, err error) {
	e := &it.node.Entry
	if e.Size > hugeFile {
		if err := k.waitTurn(ctx); err != nil {
			return false, err
		}
		defer k.endTurn()
	}
	f, err := c.source.Open(ctx, e)
	if err != nil {
		return false, err
	}
	defer f.Close()
	out, err := k.cut(ctx, f, e.Path)
	if err != nil {
		return false, err
	}
	it.node.Chunks, it.pending = out.chunks, out.pending
	it.read, it.dense = true, out.dense
	err = f.Finish(e)
	e.Size = out.size
	return true, err
}

// fatal returns what ends the backup, nil for what concerns one entry alone.
func (c *capture) fatal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, source.ErrFailed) || errors.Is(err, source.ErrEmpty) || errors.Is(err, source.ErrUnreachable) || isStorage(err) {
		return err
	}
	return nil
}

// collect puts entries into the tree in the order of the walk.
func (c *capture) collect(ctx context.Context) error {
	for {
		select {
		case b, ok := <-c.ordered:
			if !ok {
				return nil
			}
			if err := c.collectBatch(ctx, b); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *capture) collectBatch(ctx context.Context, b *batch) error {
	select {
	case <-b.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for i := range b.items {
		it := &b.items[i]
		c.share(it)
		if it.skip != nil {
			c.markSkipped(it)
		} else if it.node.Type == entry.Directory || it.unknown == entry.Captured {
			c.noteUnknown(it)
			c.tally(it)
			c.tellTaken(it)
		}
		if err := c.put(ctx, it); err != nil {
			return err
		}
	}
	if c.tree == nil {
		return nil
	}
	return c.tree.Poll(ctx)
}

// share gives the first name's content to a file's other names, or keeps it for them.
func (c *capture) share(it *item) {
	switch s := it.shared; {
	case s == nil:
	case it.first:
		s.node, s.pending, s.skip = it.node, it.pending, it.skip
	case s.skip != nil:
		c.leaveOut(it, s.skip)
	default:
		path := it.node.Path
		it.node, it.pending = s.node, s.pending
		it.node.Path = path
	}
}

// markSkipped makes an entry that could not be read a mark.
func (c *capture) markSkipped(it *item) {
	it.node = tree.Node{Entry: entry.Entry{Path: it.node.Path, Type: entry.File, Unknown: entry.Unreadable}}
	it.pending = nil
	it.keep, it.moved = isMarked(it.step.Old, entry.Unreadable), false
}

// noteUnknown says of a directory what is known of what lies in it.
func (c *capture) noteUnknown(it *item) {
	if it.node.Unknown != it.unknown {
		it.node.Unknown, it.moved = it.unknown, true
	}
}

func (c *capture) put(ctx context.Context, it *item) error {
	if c.tree == nil {
		return nil // a dry run
	}
	if it.keep && !it.moved {
		return c.tree.Keep(ctx, it.step)
	}
	c.remember(it)
	return c.tree.Add(ctx, &it.node, it.pending, it.step)
}

// tally counts an entry that is in the snapshot.
func (c *capture) tally(it *item) {
	p, cov := c.o.Progress, &c.state.Coverage
	c.mu.Lock()
	defer c.mu.Unlock()
	switch it.node.Type {
	case entry.File:
		cov.Files++
		cov.Bytes += uint64(it.node.Size)
		c.weigh(it)
		if !it.told {
			p.FilesDone.Add(1)
		}
		p.BytesDone.Add(uint64(it.node.Size - it.counted))
		p.BytesTotal.Add(uint64(it.node.Size - it.listed)) // it may have changed since it was listed
		if it.keep {
			cov.Unmodified++
			p.FilesUnmodified.Add(1)
		}
	case entry.Directory:
		cov.Directories++
		p.Directories.Add(1)
	default:
		cov.Others++
		p.Others.Add(1)
	}
	c.relyOn(it)
}

// tellTaken tells of an entry that is in the snapshot.
func (c *capture) tellTaken(it *item) {
	if c.o.Taken == nil || it.node.Path == "" {
		return
	}
	action := ActionModified
	switch {
	case it.keep:
		action = ActionUnchanged
	case it.step.Old == nil || it.step.Old.IsMark():
		action = ActionNew
	}
	c.o.Taken(c.job.Name, &it.node.Entry, action)
}

// relyOn notes the packs of earlier backups that an entry needs.
func (c *capture) relyOn(it *item) {
	chunks := it.node.Chunks
	for i := range chunks {
		if pack := chunks[i].Place.Pack; pack != nil && pack != c.relied {
			c.relied = pack
			c.publish.uses(pack)
		}
	}
}
