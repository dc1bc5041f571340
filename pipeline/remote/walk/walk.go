// Package walk walks a tree on a server. It lists several directories at once, visits their entries
// in order, and limits how many it holds, so that memory does not grow with the tree.
package walk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/ahead"
	"github.com/packstone/packstone/pipeline/remote"
)

// ErrLoop: a directory is the same as one above it, through a symbolic link that the server shows
// as a directory.
var ErrLoop = errors.New("directory is one of those that it lies in")

// ErrTwice: according to the server, a directory contains two entries with one name.
var ErrTwice = errors.New("the server lists it twice")

// Item is an element of a directory.
type Item struct {
	Entry *entry.Entry
	// Key identifies a directory regardless of its path; empty if the server does not tell.
	Key string
}

// Problem is what could not be listed or examined.
type Problem struct {
	Path string
	Err  error
}

// Listing is the content of a directory, in any order.
type Listing struct {
	Items    []Item
	Problems []Problem
}

// ErrEmpty: the root is empty, and Options do not allow that.
var ErrEmpty = errors.New("nothing is in the directory")

// Options determine how to walk.
type Options struct {
	// Root, if set, is visited first. An empty root is then ErrEmpty, unless AllowEmpty is set.
	Root       *entry.Entry
	AllowEmpty bool
	// List lists the directory at path; "" is the root. It must be safe for concurrent use. The
	// paths in the listing begin with the directory's own.
	List func(ctx context.Context, path string) (Listing, error)
	// Visit is called with the entries in the order of entry.ComparePaths. Its error ends the walk,
	// which returns it unchanged.
	Visit func(e *entry.Entry) error
	// Translate translates errors of the server into those of the caller, before they are reported
	// or returned; nil leaves them unchanged.
	Translate func(err error) error
	// Problem is called with what could not be listed, from the goroutine that calls Visit. If it
	// is nil, the first problem ends the walk.
	Problem func(path string, err error)
	// Parallel is the number of directories listed at once (default: 4).
	Parallel int
	// Ahead is roughly how many entries may be held before they are visited (default: 16384). A
	// directory is held as a whole.
	Ahead int
}

// Tree walks the tree. Its error concerns the root, or the server (see remote.IsFatal), or is that
// of Visit.
func Tree(ctx context.Context, o Options) error {
	o.Parallel = cmp.Or(o.Parallel, 4)
	o.Ahead = cmp.Or(o.Ahead, 16<<10)
	ctx, cancel := context.WithCancel(ctx)
	if o.Translate == nil {
		o.Translate = func(err error) error { return err }
	}
	w := &walker{Options: o}
	w.queue = ahead.New(o.Ahead, 0, func(ctx context.Context, t *task) int { return w.run(ctx, &t.Value) })
	top := w.queue.Add("", directory{})
	done := w.queue.Start(ctx, o.Parallel)
	err := w.visit(ctx, top)
	if err == nil {
		err = w.end()
	}
	cancel()
	w.queue.End()
	done()
	return err
}

// task lists one directory.
type task = ahead.Task[directory]

type directory struct {
	path  string
	above *directory
	key   string

	items    []item
	problems []Problem
	err      error
}

// item is one thing found; below is the task of a directory to go into.
type item struct {
	entry *entry.Entry
	err   error
	below *task
}

// run lists a directory and queues the directories in it. It returns the number of entries.
func (w *walker) run(ctx context.Context, d *directory) int {
	if d.err = ctx.Err(); d.err != nil {
		return 0
	}
	var l Listing
	if l, d.err = w.List(ctx, d.path); d.err != nil {
		return 0
	}
	l.sort()
	d.items = make([]item, len(l.Items))
	d.problems = l.Problems
	for i, found := range l.Items {
		d.items[i].entry = found.Entry
		if found.Entry.Type != entry.Directory {
			continue
		}
		if d.within(found.Key) {
			d.items[i].err = ErrLoop
			continue
		}
		d.items[i].below = w.queue.Add(found.Entry.Path, directory{path: found.Entry.Path, above: d, key: found.Key})
	}
	return len(d.items)
}

// sort sorts the items. Of several with one name the first counts, and the others are a problem.
func (l *Listing) sort() {
	slices.SortStableFunc(l.Items, func(a, b Item) int { return strings.Compare(a.Entry.Path, b.Entry.Path) })
	kept := l.Items[:0]
	for _, found := range l.Items {
		if len(kept) > 0 && kept[len(kept)-1].Entry.Path == found.Entry.Path {
			l.Problems = append(l.Problems, Problem{found.Entry.Path, ErrTwice})
			continue
		}
		kept = append(kept, found)
	}
	l.Items = kept
}

// within reports whether key is that of d, or of a directory above it.
func (d *directory) within(key string) bool {
	if key == "" {
		return false
	}
	for ; d != nil; d = d.above {
		if d.key == key {
			return true
		}
	}
	return false
}

// walker visits what the tasks find.
type walker struct {
	Options
	queue *ahead.Queue[directory]
}

// frame is a place in the walk.
type frame struct {
	task *task
	next int
}

func (w *walker) visit(ctx context.Context, top *task) error {
	stack := []frame{{task: top}}
	for len(stack) > 0 {
		at := &stack[len(stack)-1]
		if at.next == 0 {
			if err := w.begin(ctx, at.task); err != nil {
				return err
			}
		}
		below, err := w.visitItems(ctx, at)
		switch {
		case err != nil:
			return err
		case below != nil:
			stack = append(stack, frame{task: below})
		default:
			w.queue.Release(len(at.task.Value.items))
			stack = stack[:len(stack)-1]
		}
	}
	return nil
}

// begin waits for a directory's listing and reports its problems.
func (w *walker) begin(ctx context.Context, task *task) error {
	if err := w.queue.Await(ctx, task); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t := &task.Value
	if t.err != nil && (t.path == "" || remote.IsFatal(t.err)) {
		return w.Translate(t.err)
	}
	if t.err != nil {
		return w.problem(t.path, t.err)
	}
	for _, p := range t.problems {
		if err := w.problem(p.Path, p.Err); err != nil {
			return err
		}
	}
	t.problems = nil
	return nil
}

// take visits an entry, and the root before the first one.
func (w *walker) take(e *entry.Entry) error {
	if root := w.Root; root != nil {
		w.Root = nil
		if err := w.Visit(root); err != nil {
			return err
		}
	}
	return w.Visit(e)
}

// end visits an empty root, if that is allowed.
func (w *walker) end() error {
	switch {
	case w.Root == nil:
		return nil
	case !w.AllowEmpty:
		return w.Translate(ErrEmpty)
	}
	return w.Visit(w.Root)
}

func (w *walker) problem(path string, err error) error {
	err = w.Translate(err)
	if w.Problem == nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	w.Problem(path, err)
	return nil
}

// visitItems visits items up to and including the next directory to enter.
func (w *walker) visitItems(ctx context.Context, at *frame) (*task, error) {
	items := at.task.Value.items
	for at.next < len(items) {
		found := &items[at.next]
		at.next++
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		path := found.entry.Path
		if err := w.take(found.entry); err != nil {
			return nil, err
		}
		found.entry = nil
		if found.err != nil {
			if err := w.problem(path, found.err); err != nil {
				return nil, err
			}
		}
		if found.below != nil {
			return found.below, nil
		}
	}
	return nil, nil
}
