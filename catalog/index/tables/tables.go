// Package tables stores the content of index runs on disk, so that chunks are looked up without
// holding the index in memory. It is a cache of the runs, not part of the repository's format:
// every page has a checksum, and damaged files are rebuilt.
//
// A directory contains a file of chunks and one of packs, which only grow; tables of keys, sorted
// by the first eight bytes of ids and names of packs, which never change and are merged as they
// become many; and a manifest, replaced atomically, which says what counts of these. So any number
// of processes may read while one, which holds the lock, extends. Each table has a filter, so that
// absent chunks cost no reading, and a fence for each page, so that present ones cost one page of
// keys and one of chunks. In memory are the fences (8 bytes for 314 keys), and the parts of the
// filter (11 bits a key) that were used.
//
// The package relies on ids and names of packs being hashes, and so evenly distributed.
package tables

import (
	"crypto/rand"
	"encoding/binary"
	"errors"

	"github.com/packstone/packstone/archive"
)

// Sentinel errors; compare with errors.Is.
var (
	// ErrDamaged: a file is missing, or not as it was written. The content of the directory must be
	// rebuilt.
	ErrDamaged = errors.New("the index on disk is damaged")
	// ErrBusy: another process is extending the tables.
	ErrBusy = errors.New("another process extends the index on disk")
)

// random returns a random number for a new file.
func random() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

const (
	chunkSize = 32 + 6*4
	packSize  = 64
	maxPacks  = 1 << 32
)

// chunkRecord is the entry of a chunk.
type chunkRecord struct {
	pack  uint32 // its number
	chunk archive.Chunk
}

func (r *chunkRecord) put(b []byte) {
	copy(b, r.chunk.ID[:])
	p := &r.chunk.Place
	for i, value := range [...]uint32{r.pack, p.Ordinal, r.chunk.Length, p.Frame, p.Stored, p.Start} {
		binary.LittleEndian.PutUint32(b[32+4*i:], value)
	}
}

func getChunk(b []byte) (r chunkRecord) {
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(b[32+4*i:]) }
	r.pack = at(0)
	r.chunk = archive.Chunk{ID: archive.ID(b[:32]), Length: at(2)}
	r.chunk.Place = archive.Place{Ordinal: at(1), Frame: at(3), Stored: at(4), Start: at(5)}
	return r
}

// Pack is the entry of a pack in an index run.
type Pack struct {
	archive.Pack
	Run    int // the number of that run in the Set
	Chunks int

	number uint32
	first  int64 // number of its first chunk
}

// Number returns the pack's number in its Set.
func (p *Pack) Number() uint32 { return p.number }

// Codes of kinds of packs; 0 fills a page that was ended early.
const (
	codeData  = 1
	codeTrees = 2
)

func (p *Pack) put(b []byte) {
	copy(b, p.Name[:])
	b[32] = codeData
	if p.Kind == archive.Trees {
		b[32] = codeTrees
	}
	for i, value := range [...]uint32{p.Size, p.Header, uint32(p.Run), uint32(p.Chunks)} {
		binary.LittleEndian.PutUint32(b[36+4*i:], value)
	}
	binary.LittleEndian.PutUint64(b[52:], uint64(p.first))
}

// getPack decodes a pack's entry. It returns nil if there is none.
func getPack(b []byte, number uint32) *Pack {
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(b[36+4*i:]) }
	p := &Pack{Run: int(at(2)), Chunks: int(at(3)), number: number, first: int64(binary.LittleEndian.Uint64(b[52:]))}
	p.Name, p.Size, p.Header = archive.Name(b[:32]), at(0), at(1)
	switch b[32] {
	case codeData:
		p.Kind = archive.Data
	case codeTrees:
		p.Kind = archive.Trees
	default:
		return nil
	}
	return p
}

// prefix returns the bytes by which keys are sorted, as a number.
func prefix(id []byte) uint64 { return binary.BigEndian.Uint64(id) }
