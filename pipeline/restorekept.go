package pipeline

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/target"
)

// keepsName tells whether what is there at a name of something with several is a name of the same thing as the first one that came back. Of
// what has one name it is true.
func (r *restore) keepsName(ctx context.Context, n *tree.Node) bool {
	there := r.there[n.Path]
	if n.Links < 2 || n.Inode == 0 || there.Inode == 0 {
		return true
	}
	key := fileKey{n.Device, n.Inode}
	if first, later := r.first[key]; later {
		other := r.there[first.path]
		return first.kept && other.Device == there.Device && other.Inode == there.Inode
	}
	// The other names wait for this one, so it is read at once.
	if n.Type == entry.File && r.o.Verify && !r.o.DryRun && r.verify(ctx, n) != nil {
		return false
	}
	r.first[key] = firstName{n.Path, true}
	return true
}

// verifiedAtOnce is the number of files that are read together before they are kept.
const verifiedAtOnce = 1 << 10

// keep leaves the content of n as it is there, after a look at it if that is wanted.
func (r *restore) keep(ctx context.Context, n *tree.Node) error {
	linked := n.Links > 1 && n.Inode != 0 && r.there[n.Path].Inode != 0 // keepsName has read it
	if !r.o.Verify || n.Type != entry.File || linked {
		return r.dress(ctx, n)
	}
	if err := r.makeWay(ctx); err != nil {
		return r.problem(n.Path, err)
	}
	r.keeps = append(r.keeps, n)
	if len(r.keeps) < verifiedAtOnce {
		return nil
	}
	return r.verifyKept(ctx)
}

// verifyKept reads what is to be kept and brings back what is not as it should be.
func (r *restore) verifyKept(ctx context.Context) error {
	keeps := r.keeps
	r.keeps = nil
	outcome := make([]error, len(keeps))
	var g errgroup.Group
	g.SetLimit(r.parallel())
	for i, n := range keeps {
		g.Go(func() error {
			outcome[i] = r.verify(ctx, n)
			return nil
		})
	}
	_ = g.Wait()
	for i, n := range keeps {
		if err := r.settleKept(ctx, n, outcome[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *restore) settleKept(ctx context.Context, n *tree.Node, outcome error) error {
	switch {
	case errors.Is(outcome, ErrMismatch):
		if r.o.Plan != nil {
			r.o.Plan(&n.Entry, ActionUpdate)
		}
		return r.add(ctx, n)
	case outcome != nil:
		return r.problem(n.Path, outcome)
	}
	return r.dress(ctx, n)
}

// dress gives what is kept its metadata. A server is asked only where its listing shows that they differ.
func (r *restore) dress(ctx context.Context, n *tree.Node) error {
	if !target.Finished(r.target, r.there[n.Path], &n.Entry) {
		if err := r.target.Finish(ctx, &n.Entry); err != nil {
			return r.problem(n.Path, err)
		}
	}
	r.count(ActionKeep, n)
	return nil
}

// leaves tells whether a directory is there as it should be. It is left alone unless something in it changes.
func (r *restore) leaves(e *entry.Entry) bool {
	there := r.there[e.Path]
	return r.o.Overwrite == OverwriteIfChanged && e.Type == entry.Directory && there != nil && there.Type == entry.Directory &&
		target.Finished(r.target, there, e)
}

// leave counts a directory that is left alone, and remembers it for Delete, which may change it.
func (r *restore) leave(n *tree.Node) {
	if r.o.Plan != nil {
		r.o.Plan(&n.Entry, ActionKeep)
	}
	if r.o.Delete {
		r.left[n.Path] = r.above[len(r.above)-1]
	}
	r.count(ActionKeep, n)
}

// unleave makes a directory ready for a change in it, if it was left alone so far.
func (r *restore) unleave(ctx context.Context, path string) error {
	d := r.left[path]
	if d == nil || d.made {
		return nil
	}
	d.made = true
	r.dirs = append(r.dirs, d.entry)
	return r.target.Make(ctx, d.entry)
}
