package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/target"
)

// frame is a directory on the way, of the snapshot or of the target.
type frame struct {
	above   *frame
	path    string
	entry   *entry.Entry // as the snapshot has it; nil: it has none
	made    bool         // it is there and can be written to
	dirty   bool         // its metadata are not those of the snapshot
	gone    bool         // the merge has left it
	blocked bool         // nothing in it comes back

	instead *tree.Node // what comes in place of it, which the target alone has
	held    bool       // something is in it
	emptied bool       // all that is in it would go
}

func (r *restore) top() *frame { return r.frames[len(r.frames)-1] }

func (r *restore) enter(f *frame) {
	f.above = r.top()
	f.blocked = f.blocked || f.above.blocked
	r.frames = append(r.frames, f)
}

// step takes the next pair of the merge.
func (r *restore) step(ctx context.Context, p pair) error {
	if r.pruner != nil {
		if err := r.pruner.step(ctx, p); err != nil {
			return err
		}
	}
	if err := r.leaveFor(ctx, p.path()); err != nil {
		return err
	}
	if err := r.tellUnlisted(p); err != nil {
		return err
	}
	if p.node == nil || p.node.IsMark() {
		r.passOver(p)
		return nil
	}
	if err := r.checkPlace(&p.node.Entry); err != nil {
		return r.problem(p.path(), err)
	}
	r.enterMissing(p.path())
	if err := r.take(ctx, p); err != nil {
		return err
	}
	return r.room(ctx)
}

// checkPlace refuses what lies below something that is no directory, as no backup has it.
func (r *restore) checkPlace(e *entry.Entry) error {
	if r.leaf != "" && strings.HasPrefix(e.Path, r.leaf+"/") {
		return fmt.Errorf("it is below something that is not a directory: %w", archive.ErrDamaged)
	}
	if e.Type != entry.Directory {
		r.leaf = e.Path
	}
	return nil
}

// enterMissing enters the directories that lead to a path and of which neither the snapshot nor the
// target has anything else.
func (r *restore) enterMissing(path string) {
	for end := len(r.top().path) + 1; end < len(path); end++ {
		if path[end] == '/' {
			r.enter(&frame{path: path[:end], entry: &entry.Entry{Path: path[:end], Type: entry.Directory, Mode: 0o755}})
		}
	}
}

// passOver passes over what the target alone has, and what is unknown.
func (r *restore) passOver(p pair) {
	r.top().held = r.top().held || p.there != nil
	if p.there.isDirectory() {
		r.enter(&frame{path: p.path()})
	}
}

// tellUnlisted tells of what Delete leaves since it cannot be looked at.
func (r *restore) tellUnlisted(p pair) error {
	if !r.o.Delete || p.there == nil || p.there.unlisted == nil {
		return nil
	}
	return r.problem(p.path(), fmt.Errorf("nothing there is deleted: %w", p.there.unlisted))
}

// wouldGo notes what Delete would remove.
func (r *restore) wouldGo(_ context.Context, f *found) error {
	r.tell(f.Entry, ActionDelete)
	r.count(ActionDelete, f.Entry)
	for _, at := range slices.Backward(r.frames) {
		if at.path == f.Path && at.instead != nil {
			at.emptied = true
		}
	}
	return nil
}

// take takes what the snapshot has.
func (r *restore) take(ctx context.Context, p pair) error {
	e := &p.node.Entry
	if r.top().blocked || !r.o.includes(e) || e.Type == entry.Socket { // whoever listens makes it
		r.leaveOut(p)
		return nil
	}
	if r.o.NoSpecial && isDevice(e) {
		r.lend(e)
		r.leaveOut(p)
		return nil
	}
	p.node = r.plain(p.node)
	e = &p.node.Entry
	err := r.target.Accepts(e)
	if p.there != nil && p.there.own != nil {
		err = fmt.Errorf("left as it is: %w", p.there.own)
	}
	switch {
	case r.isOwnAlready(p):
		r.tell(e, ActionKeep)
		r.count(ActionKeep, e)
		return nil
	case err != nil:
		r.enterIfDirectory(p, true)
		return r.problem(e.Path, err)
	case e.Type == entry.Directory:
		return r.takeDirectory(ctx, p)
	case p.there.isDirectory():
		return r.takeInstead(p)
	}
	return r.takeOther(ctx, p)
}

