package archive

import (
	"math/bits"
	"sync"
)

// buffers keeps the memory that packs are laid out in. It lies outside the Go heap where that is
// possible, since a heap with 100 MB of buffers lets as much garbage pile up before it is
// collected. Memory is never unmapped: a store that still looks at a buffer after an answer that
// came early would crash the program. Its pages go back to the system instead.
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

// put keeps a buffer for the next that needs one of its size; the system gets its pages back until
// then.
func (b *bufferPool) put(buffer []byte) {
	release(buffer)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free == nil {
		b.free = make(map[int][][]byte)
	}
	b.free[len(buffer)] = append(b.free[len(buffer)], buffer)
}

// frameMemory keeps memory for the content of frames, which is held for a while by those who read
// in order. A piece of memory serves sizes within a quarter of its own, so that little of it is
// idle.
var frameMemory sizedMemory

type sizedMemory struct{ pools [4 * 25]sync.Pool }

const smallestMemory = 16 << 10

// class is the pool for a size, and how much memory its pieces have.
func (*sizedMemory) class(size int) (pool, capacity int) {
	size = max(size, smallestMemory)
	octave := bits.Len(uint(size-1)) - 1
	quarter := (size-1)>>(octave-2) - 4 + 1 // of the octave, 1 to 4
	return 4*octave + quarter - 1, (4 + quarter) << (octave - 2)
}

// take returns empty memory with room for size bytes, at most MaxChunk.
func (m *sizedMemory) take(size int) *[]byte {
	pool, capacity := m.class(size)
	if b, ok := m.pools[pool].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, capacity)
	return &b
}

func (m *sizedMemory) put(b *[]byte) {
	pool, _ := m.class(cap(*b))
	*b = (*b)[:0]
	m.pools[pool].Put(b)
}
