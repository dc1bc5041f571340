// Package restore restores snapshots to targets. It reads content through fetch, and reuses content
// that the target already has.
package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"sync"
	"syscall"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/target"
)

// Overwrite says what a restore does with a file that is there already.
type Overwrite int

// What may be asked for.
const (
	OverwriteAlways    Overwrite = iota // replace it unless its content is the same
	OverwriteIfChanged                  // keep its content where size and modification time are the same, or with Verify the content
	OverwriteIfNewer                    // replace it only by a newer one
	OverwriteNever
)

// Options say what comes back and how.
type Options struct {
	Below     string                    // what lies at or below this path, with the directories that lead there; "": everything
	Include   func(e *entry.Entry) bool // nil: everything
	Overwrite Overwrite
	// Delete removes what the snapshot does not have, inside Roots: the paths that were backed up,
	// all of the tree if there are none.
	Delete bool
	Roots  []string
	// Unknown are paths of which, and of what lies below them, the snapshot does not know what was
	// there: nothing is removed.
	Unknown []string
	// Excluded tells whether the backup left out whatever lay at a path: nothing is removed there.
	// Nil: it left out nothing.
	Excluded func(path string, directory bool) bool
	// Taken puts the paths that a backup would take from the target as it is, in order: Delete
	// leaves what is not among them. It is called where something would be removed. Nil: a backup
	// would take everything.
	Taken    func(ctx context.Context, put func(path string) error) error
	DryRun   bool
	Verify   bool // read back what was written, and read what OverwriteIfChanged would keep
	Parallel int  // files that are read back at once; 4 if 0
	Progress *pipeline.Progress
	// Sparse leaves holes where a file has blocks of zeros, though it was not sparse.
	Sparse bool
	// NoSpecial leaves out devices, setuid and setgid bits and capabilities.
	NoSpecial bool
	// Lends is told each entry that comes back, or would, and lends rights (see Lends); with
	// NoSpecial, each that would have. It is called from several goroutines at once; may be nil.
	Lends func(path, what string)
	// Problem takes what did not come back as it was; may be nil.
	Problem func(path string, err error)
	// Plan is told each entry and what would be done with it; may be nil.
	Plan func(e *entry.Entry, action Action)
}

func (o *Options) includes(e *entry.Entry) bool { return o.Include == nil || o.Include(e) }

// unknownAt tells whether the snapshot does not know what was at a path.
func (o *Options) unknownAt(path string) bool {
	for _, unknown := range o.Unknown {
		if entry.Within(path, unknown) {
			return true
		}
	}
	return false
}

// excluded tells whether the backup left out whatever lay where e is.
func (o *Options) excluded(e *entry.Entry) bool {
	return o.Excluded != nil && o.Excluded(e.Path, e.Type == entry.Directory)
}

// keepsOld tells whether what is there stays whatever the snapshot has.
func (o *Options) keepsOld(traits target.Traits, e, there *entry.Entry) bool {
	switch o.Overwrite {
	case OverwriteNever:
		return true
	case OverwriteIfNewer:
		return there.ModTime.Compare(e.ModTime) > 0 || isOf(traits, there.ModTime, e.ModTime)
	}
	return false
}