// isOwnAlready tells whether a file of packstone's own is there as the snapshot has it, such as this
// host's key: that it is not written lacks nothing.
func (r *restore) isOwnAlready(p pair) bool {
	return p.there != nil && p.there.own != nil && p.node.Type == entry.File && r.unchanged(p.there.Entry, &p.node.Entry)
}

// leaveOut passes over what is not to come back. A directory is made all the same if something in
// it comes back.
func (r *restore) leaveOut(p pair) { r.enterIfDirectory(p, false) }

func (r *restore) enterIfDirectory(p pair, blocked bool) {
	if p.node.Type == entry.Directory {
		e := r.plain(p.node).Entry
		f := &frame{path: e.Path, entry: &e, blocked: blocked}
		if leadsOn(p.there) {
			f.entry = nil
		}
		r.enter(f)
	} else if p.there.isDirectory() {
		r.enter(&frame{path: p.path(), blocked: true})
	}
}

// errInTheWay says why a directory does not come back although nothing failed.
var errInTheWay = errors.New("an existing file is in place of the directory, so nothing below it is restored")

// errOnTheWay: what leads to the paths that were backed up was not backed up itself, and is nothing
// that a restore may take away.
var errOnTheWay = errors.New("a symbolic link is in place of the directory: move it away, or restore to its target")

func (r *restore) takeDirectory(ctx context.Context, p pair) error {
	e := p.node.Entry
	f := &frame{path: e.Path, entry: &e}
	r.enter(f)
	switch {
	case p.there.isDirectory():
		return r.takeOver(p, f)
	case p.there != nil && r.o.keepsOld(r.traits, &e, p.there.Entry):
		f.blocked = true
		r.tell(&e, ActionKeep)
		return r.problem(e.Path, errInTheWay)
	case p.there != nil && e.Path != "" && r.scope.leads[e.Path]:
		f.blocked = true
		r.tell(&e, ActionKeep)
		return r.problem(e.Path, errOnTheWay)
	}
	action := ActionRestore
	if p.there != nil {
		action = ActionUpdate
	} else if r.holdsIn(e.Path) {
		action = ActionKeep // and its metadata are set, if the target does not leave it alone
	}
	r.tell(&e, action)
	if !r.o.DryRun {
		if err := r.makeWay(ctx, f); err != nil {
			return r.problem(e.Path, err)
		}
	}
	r.count(action, &e)
	return nil
}

// holdsIn tells whether the next thing in the target lies in a directory that its walk has passed
// over: it begins below that.
func (r *restore) holdsIn(dir string) bool {
	next, more, _ := r.there.head()
	return more && entry.Within(next.Path, dir)
}

// takeOver takes a directory that the target has. It is left alone unless something in it changes.
func (r *restore) takeOver(p pair, f *frame) error {
	if p.there.unlisted != nil && (r.o.Overwrite == OverwriteNever || r.o.Overwrite == OverwriteIfNewer) {
		f.blocked = true
		return r.problem(f.path, fmt.Errorf("nothing below it is restored: %w", p.there.unlisted))
	}
	r.tell(f.entry, ActionKeep)
	r.count(ActionKeep, f.entry)
	if r.scope.leadsTo(f.path) && leadsOn(p.there) {
		f.entry = nil
		return nil
	}
	f.dirty = !target.Finished(r.target, p.there.Entry, f.entry)
	return nil
}

// leadsOn tells whether the target has a directory that can be left as it is where it merely leads
// to what comes back: its owner may write in it.
func leadsOn(there *found) bool {
	return there.isDirectory() && (there.Mode == 0 || there.Mode&0o700 == 0o700)
}

