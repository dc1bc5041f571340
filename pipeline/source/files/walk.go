package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/source"
)

// Walk lists the tree. Its error names the root if a root is missing, cannot be listed, is empty
// (source.ErrEmpty), is no longer mounted since the last snapshot (source.ErrUnmounted) or
// disappears while Walk runs (source.ErrUnreachable). Walk returns when ctx ends, even if calls to
// a server hang.
func (s *Source) Walk(ctx context.Context, v source.Visitor) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := wait(ctx, func() error { return s.guard(ctx) }); err != nil {
		return err
	}
	return newWalk(s).run(ctx, v)
}

// run walks with Options.Parallel workers.
func (w *walk) run(ctx context.Context, v source.Visitor) error {
	first := &folder{branch: w.source.roots, all: w.source.roots.root}
	e, err := w.source.examineTop(ctx, first)
	if err != nil {
		return err
	}
	if w.source.roots.root {
		if err := v.Visit(e); err != nil {
			return err
		}
	}
	top := w.add(first, 0, "")
	workers := w.queue.Start(ctx, max(w.source.options.Parallel, w.source.Readers()))
	defer func() {
		w.queue.End()
		_ = wait(ctx, func() error { workers(); return nil })
	}()
	return w.visit(ctx, top, v)
}

// examineTop examines the top directory.
func (s *Source) examineTop(ctx context.Context, first *folder) (*entry.Entry, error) {
	var st local.Stat
	err := wait(ctx, func() error {
		dir, err := s.tree.Open("")
		if err != nil {
			return rootError(s.base, err)
		}
		defer dir.Release()
		if err := local.Fstat(dir.FD, &st); err != nil {
			return rootError(s.base, &fs.PathError{Op: "stat", Path: s.base, Err: err})
		}
		s.devices.learn(uint64(st.Dev), dir.FD)
		return nil
	})
	if err != nil {
		return nil, err
	}
	first.device = uint64(st.Dev)
	e := new(entry.Entry)
	s.describe(&st, e)
	s.remember(e)
	return e, nil
}

// frame is the position of the walk in one directory.
type frame struct {
	task  *task
	next  int
	freed int // items that no longer count as held
}

// visit passes what the tasks find to the visitor, in order. If no worker has begun a task that
// visit needs, the task begins at once, despite the limit on how far workers run ahead.
func (w *walk) visit(ctx context.Context, top *task, v source.Visitor) error {
	stack := []frame{{task: top}}
	for len(stack) > 0 {
		at := &stack[len(stack)-1]
		if at.next == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.queue.Await(ctx, at.task); err != nil {
				return err
			}
			if err := w.problem(&at.task.Value, v); err != nil {
				return err
			}
			if b := &at.task.Value; b.folder.marked && b.from == 0 {
				source.Leave(v, b.folder.path, entry.Excluded)
			}
		}
		below, err := visitItems(at, v)
		switch {
		case err != nil:
			return err
		case below != nil:
			w.free(at)
			stack = append(stack, frame{task: below})
		default:
			w.leave(at)
			if at.task == nil {
				stack = stack[:len(stack)-1]
			}
		}
	}
	return nil
}

// visitItems visits items up to and including the next directory whose content must follow.
func visitItems(at *frame, v source.Visitor) (*task, error) {
	items := at.task.Value.items
	for at.next < len(items) {
		item := &items[at.next]
		at.next++
		if item.err != nil {
			if item.fatal || errors.Is(item.err, source.ErrFailed) {
				return nil, item.err
			}
			v.Problem(item.entry.Path, item.err)
			continue
		}
		if item.left != entry.Captured {
			source.Leave(v, item.entry.Path, item.left)
			continue
		}
		if err := v.Visit(item.entry); err != nil {
			return nil, err
		}
		below := item.below
		item.entry, item.below = nil, nil // else the first block of a directory keeps all that were visited in it
		if below != nil {
			return below, nil
		}
	}
	return nil, nil
}

// problem reports that a directory could not be listed; for a root that ends the walk.
func (w *walk) problem(t *block, v source.Visitor) error {
	f := t.folder
	root := f.branch != nil && f.branch.root
	switch {
	case t.err == nil && t.from == 0 && root && f.empty && !w.source.options.AllowEmpty:
		return fmt.Errorf("%s: %w", w.source.file(f.path), source.ErrEmpty)
	case t.err == nil:
		return nil
	case root, errors.Is(t.err, source.ErrUnreachable), errors.Is(t.err, source.ErrFailed):
		return t.err
	}
	v.Problem(f.path, t.err)
	return nil
}
