package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/target"
)

// Overwrite says what a restore does with a file that is there already.
type Overwrite int

// What may be asked for.
const (
	OverwriteAlways    Overwrite = iota // write it anew
	OverwriteIfChanged                  // keep its content where size and modification time are the same, or with Verify the content
	OverwriteIfNewer                    // replace it only by a newer one
	OverwriteNever
)

// RestoreOptions say what comes back and how.
type RestoreOptions struct {
	Below     string                    // what lies at or below this path, with the directories that lead there; "": everything
	Include   func(e *entry.Entry) bool // nil: everything
	Overwrite Overwrite
	Delete    bool // remove what the snapshot does not have
	// Spare finds out what Delete leaves all the same, with the directories above it; nil: only what Include does not mean. It is called
	// once, and only where something would be removed.
	Spare    func(ctx context.Context) (func(e *entry.Entry) bool, error)
	DryRun   bool
	Verify   bool // read back what was written, and read what OverwriteIfChanged would keep
	Parallel int  // files that are read back at once; 4 if 0
	Progress *Progress
	// Problem takes what did not come back as it was; may be nil.
	Problem func(path string, err error)
	// Plan is told each entry and what would be done with it; may be nil.
	Plan func(e *entry.Entry, action Action)
}

// Action is what a restore does with an entry.
type Action string

// What a restore does.
const (
	ActionRestore Action = "restored"
	ActionUpdate  Action = "updated"
	ActionKeep    Action = "unchanged"
	ActionDelete  Action = "deleted"
)

// RestoreResult counts what a restore did.
type RestoreResult struct {
	Restored, Kept, Deleted, Failed uint64
	Damaged                         uint64 // of those failed, how many for content that is damaged in the repository
	Bytes                           uint64
	Reused                          uint64 // of those bytes, how many were there already and not fetched
}

// Add adds the counts of another restore.
func (r *RestoreResult) Add(other RestoreResult) {
	r.Restored += other.Restored
	r.Kept += other.Kept
	r.Deleted += other.Deleted
	r.Failed += other.Failed
	r.Damaged += other.Damaged
	r.Bytes += other.Bytes
	r.Reused += other.Reused
}

// restore is one run of Restore over one source.
type restore struct {
	o      RestoreOptions
	fetch  *fetch.Fetcher
	target target.Target
	traits target.Traits
	there  map[string]*entry.Entry // what the target has
	seen   map[string]bool         // paths of the snapshot, for Delete
	left   map[string]*directory   // directories that are left alone, for Delete
	above  []*directory            // the directories that lead to the current entry
	dirs   []*entry.Entry
	kept   string // a path at which something stays that is no directory, though the snapshot has one there
	links  []pendingLink
	first  map[fileKey]firstName // hard links: where the file came back first
	keeps  []*tree.Node          // to be read before they are kept
	window []*restoring
	chunks int

	mu     sync.Mutex
	result RestoreResult
}

// directory is one on the way, which is made when something in it comes back.
type directory struct {
	entry *entry.Entry
	made  bool
}

type fileKey struct{ device, inode uint64 }

// firstName is the first name of a file with several.
type firstName struct {
	path string
	kept bool // as it was there
}

type pendingLink struct {
	node *tree.Node
	to   string
}

// Restore brings a tree, or what of it is included, back to a target. Content is fetched pack by pack and every chunk is checked. What
// cannot come back is told to Problem and counted, and the rest goes on; an error means that the restore as a whole failed.
func Restore(ctx context.Context, t *tree.Tree, f *fetch.Fetcher, to target.Target, o RestoreOptions) (RestoreResult, error) {
	r := &restore{o: o, fetch: f, target: to, traits: to.Traits(), first: map[fileKey]firstName{}}
	if o.Progress == nil {
		r.o.Progress = &Progress{}
	}
	if err := r.lookAround(ctx); err != nil {
		return r.result, err
	}
	for node, err := range below(ctx, t, o.Below) {
		if err != nil {
			return r.result, fmt.Errorf("read the snapshot's tree: %w", err)
		}
		if err := r.take(ctx, node.Clone()); err != nil {
			return r.result, err
		}
	}
	if err := r.flush(ctx); err != nil {
		return r.result, err
	}
	return r.result, r.finish(ctx)
}