// takeInstead takes what comes where the target has a directory. What is in that has its turn
// first.
func (r *restore) takeInstead(p pair) error {
	e := &p.node.Entry
	if r.o.keepsOld(r.traits, e, p.there.Entry) {
		r.tell(e, ActionKeep)
		r.count(ActionKeep, e)
		r.enter(&frame{path: e.Path, blocked: true})
		return nil
	}
	r.enter(&frame{path: e.Path, instead: p.node.Clone(), held: p.there.unlisted != nil || p.there.mounted})
	return nil
}

// What is in the way of something that is no directory.
var (
	errHeld  = fmt.Errorf("%w, and stays: move it away, or restore with --delete", target.ErrNotEmpty)
	errStays = fmt.Errorf("%w, and something in it is not to be deleted", target.ErrNotEmpty)
)

// replace brings back what comes in place of a directory, which must be empty.
func (r *restore) replace(ctx context.Context, f *frame) error {
	switch {
	case f.emptied:
		return r.begin(ctx, f.instead, ActionRestore)
	case !f.held:
		return r.begin(ctx, f.instead, ActionUpdate)
	case r.o.Delete:
		return r.problem(f.path, errStays)
	}
	return r.problem(f.path, errHeld)
}

// takeOther takes what is no directory, and where the target has none.
func (r *restore) takeOther(ctx context.Context, p pair) error {
	e, there := &p.node.Entry, p.there
	switch {
	case there == nil:
		return r.begin(ctx, p.node.Clone(), ActionRestore)
	case r.o.keepsOld(r.traits, e, there.Entry):
		r.tell(e, ActionKeep)
		r.count(ActionKeep, e)
		return nil
	case !r.mayKeep(e, there.Entry):
		return r.begin(ctx, p.node.Clone(), ActionUpdate)
	}
	return r.keep(ctx, p.node, there.Entry)
}

// begin brings back something that is not there, or not so.
func (r *restore) begin(ctx context.Context, n *tree.Node, a Action) error {
	r.tell(&n.Entry, a)
	return r.start(ctx, n, a, r.top())
}

// start does so once it is told, below the directory f.
func (r *restore) start(ctx context.Context, n *tree.Node, a Action, f *frame) error {
	if err := n.CheckContent(); err != nil {
		return r.problem(n.Path, fmt.Errorf("%w: %w", archive.ErrDamaged, err))
	}
	first, later := r.nameOf(n)
	if r.o.DryRun {
		r.count(a, &n.Entry)
		return nil
	}
	if err := r.makeWay(ctx, f); err != nil {
		return r.problem(n.Path, err)
	}
	switch {
	case later:
		r.links = append(r.links, pendingLink{n, first.path})
		return nil
	case n.Type == entry.File:
		r.add(n)
		return nil
	}
	return r.make(ctx, n, a)
}

// make makes a link or a node. Where that fails, no other name of it can be linked to it.
func (r *restore) make(ctx context.Context, n *tree.Node, a Action) error {
	if err := r.target.Make(ctx, &n.Entry); err != nil {
		delete(r.first, keyOf(n))
		return r.problem(n.Path, err)
	}
	r.count(a, &n.Entry)
	return nil
}

// makeWay makes the directories that lead to f, and f itself, and notes that they are to get their
// metadata.
func (r *restore) makeWay(ctx context.Context, f *frame) error {
	if f == nil || f.made {
		return nil
	}
	if err := r.makeWay(ctx, f.above); err != nil {
		return err
	}
	f.made = true
	if f.entry == nil {
		return nil
	}
	if f.gone && !f.dirty {
		r.left = append(r.left, f.entry)
	}
	return r.target.Make(ctx, f.entry)
}

// leaveFor leaves the directories that do not lead to a path.
func (r *restore) leaveFor(ctx context.Context, path string) error {
	n := len(r.frames)
	for n > 1 && !entry.Within(path, r.frames[n-1].path) {
		n--
	}
	return r.leaveDownTo(ctx, n)
}

func (r *restore) leaveDownTo(ctx context.Context, n int) error {
	for len(r.frames) > n {
		f := r.top()
		r.frames = r.frames[:len(r.frames)-1]
		f.gone = true
		switch {
		case f.instead != nil:
			if err := r.replace(ctx, f); err != nil {
				return err
			}
		case f.entry != nil && (f.made || f.dirty):
			r.left = append(r.left, f.entry)
		}
	}
	return nil
}

