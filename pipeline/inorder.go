package pipeline

import (
	"context"
	"fmt"
	"iter"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
)

// Reading is who takes what InOrder reads, in one goroutine.
type Reading struct {
	// Begin is told each node before its content.
	Begin func(n *tree.Node) error
	// Data takes the next bytes of the node that began last. They are good until it returns.
	Data func(data []byte) error
}

// batchNodes bounds how many nodes are fetched at once.
const batchNodes = 4 << 10

// InOrder reads nodes and their content one after the other, for what is written in order: a tar, a pipe. It fetches ahead, many small
// files at a time, and holds some 30 MiB. Content that cannot be had ends it with an error that names the node.
func InOrder(ctx context.Context, f *Fetcher, nodes iter.Seq2[*tree.Node, error], to Reading) error {
	ctx, cancel := context.WithCancel(ctx)
	r := &inOrder{fetch: f, batches: make(chan *contentBatch, 1), batch: &contentBatch{}}
	go func() {
		defer close(r.batches)
		r.failed = r.produce(ctx, nodes)
	}()
	err := r.consume(to)
	cancel()
	for range r.batches {
	}
	if err != nil {
		return err
	}
	return r.failed
}

// inOrder is one run of InOrder.
type inOrder struct {
	fetch   *Fetcher
	batches chan *contentBatch
	batch   *contentBatch // that is being filled
	failed  error         // of produce; good when batches is closed
}

// contentBatch is what is fetched at once.
type contentBatch struct {
	parts  []part
	chunks []archive.Chunk
	bytes  int
	data   [][]byte
}

// part is a node, or a piece of one that takes several batches.
type part struct {
	node   *tree.Node
	begins bool
	chunks int
}

func (r *inOrder) produce(ctx context.Context, nodes iter.Seq2[*tree.Node, error]) error {
	for n, err := range nodes {
		if err != nil {
			return err
		}
		if err := r.take(ctx, n.Clone()); err != nil {
			return err
		}
	}
	return r.send(ctx)
}

// take adds a node to the batch, and sends what is full.
func (r *inOrder) take(ctx context.Context, n *tree.Node) error {
	r.batch.parts = append(r.batch.parts, part{node: n, begins: true})
	for _, c := range n.Chunks {
		if r.batch.bytes+int(c.Length) > batchBytes && r.batch.bytes > 0 {
			if err := r.send(ctx); err != nil {
				return err
			}
			r.batch.parts = append(r.batch.parts, part{node: n})
		}
		r.batch.chunks = append(r.batch.chunks, c)
		r.batch.bytes += int(c.Length)
		r.batch.parts[len(r.batch.parts)-1].chunks++
	}
	if len(r.batch.parts) < batchNodes {
		return nil
	}
	return r.send(ctx)
}

// send fetches the batch and passes it on.
func (r *inOrder) send(ctx context.Context) error {
	b := r.batch
	r.batch = &contentBatch{}
	if err := r.gather(ctx, b); err != nil {
		return err
	}
	select {
	case r.batches <- b:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// gather fetches the content of a batch. If that fails, it finds out at which node.
func (r *inOrder) gather(ctx context.Context, b *contentBatch) error {
	var err error
	if b.data, err = r.fetch.Gather(ctx, b.chunks); err == nil || ctx.Err() != nil {
		return err
	}
	chunks := b.chunks
	for _, p := range b.parts {
		if _, err := r.fetch.Gather(ctx, chunks[:p.chunks]); err != nil {
			return fmt.Errorf("read %s: %w", p.node.Path, err)
		}
		chunks = chunks[p.chunks:]
	}
	return err
}

func (r *inOrder) consume(to Reading) error {
	for b := range r.batches {
		data := b.data
		for _, p := range b.parts {
			if err := p.deliver(data[:p.chunks], to); err != nil {
				return err
			}
			data = data[p.chunks:]
		}
	}
	return nil
}

func (p *part) deliver(data [][]byte, to Reading) error {
	if p.begins {
		if err := to.Begin(p.node); err != nil {
			return err
		}
	}
	for _, d := range data {
		if err := to.Data(d); err != nil {
			return err
		}
	}
	return nil
}