// below iterates over the directories that lead to a path, and then over what lies at and below it. Nothing else is read.
func below(ctx context.Context, t *tree.Tree, path string) iter.Seq2[*tree.Node, error] {
	if path == "" {
		return t.All(ctx, "")
	}
	return func(yield func(*tree.Node, error) bool) {
		for i := range len(path) + 1 {
			if i > 0 && i < len(path) && path[i] != '/' {
				continue
			}
			node, err := t.Lookup(ctx, path[:i])
			if errors.Is(err, fs.ErrNotExist) || err == nil && i == len(path) && node.Type == entry.Directory {
				continue // a directory at the path itself comes below
			}
			if !yield(node, err) || err != nil || i == len(path) {
				return
			}
		}
		for node, err := range t.Below(ctx, path) {
			if !yield(node, err) {
				return
			}
		}
	}
}

// lookAround lists what the target has, where that matters.
func (r *restore) lookAround(ctx context.Context) error {
	if r.o.Delete {
		r.seen, r.left = map[string]bool{"": true}, map[string]*directory{}
	}
	if r.o.Overwrite == OverwriteAlways && !r.o.Delete && !r.o.DryRun {
		return nil
	}
	r.there = map[string]*entry.Entry{}
	err := r.target.Walk(ctx, func(e *entry.Entry) error {
		if below := r.o.Below; below == "" || within(e.Path, below) || within(below, e.Path) {
			r.there[e.Path] = e
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look at the target: %w", err)
	}
	return nil
}

func (r *restore) take(ctx context.Context, n *tree.Node) error {
	r.descend(&n.Entry)
	if r.kept != "" && within(n.Path, r.kept) {
		return nil
	}
	if r.o.Include != nil && !r.o.Include(&n.Entry) {
		return nil
	}
	if r.seen != nil {
		r.see(n.Path)
	}
	if n.Type == entry.Socket {
		return nil // whoever listens makes it
	}
	if r.leaves(&n.Entry) {
		r.leave(n)
		return nil
	}
	action := r.decide(&n.Entry)
	if action == ActionKeep && r.o.Overwrite == OverwriteIfChanged && !r.keepsName(ctx, n) {
		action = ActionUpdate
	}
	if r.o.Plan != nil {
		r.o.Plan(&n.Entry, action)
	}
	if action == ActionKeep && n.Type == entry.Directory {
		r.kept = n.Path
		return r.problem(n.Path, errInTheWay)
	}
	switch {
	case action == ActionKeep && r.o.Overwrite == OverwriteIfChanged && !r.o.DryRun:
		return r.keep(ctx, n)
	case action == ActionKeep, r.o.DryRun:
		r.count(action, n)
		return nil
	}
	return r.begin(ctx, n, action)
}

// errInTheWay says why a directory does not come back although nothing failed.
var errInTheWay = errors.New("what is there is no directory and is to stay, so nothing below it comes back")

// see notes that the snapshot has a path, and thereby the directories above it, of which a tree may know nothing else.
func (r *restore) see(path string) {
	for !r.seen[path] {
		r.seen[path] = true
		path = dirOf(path)
	}
}

// dirOf is the directory that a path is in.
func dirOf(path string) string { return path[:max(0, strings.LastIndexByte(path, '/'))] }

// descend keeps account of the directories that lead to e.
func (r *restore) descend(e *entry.Entry) {
	for len(r.above) > 0 && !within(e.Path, r.above[len(r.above)-1].entry.Path) {
		r.above = r.above[:len(r.above)-1]
	}
	if e.Type == entry.Directory {
		r.above = append(r.above, &directory{entry: e})
	}
}

// makeWay makes the directories that lead to e, and e itself if it is one.
func (r *restore) makeWay(ctx context.Context) error {
	for _, d := range r.above {
		if d.made {
			continue
		}
		d.made = true
		if err := r.target.Make(ctx, d.entry); err != nil {
			return err
		}
		r.dirs = append(r.dirs, d.entry)
	}
	return nil
}

// decide compares an entry with what the target has.
func (r *restore) decide(e *entry.Entry) Action {
	there := r.there[e.Path]
	if there == nil {
		return ActionRestore
	}
	if e.Type == entry.Directory && there.Type == entry.Directory {
		return ActionUpdate
	}
	switch r.o.Overwrite {
	case OverwriteNever:
		return ActionKeep
	case OverwriteIfNewer:
		if r.isOf(there.ModTime, e.ModTime) || there.ModTime.Compare(e.ModTime) > 0 {
			return ActionKeep
		}
	case OverwriteIfChanged:
		if r.unchanged(there, e) {
			return ActionKeep
		}
	}
	return ActionUpdate
}

// isOf tells whether a time in the target is the one that it keeps of a time in the snapshot.
func (r *restore) isOf(there, snapshot entry.Time) bool {
	if fine := r.traits.Precision; fine > 0 {
		return there.Truncate(fine) == snapshot.Truncate(fine)
	}
	return there == snapshot
}

// unchanged tells whether what is there is what is to come back: by the identities of both where servers tell them, else by size and time.
func (r *restore) unchanged(there, e *entry.Entry) bool {
	same := r.isOf(there.ModTime, e.ModTime)
	if there.Identity != "" && e.Identity != "" {
		same = there.Identity == e.Identity
	}
	return same && there.Type == e.Type && there.Size == e.Size && there.Target == e.Target
}

func (r *restore) count(a Action, n *tree.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case a == ActionDelete:
		r.result.Deleted++
	case a == ActionKeep, n.Type == entry.Directory && (a == ActionUpdate || n.Path == "" && len(r.there) > 0): // it is there, and only gets its metadata
		r.result.Kept++
	default:
		r.result.Restored++
		if n.Type == entry.File {
			r.result.Bytes += uint64(n.Size)
		}
	}
}

func (r *restore) begin(ctx context.Context, n *tree.Node, a Action) error {
	if err := r.makeWay(ctx); err != nil {
		return r.problem(n.Path, err)
	}
	switch {
	case n.Type == entry.Directory:
		r.count(a, n)
		return nil
	case r.isLater(n):
		r.links = append(r.links, pendingLink{n, r.first[fileKey{n.Device, n.Inode}].path})
		return nil
	case n.Type == entry.File:
		return r.add(ctx, n)
	}
	return r.make(ctx, n, a)
}

// make makes a link or a node. Where that fails, no other name of it can be linked to it.
func (r *restore) make(ctx context.Context, n *tree.Node, a Action) error {
	if err := r.target.Make(ctx, &n.Entry); err != nil {
		delete(r.first, fileKey{n.Device, n.Inode})
		return r.problem(n.Path, err)
	}
	r.count(a, n)
	return nil
}

// isLater tells whether n is a further name of a file that comes back already.
func (r *restore) isLater(n *tree.Node) bool {
	if n.Links < 2 || n.Inode == 0 {
		return false
	}
	key := fileKey{n.Device, n.Inode}
	if _, ok := r.first[key]; ok {
		return true
	}
	r.first[key] = firstName{path: n.Path}
	return false
}

// add puts a file into the window, and works the window off when it is full.
func (r *restore) add(ctx context.Context, n *tree.Node) error {
	r.o.Progress.FilesTotal.Add(1)
	r.o.Progress.BytesTotal.Add(uint64(n.Size))
	r.window = append(r.window, newRestoring(n))
	r.chunks += len(n.Chunks)
	if len(r.window) < fetch.WindowNodes && r.chunks < fetch.WindowChunks {
		return nil
	}
	return r.flush(ctx)
}

func (r *restore) flush(ctx context.Context) error {
	window := r.window
	r.window, r.chunks = nil, 0
	if r.traits.Sequential {
		return r.writeInOrder(ctx, window)
	}
	return r.writeAround(ctx, window)
}

// finish makes links to files that are in place, removes what should not be there and gives directories their times, the deepest
// first.
func (r *restore) finish(ctx context.Context) error {
	if r.o.DryRun {
		return r.deleteOthers(ctx)
	}
	if err := r.verifyKept(ctx); err != nil {
		return err
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	for _, link := range r.links {
		if err := r.link(ctx, link); err != nil {
			return err
		}
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	if err := r.deleteOthers(ctx); err != nil {
		return err
	}
	for _, dir := range slices.Backward(r.dirs) {
		if err := r.target.Finish(ctx, dir); err != nil {
			if err := r.problem(dir.Path, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// link makes a further name, or a copy where the target has no links.
func (r *restore) link(ctx context.Context, l pendingLink) error {
	err := r.target.Link(ctx, &l.node.Entry, l.to)
	if errors.Is(err, target.ErrUnsupported) && l.node.Type != entry.File {
		return r.make(ctx, l.node, ActionRestore)
	}
	if errors.Is(err, target.ErrUnsupported) {
		return r.add(ctx, l.node)
	}
	if err != nil {
		return r.problem(l.node.Path, err)
	}
	r.count(ActionRestore, l.node)
	return nil
}

func (r *restore) deleteOthers(ctx context.Context) error {
	if !r.o.Delete {
		return nil
	}
	others, err := r.others(ctx)
	if err != nil {
		return err
	}
	for _, path := range others {
		if r.o.Plan != nil {
			r.o.Plan(r.there[path], ActionDelete)
		}
		if !r.o.DryRun {
			if err := r.remove(ctx, path); err != nil {
				if err := r.problem(path, err); err != nil {
					return err
				}
				continue
			}
		}
		r.count(ActionDelete, nil)
	}
	return nil
}

// remove removes what the snapshot does not have.
func (r *restore) remove(ctx context.Context, path string) error {
	if err := r.unleave(ctx, dirOf(path)); err != nil {
		return err
	}
	return r.target.Remove(ctx, path)
}

// others are the paths that the snapshot does not have, each with all that is below it, without what is to stay.
func (r *restore) others(ctx context.Context) ([]string, error) {
	include := r.o.Include
	if include == nil {
		include = func(*entry.Entry) bool { return true }
	}
	r.seeWhere(func(e *entry.Entry) bool { return !include(e) })
	if r.o.Spare != nil && r.hasOthers() {
		spared, err := r.o.Spare(ctx)
		if err != nil {
			return nil, err
		}
		r.seeWhere(spared)
	}
	var all []string
	for path := range r.there {
		if above := dirOf(path); !r.seen[path] && (r.seen[above] || r.there[above] == nil) {
			all = append(all, path)
		}
	}
	slices.SortFunc(all, entry.ComparePaths)
	return all, nil
}

func (r *restore) hasOthers() bool {
	for path := range r.there {
		if !r.seen[path] {
			return true
		}
	}
	return false
}

// seeWhere makes what is there and of which stays is true be left, and the directories above it.
func (r *restore) seeWhere(stays func(e *entry.Entry) bool) {
	for path, e := range r.there {
		if !r.seen[path] && stays(e) {
			r.see(path)
		}
	}
}

// problem tells that an entry did not come back. What concerns the whole target ends the restore.
func (r *restore) problem(path string, err error) error {
	if fatal(err) {
		return fmt.Errorf("restore %s: %w", path, err)
	}
	r.mu.Lock()
	r.result.Failed++
	if errors.Is(err, archive.ErrDamaged) {
		r.result.Damaged++
	}
	r.mu.Unlock()
	r.o.Progress.Missed.Add(1)
	if r.o.Problem != nil {
		r.o.Problem(path, err)
	}
	return nil
}

func fatal(err error) bool {
	return errors.Is(err, target.ErrFull) || errors.Is(err, target.ErrUnreachable) || errors.Is(err, target.ErrDenied) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
