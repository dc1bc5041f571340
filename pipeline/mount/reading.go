package mount

import (
	"container/list"
	"sync"
)

// filesAtOnce is how many files are remembered as being read. The chunk list of each is in memory.
const filesAtOnce = 64

// reading remembers which files are being read. The kernel does not say when a file is opened or
// closed, which saves two requests a file. It is safe for concurrent use.
type reading struct {
	mu     sync.Mutex
	files  map[string]*list.Element // by the path below the mount
	recent list.List                // of *readFile, what was read last first
}

type readFile struct {
	path string
	file *file
}

// get returns the file at a path. It calls open if nobody reads the file yet.
func (r *reading) get(path string, open func() (*file, error)) (*file, error) {
	if f := r.find(path); f != nil {
		return f, nil
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.files[path]; e != nil { // another one was as fast
		f.close()
		return e.Value.(*readFile).file, nil
	}
	if r.files == nil {
		r.files = map[string]*list.Element{}
	}
	r.files[path] = r.recent.PushFront(&readFile{path, f})
	if r.recent.Len() > filesAtOnce {
		r.drop(r.recent.Back())
	}
	return f, nil
}

func (r *reading) find(path string) *file {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.files[path]
	if e == nil {
		return nil
	}
	r.recent.MoveToFront(e)
	return e.Value.(*readFile).file
}

// finish forgets a file that was read to its end.
func (r *reading) finish(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.files[path]; e != nil {
		r.drop(e)
	}
}

// drop removes a file. The caller must hold the lock.
func (r *reading) drop(e *list.Element) {
	f := r.recent.Remove(e).(*readFile)
	f.file.close()
	delete(r.files, f.path)
}
