package database

import (
	"context"
	"io"
	"sync"
)

// pipe passes a stream on in blocks. The writer is at most a few blocks ahead of the reader.
type pipe struct {
	blocks chan *[]byte
	block  *[]byte // that is being read
	rest   []byte
	err    error // of the writer; good when blocks is closed
}

// pipeBlocks is how many blocks may wait, and pipeBlock the size of each in bytes.
const (
	pipeBlocks = 8
	pipeBlock  = 64 << 10
)

var blocks = sync.Pool{New: func() any {
	b := make([]byte, 0, pipeBlock)
	return &b
}}

func newPipe() *pipe { return &pipe{blocks: make(chan *[]byte, pipeBlocks)} }

// end is called by the writer, once.
func (p *pipe) end(err error) {
	p.err = err
	close(p.blocks)
}

// Read implements io.Reader.
func (p *pipe) Read(to []byte) (int, error) {
	for len(p.rest) == 0 {
		p.release()
		block, ok := <-p.blocks
		if !ok && p.err != nil {
			return 0, p.err
		}
		if !ok {
			return 0, io.EOF
		}
		p.block, p.rest = block, *block
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *pipe) release() {
	if p.block != nil {
		blocks.Put(p.block)
		p.block = nil
	}
}

// drop frees what was not read, after the writer has ended.
func (p *pipe) drop() {
	p.rest = nil
	p.release()
	for block := range p.blocks {
		blocks.Put(block)
	}
}

// pipeWriter writes into a pipe until ctx ends.
type pipeWriter struct {
	pipe *pipe
	ctx  context.Context
}

// Write implements io.Writer.
func (w pipeWriter) Write(data []byte) (int, error) {
	written := 0
	for len(data) > 0 {
		block := blocks.Get().(*[]byte)
		n := min(len(data), pipeBlock)
		*block = append((*block)[:0], data[:n]...)
		select {
		case w.pipe.blocks <- block:
		case <-w.ctx.Done():
			blocks.Put(block)
			return written, context.Cause(w.ctx)
		}
		data = data[n:]
		written += n
	}
	return written, nil
}
