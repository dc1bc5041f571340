package catalog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
)

// Pages keeps the pages of a host's last trees in a file of the cache, so that the next backup can
// compare without an identity. The file is a list of (id, length, page). An incomplete end is
// dropped, and each page is checked against its id when it is read. One process at a time writes to
// the file. Others that have it open, and those without a cache, keep their new pages in memory,
// some 60 bytes an entry. It is safe for concurrent use.
type Pages struct {
	ids *crypto.IDKey

	mu      sync.Mutex
	path    string
	file    *os.File // nil without a cache
	own     bool     // this process may write to the file
	size    int64
	spans   map[archive.ID]span
	memory  map[archive.ID][]byte
	touched map[archive.ID]bool
	live    int64 // bytes of what was touched
}

type span struct {
	offset int64
	length uint32
}

const (
	pageHead    = 32 + 4
	largestPage = 16 << 20
)

// OpenPages opens the file name of the cache.
func OpenPages(cache *Cache, name string, ids *crypto.IDKey) (*Pages, error) {
	p := &Pages{
		ids: ids, path: cache.Path(name),
		spans: map[archive.ID]span{}, memory: map[archive.ID][]byte{}, touched: map[archive.ID]bool{},
	}
	if p.path == "" {
		return p, nil
	}
	if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
		return nil, fmt.Errorf("open the last trees: %w", err)
	}
	file, err := os.OpenFile(p.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the last trees: %w", err)
	}
	p.file = file
	if p.own, err = disk.TryLock(file); err == nil {
		err = p.scan()
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open the last trees: %w", err)
	}
	return p, nil
}

// scan finds the offsets of the pages.
func (p *Pages) scan() error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	var head [pageHead]byte
	for p.size+pageHead <= info.Size() {
		if _, err := p.file.ReadAt(head[:], p.size); err != nil {
			return err
		}
		length := binary.LittleEndian.Uint32(head[32:])
		if length > largestPage || p.size+pageHead+int64(length) > info.Size() {
			break
		}
		p.spans[archive.ID(head[:32])] = span{p.size + pageHead, length}
		p.size += pageHead + int64(length)
	}
	if !p.own {
		return nil
	}
	return p.file.Truncate(p.size)
}

// Load returns a tree.Load that takes pages from the file, and those that it lacks from other. If
// other is nil, they are missing.
func (p *Pages) Load(other tree.Load) tree.Load {
	return func(ctx context.Context, want []archive.Chunk, each func(i int, page []byte) error) error {
		var rest []archive.Chunk
		var at []int
		for i, c := range want {
			page, ok := p.read(c.ID)
			if !ok {
				rest, at = append(rest, c), append(at, i)
				continue
			}
			if err := each(i, page); err != nil {
				return err
			}
		}
		if len(rest) == 0 {
			return nil
		}
		if other == nil {
			return fmt.Errorf("page %s: %w", rest[0].ID, ErrNoPage)
		}
		return other(ctx, rest, func(i int, page []byte) error {
			if err := p.Keep(rest[i].ID, page); err != nil {
				return err
			}
			return each(at[i], page)
		})
	}
}

func (p *Pages) read(id archive.ID) ([]byte, bool) {
	p.mu.Lock()
	held, inMemory := p.memory[id]
	s, ok := p.spans[id]
	p.touch(id)
	p.mu.Unlock()
	if inMemory || !ok {
		return held, inMemory
	}
	page := make([]byte, s.length)
	if _, err := p.file.ReadAt(page, s.offset); err == nil && archive.ID(p.ids.Sum(page)) == id {
		return page, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.spans, id)
	return nil, false
}

// touch records that a page is part of a tree of this run. The caller must hold the lock.
func (p *Pages) touch(id archive.ID) {
	if s, ok := p.spans[id]; ok && !p.touched[id] {
		p.touched[id] = true
		p.live += pageHead + int64(s.length)
	}
}

// Keep adds a page. The caller may change page afterwards.
func (p *Pages) Keep(id archive.ID, page []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.own {
		if _, ok := p.spans[id]; !ok {
			p.memory[id] = bytes.Clone(page)
		}
		return nil
	}
	if _, ok := p.spans[id]; !ok {
		record := append(make([]byte, 0, pageHead+len(page)), id[:]...)
		record = binary.LittleEndian.AppendUint32(record, uint32(len(page)))
		record = append(record, page...)
		if _, err := p.file.WriteAt(record, p.size); err != nil { // the disk is full: they are kept for this run alone
			p.own, p.memory[id] = false, bytes.Clone(page)
			return nil
		}
		p.spans[id] = span{p.size + pageHead, uint32(len(page))}
		p.size += int64(len(record))
	}
	p.touch(id)
	return nil
}

// Trim rewrites the file without the pages that this run did not touch, if that makes it much
// smaller.
func (p *Pages) Trim() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.own || p.size < 2*p.live+1<<20 {
		return nil
	}
	if err := disk.Replace(p.path, disk.Options{Prefix: disk.Temporary}, p.copyTouched); err != nil {
		return fmt.Errorf("trim the last trees: %w", err)
	}
	return nil
}

func (p *Pages) copyTouched(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<20)
	for id := range p.touched {
		s := p.spans[id]
		if _, err := io.Copy(w, io.NewSectionReader(p.file, s.offset-pageHead, pageHead+int64(s.length))); err != nil {
			return err
		}
	}
	return w.Flush()
}

// Close releases the file.
func (p *Pages) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil {
		p.file.Close()
		p.file, p.own = nil, false
	}
}

// Forget drops all pages, after some of them proved to be missing.
func (p *Pages) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spans, p.memory, p.touched = map[archive.ID]span{}, map[archive.ID][]byte{}, map[archive.ID]bool{}
	if p.own && p.file.Truncate(0) == nil {
		p.size, p.live = 0, 0
	}
}

// Own reports whether the next process will find what this one adds.
func (p *Pages) Own() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.own
}
