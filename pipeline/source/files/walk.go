package files

import (
	"context"
	"fmt"
	"io/fs"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/source"
)

// Walk lists the tree. It returns an error that names the root where a root is missing or empty
// (source.ErrEmpty), or where the only one cannot be listed.
func (s *Source) Walk(ctx context.Context, v source.Visitor) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return newWalk(s).run(ctx, v)
}

// run walks with as many workers as the options say.
func (w *walk) run(ctx context.Context, v source.Visitor) error {
	first := &folder{branch: w.source.roots, all: w.source.roots.root}
	if err := w.source.visitRoot(first, v); err != nil {
		return err
	}
	top := w.add(first, 0, "")
	var workers sync.WaitGroup
	for range w.source.options.Parallel {
		workers.Go(w.work)
	}
	defer workers.Wait()
	defer w.end()
	return w.visit(ctx, top, v)
}

// visitRoot examines the top directory and visits it if it is the source's root.
func (s *Source) visitRoot(first *folder, v source.Visitor) error {
	dir, err := s.tree.Open("")
	if err != nil {
		return rootError(s.base, err)
	}
	defer dir.Release()
	var st local.Stat
	if err := local.Fstat(dir.FD, &st); err != nil {
		return translate(&fs.PathError{Op: "stat", Path: s.base, Err: err})
	}
	first.device = uint64(st.Dev)
	if !s.roots.root {
		return nil
	}
	e := new(entry.Entry)
	s.describe(&st, e)
	return v.Visit(e)
}

// frame is a place in the walk: what comes next in one directory.
type frame struct {
	task  *task
	next  int
	freed int // items that no longer count as held
}

// visit hands out what the tasks find, in order. It runs a task itself that it needs and nobody has begun, so it
// never waits for the workers, who do not run further ahead than a limit.
func (w *walk) visit(ctx context.Context, top *task, v source.Visitor) error {
	stack := []frame{{task: top}}
	for len(stack) > 0 {
		at := &stack[len(stack)-1]
		if at.next == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			w.await(at.task)
			if err := w.problem(at.task, v); err != nil {
				return err
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

// visitItems visits up to and with the next directory whose content is to follow.
func visitItems(at *frame, v source.Visitor) (*task, error) {
	items := at.task.items
	for at.next < len(items) {
		item := &items[at.next]
		at.next++
		if item.err != nil {
			if item.fatal {
				return nil, item.err
			}
			v.Problem(item.entry.Path, item.err)
			continue
		}
		if err := v.Visit(item.entry); err != nil {
			return nil, err
		}
		item.entry = nil
		if item.below != nil {
			return item.below, nil
		}
	}
	return nil, nil
}

// problem hands out that a directory could not be listed; for the source's only root that is the end.
func (w *walk) problem(t *task, v source.Visitor) error {
	f := t.folder
	root := f.branch != nil && f.branch.root
	switch {
	case t.err == nil && t.from == 0 && root && f.empty && !w.source.options.AllowEmpty:
		return fmt.Errorf("%s: %w", w.source.file(f.path), source.ErrEmpty)
	case t.err == nil:
		return nil
	case root && !w.source.options.Absolute:
		return t.err
	}
	v.Problem(f.path, t.err)
	return nil
}
