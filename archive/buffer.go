package archive

import (
	"math/bits"
	"sync"
)

// buffers pools the memory in which packs are assembled. It lies outside the Go heap where that is
// possible: on a heap with 100 MB of buffers, the collector lets as much garbage pile up before it
// runs. Memory is never unmapped, since a store may still read a buffer after it has answered
// early, and would crash the program. The pages go back to the system instead.
var buffers bufferPool

type bufferPool struct {
	mu   sync.Mutex
	free map[int][][]byte // by size
}

// take returns a buffer of size bytes with arbitrary content.
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

// put keeps a buffer for the next caller that needs its size. Until then the system may use its
// pages.
func (b *bufferPool) put(buffer []byte) {
	release(buffer)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free == nil {
		b.free = make(map[int][][]byte)
	}
	b.free[len(buffer)] = append(b.free[len(buffer)], buffer)
}

// frameMemory pools memory for the content of frames, which readers in order hold for a while. A
// piece of memory serves sizes down to four fifths of its own, so that little of it is idle.
var frameMemory sizedMemory

type sizedMemory struct{ pools [4 * 25]sync.Pool }

const smallestMemory = 16 << 10

// class returns the pool for a size, and how much memory its pieces have.
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