// add puts a file into the window.
func (r *restore) add(n *tree.Node) {
	r.o.Progress.FilesTotal.Add(1)
	r.o.Progress.BytesTotal.Add(uint64(n.Size))
	r.window = append(r.window, newRestoring(n))
	r.chunks += len(n.Chunks)
}

// room works off what is planned when it is much.
func (r *restore) room(ctx context.Context) error {
	if len(r.keeps) >= readAtOnce || len(r.told) >= 4*readAtOnce {
		if err := r.settleKeeps(ctx); err != nil {
			return err
		}
	}
	if max(len(r.window), len(r.links), len(r.left)) < fetch.WindowNodes && r.chunks < fetch.WindowChunks {
		return nil
	}
	return r.flush(ctx)
}

// flush brings all that is planned into place: files, links to them, and then the metadata of
// directories that the merge has left.
func (r *restore) flush(ctx context.Context) error {
	if err := r.settleKeeps(ctx); err != nil {
		return err
	}
	if err := r.writeWindow(ctx); err != nil {
		return err
	}
	links := r.links
	r.links = nil
	for _, l := range links {
		if err := r.link(ctx, l); err != nil {
			return err
		}
	}
	if err := r.writeWindow(ctx); err != nil {
		return err
	}
	return r.finishLeft(ctx)
}

func (r *restore) writeWindow(ctx context.Context) error {
	window := r.window
	r.window, r.chunks = nil, 0
	if r.traits.Sequential {
		return r.writeInOrder(ctx, window)
	}
	return r.writeAround(ctx, window)
}

// finishLeft gives directories their metadata, the deepest first.
func (r *restore) finishLeft(ctx context.Context) error {
	left := r.left
	r.left = nil
	if r.o.DryRun {
		return nil
	}
	for len(left) > 0 {
		var deepest []*entry.Entry
		deepest, left = splitDeepest(left)
		if err := r.finish(ctx, deepest); err != nil {
			return err
		}
	}
	return nil
}

// splitDeepest sorts by depth and splits off those that lie deepest.
func splitDeepest(all []*entry.Entry) (deepest, others []*entry.Entry) {
	most := 0
	for _, e := range all {
		most = max(most, depth(e))
	}
	for _, e := range all {
		if depth(e) == most {
			deepest = append(deepest, e)
		} else {
			others = append(others, e)
		}
	}
	return deepest, others
}

func depth(e *entry.Entry) int {
	if e.Path == "" {
		return 0
	}
	return 1 + strings.Count(e.Path, "/")
}

// finish gives directories their metadata, several at once, none of which lies in another.
func (r *restore) finish(ctx context.Context, all []*entry.Entry) error {
	failed := make([]error, len(all))
	var g errgroup.Group
	g.SetLimit(max(1, r.traits.Parallel))
	for i, dir := range all {
		g.Go(func() error {
			failed[i] = r.target.Finish(ctx, dir)
			return nil
		})
	}
	_ = g.Wait()
	for i, err := range failed {
		if err == nil {
			continue
		}
		if err := r.problem(all[i].Path, err); err != nil {
			return err
		}
	}
	return nil
}

// telling is a line of the plan.
type telling struct {
	entry  *entry.Entry
	action Action // empty: not known yet
}

// tell tells the plan what is done with an entry, in order.
func (r *restore) tell(e *entry.Entry, a Action) {
	switch {
	case r.o.Plan == nil:
	case len(r.told) == 0:
		r.o.Plan(e, a)
	default:
		kept := *e
		r.told = append(r.told, telling{&kept, a})
	}
}

// tellLater keeps a place in the plan for an entry.
func (r *restore) tellLater(e *entry.Entry) (place int) {
	if r.o.Plan != nil {
		r.told = append(r.told, telling{entry: e})
	}
	return len(r.told) - 1
}

// tellAll tells what had to wait.
func (r *restore) tellAll() {
	for _, t := range r.told {
		r.o.Plan(t.entry, t.action)
	}
	r.told = nil
}
