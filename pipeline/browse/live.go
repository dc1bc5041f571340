package browse

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/source"
)

// Live takes what differs between a source in a snapshot and the same source as it is now.
type Live struct {
	// Each takes a difference; its nodes are good until it returns.
	Each func(kind Kind, c *tree.Change) error
	// Problem takes what cannot be looked at now. Nothing is said of what was there.
	Problem func(path string, err error)
}

// Compare walks a source and compares it with its tree in step. Nothing is read of contents: a file
// counts as modified if its size, its time or its identity on a server is another one, as for a
// backup.
func (l Live) Compare(ctx context.Context, t *tree.Tree, src source.Source) error {
	next, stop := iter.Pull2(t.Below(ctx, ""))
	defer stop()
	w := &liveWalk{Live: l, ctx: ctx, src: src, next: next}
	if err := w.advance(); err != nil {
		return err
	}
	if err := src.Walk(ctx, w); err != nil {
		return fmt.Errorf("look at what is there now: %w", err)
	}
	for w.old != nil {
		if err := w.gone(); err != nil {
			return err
		}
	}
	return nil
}

// liveWalk visits what is there now, beside what was.
type liveWalk struct {
	Live
	ctx     context.Context
	src     source.Source
	next    func() (*tree.Node, error, bool)
	old     *tree.Node // the next one of the snapshot; nil: there is none
	unknown []string   // below these, and of these, nothing is known now
}

var _ source.Witness = (*liveWalk)(nil)

// Visit takes an entry that is there.
func (w *liveWalk) Visit(e *entry.Entry) error {
	for w.old != nil && entry.ComparePaths(w.old.Path, e.Path) < 0 {
		if err := w.gone(); err != nil {
			return err
		}
	}
	now := &tree.Node{Entry: *e}
	if w.old == nil || w.old.Path != e.Path {
		return w.Each(Added, &tree.Change{Path: e.Path, New: now})
	}
	kind, err := w.kind(w.old, now)
	switch {
	case errors.Is(err, source.ErrVanished):
		return w.gone()
	case err != nil:
		w.Live.Problem(e.Path, err)
	case kind != "":
		if err := w.Each(kind, &tree.Change{Path: e.Path, Old: w.old, New: now}); err != nil {
			return err
		}
	}
	return w.advance()
}

// Problem notes what cannot be looked at.
func (w *liveWalk) Problem(path string, err error) {
	w.unknown = append(w.unknown, path)
	w.Live.Problem(path, err)
}

// Leave notes what is left out now.
func (w *liveWalk) Leave(path string, _ entry.Reason) { w.unknown = append(w.unknown, path) }

// gone tells that what the snapshot has next is not there, unless that is not known.
func (w *liveWalk) gone() error {
	path := w.old.Path
	w.unknown = slices.DeleteFunc(w.unknown, func(dir string) bool { return !entry.Within(path, dir) && entry.ComparePaths(dir, path) < 0 })
	if !slices.ContainsFunc(w.unknown, func(dir string) bool { return entry.Within(path, dir) }) {
		if err := w.Each(Removed, &tree.Change{Path: path, Old: w.old}); err != nil {
			return err
		}
	}
	return w.advance()
}

func (w *liveWalk) advance() error {
	n, err, ok := w.next()
	if w.old = n; !ok {
		w.old = nil
	}
	return err
}

// kind says how an entry differs. What a listing does not give is asked for only where something
// differs.
func (w *liveWalk) kind(old, now *tree.Node) (Kind, error) {
	if old.Type != now.Type {
		return Retyped, nil
	}
	was := old.Entry
	was.Fuzzy = false // of what was written just then, its times tell enough here
	if was.Type == entry.Directory {
		was.Unknown = now.Unknown
	}
	if s, ok := w.src.(source.Identifying); ok && was.Type == entry.File && s.SameContent(&was, &now.Entry) {
		was.ModTime = now.ModTime
	}
	if entry.Unchanged(&was, &now.Entry) {
		return "", nil
	}
	if was.Type == entry.File && (was.Size != now.Size || was.ModTime != now.ModTime || was.Identity != now.Identity) {
		return Modified, nil
	}
	if err := w.src.Detail(w.ctx, &now.Entry); err != nil {
		return "", err
	}
	switch {
	case was.Target != now.Target || was.NodeDevice != now.NodeDevice:
		return Modified, nil
	case !sameMetadata(&was, &now.Entry):
		return Touched, nil
	}
	return "", nil
}
