package archive

import (
	"sync"
	"time"
)

// spilled is a sealed pack in an unnamed file, where it waits for the store. It is read through
// mapped memory, so that the system may drop its pages at any time.
type spilled struct {
	file   *spillFile
	pool   *spillPool
	object []byte // the stored bytes
}

// spillFiles are the spill files of this process that hold no pack at present. They are never
// unmapped, for the same reason as buffers.
var spillFiles spillPool

type spillPool struct {
	mu   sync.Mutex
	free map[spillKind][]*spillFile
}

// spillKind is the directory of a spill file, and its size.
type spillKind struct {
	dir  string
	size int
}

// keep writes an object of at most kind.size bytes to a file.
func (p *spillPool) keep(kind spillKind, object []byte) (*spilled, error) {
	file, err := p.take(kind)
	if err != nil {
		return nil, err
	}
	s := &spilled{file: file, pool: p}
	if s.object, err = file.write(object); err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

func (p *spillPool) take(kind spillKind) (*spillFile, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.free[kind]
	if len(list) == 0 {
		return newSpillFile(kind)
	}
	p.free[kind] = list[:len(list)-1]
	return list[len(list)-1], nil
}

// drop returns the file to the pool, and its blocks to the file system.
func (s *spilled) drop() {
	s.file.empty()
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.pool.free == nil {
		s.pool.free = make(map[spillKind][]*spillFile)
	}
	s.pool.free[s.file.kind] = append(s.pool.free[s.file.kind], s.file)
}

// shrinkEvery is how often sending drops the mapped pages of an object while it is sent.
const shrinkEvery = 50 * time.Millisecond

// sending keeps dropping the mapped pages of an object until stop is called.
func (s *spilled) sending() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(shrinkEvery)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				s.file.shrink()
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