// isOf tells whether a time in the target is the one that it keeps of a time in the snapshot.
func isOf(traits target.Traits, there, snapshot entry.Time) bool {
	if fine := traits.Precision; fine > 0 {
		return there.Truncate(fine) == snapshot.Truncate(fine)
	}
	return there == snapshot
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

// Result counts what a restore did.
type Result struct {
	Restored, Kept, Deleted, Failed uint64
	Damaged                         uint64 // of those failed, how many for content that is damaged in the repository
	Bytes                           uint64
	Reused                          uint64 // of those bytes, how many were there already and not fetched
}

// Add adds the counts of another restore.
func (r *Result) Add(other Result) {
	r.Restored += other.Restored
	r.Kept += other.Kept
	r.Deleted += other.Deleted
	r.Failed += other.Failed
	r.Damaged += other.Damaged
	r.Bytes += other.Bytes
	r.Reused += other.Reused
}

// Restoration is a tree, or what of it is included, on its way to a target.
type Restoration struct{ r *restore }

// New prepares a restore. Nothing is looked at yet.
func New(t *tree.Tree, f *fetch.Fetcher, to target.Target, o Options) *Restoration {
	if o.Progress == nil {
		o.Progress = &pipeline.Progress{}
	}
	return &Restoration{&restore{
		o: o, tree: t, fetch: f, target: to, traits: to.Traits(), scope: newScope(o.Below, o.Roots),
		first: map[fileKey]firstName{}, repositories: map[string]bool{},
	}}
}

// Survey finds out what Delete would remove. It changes nothing.
func (r *Restoration) Survey(ctx context.Context) (Surplus, error) { return r.r.survey(ctx) }

// Run removes what is to go, as far as a survey found something, and then brings back the rest.
// Content is fetched pack by pack and every chunk is checked. What cannot come back is told to
// Problem and counted, and the rest goes on; an error means that the restore as a whole failed.
func (r *Restoration) Run(ctx context.Context) (Result, error) {
	err := r.r.run(ctx)
	return r.r.result, err
}

// restore is one run over one tree and target.
type restore struct {
	o      Options
	tree   *tree.Tree
	fetch  *fetch.Fetcher
	target target.Target
	traits target.Traits
	scope  scope

	surveyed     *Surplus
	doomed       removals
	repositories map[string]bool // in the target

	there  *stream[*found] // what the target has
	pruner *pruner         // tells what would go, in a dry run
	frames []*frame
	leaf   string // the last path of the snapshot that is no directory
	links  []pendingLink
	first  map[fileKey]firstName // hard links: where the file came back first
	keeps  []*keeping            // to be read before they are kept
	left   []*entry.Entry        // directories in which all is in place, the deepest first, which are to get their metadata
	window []*restoring
	chunks int
	told   []telling // what the plan is told when what stands before it is read

	mu     sync.Mutex
	result Result
}

// survey walks the target beside the tree and counts what would go.
func (r *restore) survey(ctx context.Context) (Surplus, error) {
	if !r.o.Delete {
		return Surplus{}, nil
	}
	r.doomed = removals{whole: true}
	surplus, err := r.prune(ctx, func(_ context.Context, f *found) error {
		r.doomed.add(f)
		return nil
	})
	r.doomed.without(r.repositories)
	r.surveyed = &surplus
	return surplus, err
}

// prune tells what would go of the target.
func (r *restore) prune(ctx context.Context, doom func(context.Context, *found) error) (Surplus, error) {
	p := newPruner(&r.o, r.scope, r.target, r.repositories, doom)
	defer p.close()
	err := r.eachPair(ctx, p.step)
	if err == nil {
		err = p.end(ctx)
	}
	return p.surplus, err
}

// eachPair merges the tree with the target.
func (r *restore) eachPair(ctx context.Context, do func(context.Context, pair) error) error {
	r.there = walkTarget(ctx, r.target, r.scope.means)
	defer r.there.close()
	for p, err := range merge(below(ctx, r.tree, r.o.Below), r.there) {
		if err != nil {
			return err
		}
		if err := do(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// below iterates over the directories that lead to a path, and then over what lies at and below it.
// Nothing else is read.
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

func (r *restore) run(ctx context.Context) error {
	if r.o.Delete && r.surveyed == nil {
		if _, err := r.survey(ctx); err != nil {
			return err
		}
	}
	if r.o.Delete && !r.o.DryRun && r.surveyed.Entries > 0 {
		if err := r.remove(ctx); err != nil {
			return err
		}
	}
	return r.bringBack(ctx)
}

// remove removes what is to go.
func (r *restore) remove(ctx context.Context) error {
	out := &remover{restore: r, stuck: map[string]bool{}}
	if !r.doomed.whole { // there was more than is remembered
		_, err := r.prune(ctx, func(ctx context.Context, f *found) error { return out.add(ctx, f.Entry) })
		if err != nil {
			return err
		}
		return out.flush(ctx)
	}
	for _, e := range r.doomed.list {
		if err := out.add(ctx, e); err != nil {
			return err
		}
	}
	return out.flush(ctx)
}

// bringBack brings back what the snapshot has.
func (r *restore) bringBack(ctx context.Context) error {
	if r.o.Delete && r.o.DryRun {
		r.pruner = newPruner(&r.o, r.scope, r.target, r.repositories, r.wouldGo)
		defer r.pruner.close()
	}
	r.frames = []*frame{{}}
	if err := r.eachPair(ctx, r.step); err != nil {
		return err
	}
	if r.pruner != nil {
		if err := r.pruner.end(ctx); err != nil {
			return err
		}
	}
	if err := r.leaveDownTo(ctx, 1); err != nil {
		return err
	}
	return r.flush(ctx)
}

// dirOf is the directory that a path is in.
func dirOf(path string) string { return path[:max(0, strings.LastIndexByte(path, '/'))] }

func (r *restore) count(a Action, e *entry.Entry) {
	if a == ActionRestore || a == ActionUpdate {
		r.lend(e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch a {
	case ActionDelete:
		r.result.Deleted++
	case ActionKeep:
		r.result.Kept++
	default:
		r.result.Restored++
		if e.Type == entry.File {
			r.result.Bytes += uint64(e.Size)
		}
	}
}

// problem tells that an entry did not come back. What concerns the whole target ends the restore.
func (r *restore) problem(path string, err error) error {
	if fatal(err) {
		return fmt.Errorf("restore %s: %w", cmp.Or(path, "the directory itself"), err)
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
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, target.ErrFull) || errors.Is(err, target.ErrUnreachable) || errors.Is(err, target.ErrDenied) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
