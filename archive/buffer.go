package archive

import "sync"

// buffers keeps the memory that packs are laid out in. It lies outside the Go heap where that is possible, since
// a heap with 100 MB of buffers lets as much garbage pile up before it is collected. Memory is never unmapped: a store that
// still looks at a buffer after an answer that came early would crash the program. Its pages go back to
// the system instead.
var buffers bufferPool

type bufferPool struct {
	mu   sync.Mutex
	free map[int][][]byte // by size
}

// take returns a buffer of size bytes with any contents.
func (b *bufferPool) take(size int) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.free[size]
	if len(list) == 0 {
		return allocate(size)
	}
	last := len(list) - 1
	buffer := list[last]
	list[last] = nil
	b.free[size] = list[:last]
	return buffer, nil
}

// put keeps a buffer for the next that needs one of its size; the system gets its pages back until then.
func (b *bufferPool) put(buffer []byte) {
	release(buffer)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free == nil {
		b.free = make(map[int][][]byte)
	}
	b.free[len(buffer)] = append(b.free[len(buffer)], buffer)
}
