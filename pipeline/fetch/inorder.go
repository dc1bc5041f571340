package fetch

import (
	"context"
	"fmt"
	"iter"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
)

// Reading receives what InOrder reads, in one goroutine.
type Reading struct {
	// Begin is called with each node before its content.
	Begin func(n *tree.Node) error
	// Data is called with the next bytes of the node that began last. They are valid until it
	// returns.
	Data func(data []byte) error
}

// The sizes of a window, which is planned at once. A restore uses the same.
const (
	WindowNodes  = 16 << 10
	WindowChunks = 64 << 10
)

// InOrder reads nodes and their content one after the other, for output that is written in order,
// such as a tar or a pipe. Unreadable content ends it with an error that names the node.
func (f *Fetcher) InOrder(ctx context.Context, nodes iter.Seq2[*tree.Node, error], to Reading) error {
	ctx, cancel := context.WithCancel(ctx)
	r := &inOrder{ahead: f.Ahead(ctx), windows: make(chan []nodeContent)}
	go func() {
		defer close(r.windows)
		r.failed = r.produce(ctx, nodes)
	}()
	err := r.consume(to)
	cancel()
	r.ahead.Close()
	for range r.windows {
	}
	if err != nil {
		return err
	}
	return r.failed
}

// inOrder is one run of InOrder.
type inOrder struct {
	ahead   *Ahead
	windows chan []nodeContent
	failed  error // of produce; good when windows is closed
}

// nodeContent is a node and its content that is being fetched.
type nodeContent struct {
	node    *tree.Node
	content *Content
}

func (r *inOrder) produce(ctx context.Context, nodes iter.Seq2[*tree.Node, error]) error {
	var window []*tree.Node
	chunks := 0
	for n, err := range nodes {
		if err != nil {
			return err
		}
		window = append(window, n.Clone())
		chunks += len(n.Chunks)
		if len(window) < WindowNodes && chunks < WindowChunks {
			continue
		}
		if err := r.send(ctx, window); err != nil {
			return err
		}
		window, chunks = nil, 0
	}
	return r.send(ctx, window)
}

// send requests the content of a window, and passes the window on.
func (r *inOrder) send(ctx context.Context, window []*tree.Node) error {
	lists := make([][]archive.Chunk, len(window))
	for i, n := range window {
		lists[i] = n.Chunks
	}
	out := make([]nodeContent, len(window))
	for i, c := range r.ahead.Add(lists...) {
		out[i] = nodeContent{window[i], c}
	}
	select {
	case r.windows <- out:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *inOrder) consume(to Reading) error {
	for window := range r.windows {
		for i := range window {
			if err := window[i].deliver(to); err != nil {
				return err
			}
			window[i] = nodeContent{} // so that what was read is not kept
		}
	}
	return nil
}

func (n *nodeContent) deliver(to Reading) error {
	defer n.content.Close()
	if err := to.Begin(n.node); err != nil {
		return err
	}
	for data, err := range n.content.All() {
		if err != nil {
			return fmt.Errorf("read %s: %w", n.node.Path, err)
		}
		if err := to.Data(data); err != nil {
			return err
		}
	}
	return nil
}
