package restore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/target"
)

// CompareOptions say how a target is compared.
type CompareOptions struct {
	Parallel int // files that are read at once; 4 if 0
	Progress *pipeline.Progress
	// Differs takes what is not as the snapshot has it, from one goroutine at a time.
	Differs func(path, what string)
}

// Compared counts what was compared.
type Compared struct {
	Entries uint64
	Bytes   uint64 // of files that were read
	Differs uint64
}

// Compare compares all that a target has with a source of a snapshot, in both directions: types,
// owners, modes, times, attributes, and of files every chunk. The root of the target itself is not
// compared, nor are sockets, which do not come back.
func Compare(ctx context.Context, s *catalog.SourceState, t *tree.Tree, f *fetch.Fetcher, to target.Target, o CompareOptions) (Compared, error) {
	known, err := KnowledgeOf(ctx, s, t)
	if err != nil {
		return Compared{}, err
	}
	if o.Progress == nil {
		o.Progress = &pipeline.Progress{}
	}
	c := &comparison{o: o, restore: &restore{tree: t, fetch: f, target: to, scope: newScope("", known.Roots)}}
	return c.run(ctx)
}

// comparison is one Compare.
type comparison struct {
	*restore
	o    CompareOptions
	mu   sync.Mutex
	done Compared
}

func (c *comparison) run(ctx context.Context) (Compared, error) {
	g, reading := errgroup.WithContext(ctx)
	c.restore.o.Parallel = c.o.Parallel
	g.SetLimit(c.parallel())
	err := c.eachPair(reading, func(ctx context.Context, p pair) error {
		if c.passes(p) {
			return nil
		}
		c.done.Entries++ // this goroutine's alone
		if c.looksSame(p) && p.node.Type == entry.File {
			n := p.node.Clone()
			g.Go(func() error { return c.read(ctx, n) })
		}
		return nil
	})
	err = errors.Join(err, g.Wait())
	return c.done, err
}

// passes tells what is no part of the comparison.
func (c *comparison) passes(p pair) bool {
	switch {
	case p.node == nil:
		return p.there.isDirectory() && c.scope.leads[p.there.Path]
	case p.node.Path == "", p.node.Type == entry.Socket:
		return true
	}
	return p.node.IsMark() && p.there == nil
}

// looksSame tells of what can be seen without reading, and whether all of that is the same.
func (c *comparison) looksSame(p pair) bool {
	what := ""
	switch {
	case p.node == nil || p.node.IsMark():
		what = "is not in the snapshot"
	case p.there == nil:
		what = "is missing"
	default:
		what = c.seen(p.there.Entry, &p.node.Entry)
	}
	if what != "" {
		c.differs(p.path(), what)
	}
	return what == ""
}

// seen says how what is there differs from what is wanted, "" if it does not.
func (c *comparison) seen(there, want *entry.Entry) string {
	switch {
	case there.Type != want.Type:
		return fmt.Sprintf("is a %s, not a %s", there.Type.Word(), want.Type.Word())
	case want.Type == entry.File && there.Size != want.Size:
		return fmt.Sprintf("has %d bytes, not %d", there.Size, want.Size)
	case there.Target != want.Target:
		return "leads elsewhere"
	case there.NodeDevice != want.NodeDevice:
		return "is another device"
	case target.Finished(c.target, there, want):
		return ""
	case want.Type != entry.Symlink && there.Mode != want.Mode:
		return fmt.Sprintf("has mode %04o, not %04o", there.Mode, want.Mode)
	case want.HasModTime() && there.ModTime != want.ModTime:
		return "has another modification time"
	}
	return "has another owner, or other attributes"
}

// read compares the content of a file.
func (c *comparison) read(ctx context.Context, n *tree.Node) error {
	err := c.verify(ctx, n)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		c.differs(n.Path, err.Error())
		return nil
	}
	c.o.Progress.FilesDone.Add(1)
	c.o.Progress.BytesDone.Add(uint64(n.Size))
	c.mu.Lock()
	c.done.Bytes += uint64(n.Size)
	c.mu.Unlock()
	return nil
}

func (c *comparison) differs(path, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done.Differs++
	if c.o.Differs != nil {
		c.o.Differs(path, what)
	}
}
