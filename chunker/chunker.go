// Package chunker cuts a stream into chunks whose boundaries follow the contents, so that an insert
// or a delete changes the chunks around it and no others.
//
// The algorithm is Gear with a keyed table. For every position p of the stream
//
//	h(p) = Σ table[b(p-1-i)] << i, i = 0…63     (64 bits, what overflows is dropped)
//
// is a function of the key and of the 64 bytes before p alone. Position p is a candidate when h(p)
// < ⌊(2^64−1) / (average − min)⌋. A chunk ends at its first candidate that is at least min and at
// most max bytes from its start, else at max; the stream's last chunk ends where the stream ends.
// Beyond min the distance to the next candidate is geometric with mean average − min, so the mean
// chunk is the average (the cap at max takes 0.1 % off where max is 4 times the average).
//
// The table holds 256 values of 64 bits. They are read, little-endian, from the extendable output
// of BLAKE3 keyed with the chunker's key over the ASCII text "packstone/v1 gear table"; a value v
// with 2^64 − v < 2^56 is skipped. A run of one byte b has h = −table[b], so skipping keeps any
// such run (zeros above all) free of candidates: it is cut at max.
//
// The key keeps whoever sees only sizes from looking up known files by their cuts. It is no proof
// against an adversary who can choose what is backed up: a secret table is weaker than a
// pseudo-random function.
package chunker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/zeebo/blake3"
)

// window is the number of bytes before a position that decide whether it is a candidate.
const window = 64

// Chunker cuts data of one class with one key. It holds no state of a stream: any number of
// goroutines may use one Chunker.
type Chunker struct {
	table     [256]uint64
	threshold uint64
	class     Class
}

// New returns a chunker for a class and a key. It panics if the class does not pass Check.
func New(class Class, key [32]byte) *Chunker {
	if err := class.Check(); err != nil {
		panic(err.Error())
	}
	c := &Chunker{class: class, table: gearTable(key)}
	if !class.Fixed {
		c.threshold = math.MaxUint64 / uint64(class.Average-class.Min)
	}
	return c
}

// gearTable expands a key; the package comment defines how.
func gearTable(key [32]byte) (table [256]uint64) {
	hasher, err := blake3.NewKeyed(key[:])
	if err != nil {
		panic(fmt.Sprintf("key a hash with 32 bytes: %v", err))
	}
	hasher.Write([]byte("packstone/v1 gear table"))
	stream, word := hasher.Digest(), [8]byte{}
	for i := 0; i < len(table); {
		stream.Read(word[:])
		v := binary.LittleEndian.Uint64(word[:])
		if -v < 1<<56 {
			continue
		}
		table[i] = v
		i++
	}
	return table
}

// Class returns the class that the chunker cuts for.
func (c *Chunker) Class() Class { return c.class }

// Format prints the class. It never prints the key, nor anything derived from it.
func (c *Chunker) Format(state fmt.State, _ rune) { fmt.Fprintf(state, "chunker %s", c.class.Name) }

// Cut returns the length of the first chunk of data. data must begin where a chunk begins; end says
// that the stream ends with data. Cut returns 0 if it needs more data to decide, which it never
// does with Max bytes or, if end is set, with any number of bytes.
//
// The result does not depend on how much data follows the chunk, so callers may pass portions of
// any size; with Max bytes or more no byte is scanned twice. Cut does not allocate.
func (c *Chunker) Cut(data []byte, end bool) int {
	n := min(len(data), c.class.Max)
	if !c.class.Fixed && n > c.class.Min && !AllZero(data[:n]) {
		if p := c.scan(data[:n], c.class.Min); p > 0 {
			return p
		}
	}
	if n == c.class.Max || end {
		return n
	}
	return 0
}

// zeros is what AllZero compares with. It is small enough to stay in the first-level cache.
var zeros [4 << 10]byte

// AllZero reports whether all bytes of data are zero. Zeros have no candidates, and comparing them
// is many times as fast as hashing them. On other data it stops at the first bytes.
func AllZero(data []byte) bool {
	for len(data) > 0 {
		n := min(len(data), len(zeros))
		if !bytes.Equal(data[:n], zeros[:n]) {
			return false
		}
		data = data[n:]
	}
	return true
}

// Each step of a Gear hash waits for the step before. A hash depends on 64 bytes only, so hashes of
// distant bytes are independent: four lanes side by side more than double the speed.
const (
	lane  = 1 << 10
	block = 4 * lane
)

// scan returns the first candidate in [from, len(data)], or 0. It needs from ≥ window.
func (c *Chunker) scan(data []byte, from int) int {
	if p := c.scanBytes(data[:from], from); p > 0 {
		return p
	}
	at := from
	for ; len(data)-at >= block; at += block {
		quiet := c.quietBytes((*[window + block]byte)(data[at-window:]))
		if quiet == lane {
			continue
		}
		for end := at + lane; end <= at+block; end += lane {
			if p := c.scanBytes(data[:end], end-lane+quiet); p > 0 {
				return p
			}
		}
	}
	return c.scanBytes(data, at)
}

// quietBytes returns a number of bytes at the start of each of a block's four lanes after which
// there is no candidate: all of the lane, or up to 3 less than possible.
func (c *Chunker) quietBytes(data *[window + block]byte) int {
	table, threshold := &c.table, c.threshold
	d0, d1 := (*[window + lane]byte)(data[:]), (*[window + lane]byte)(data[lane:])
	d2, d3 := (*[window + lane]byte)(data[2*lane:]), (*[window + lane]byte)(data[3*lane:])
	var h0, h1, h2, h3 uint64
	for i := range window {
		h0 = h0<<1 + table[d0[i]]
		h1 = h1<<1 + table[d1[i]]
		h2 = h2<<1 + table[d2[i]]
		h3 = h3<<1 + table[d3[i]]
	}
	for i := window; i <= window+lane-4; i += 4 {
		h0 = h0<<1 + table[d0[i]]
		h1 = h1<<1 + table[d1[i]]
		h2 = h2<<1 + table[d2[i]]
		h3 = h3<<1 + table[d3[i]]
		if h0 < threshold || h1 < threshold || h2 < threshold || h3 < threshold {
			return i - window
		}
		h0 = h0<<1 + table[d0[i+1]]
		h1 = h1<<1 + table[d1[i+1]]
		h2 = h2<<1 + table[d2[i+1]]
		h3 = h3<<1 + table[d3[i+1]]
		if h0 < threshold || h1 < threshold || h2 < threshold || h3 < threshold {
			return i - window
		}
		h0 = h0<<1 + table[d0[i+2]]
		h1 = h1<<1 + table[d1[i+2]]
		h2 = h2<<1 + table[d2[i+2]]
		h3 = h3<<1 + table[d3[i+2]]
		if h0 < threshold || h1 < threshold || h2 < threshold || h3 < threshold {
			return i - window
		}
		h0 = h0<<1 + table[d0[i+3]]
		h1 = h1<<1 + table[d1[i+3]]
		h2 = h2<<1 + table[d2[i+3]]
		h3 = h3<<1 + table[d3[i+3]]
		if h0 < threshold || h1 < threshold || h2 < threshold || h3 < threshold {
			return i - window
		}
	}
	return lane
}

// scanBytes does what scan does, without lanes.
func (c *Chunker) scanBytes(data []byte, from int) int {
	var h uint64
	for _, b := range data[from-window : from] {
		h = h<<1 + c.table[b]
	}
	if h < c.threshold {
		return from
	}
	for i, b := range data[from:] {
		if h = h<<1 + c.table[b]; h < c.threshold {
			return from + i + 1
		}
	}
	return 0
}

// Candidates appends to dst every candidate position p of data with max(from, 64) ≤ p ≤ len(data),
// in ascending order. Several workers can scan one large stream with it: each passes a segment and
// the 64 bytes before it, and Select then finds the cuts that Cut would find. A full scan costs
// twice as much as Cut, which skips the first Min bytes of each chunk.
func (c *Chunker) Candidates(data []byte, from int, dst []int) []int {
	if c.class.Fixed {
		return dst
	}
	for from = max(from, window); from <= len(data); {
		p := c.scan(data, from)
		if p == 0 {
			break
		}
		dst, from = append(dst, p), p+1
	}
	return dst
}

// Select returns the end of the chunk that begins at start, in a stream of size bytes. candidates
// are those of the stream, in ascending order; rest are those that later chunks may still need.
func (c *Chunker) Select(start, size int, candidates []int) (end int, rest []int) {
	limit := min(size, start+c.class.Max)
	for len(candidates) > 0 && candidates[0] < start+c.class.Min {
		candidates = candidates[1:]
	}
	if len(candidates) > 0 && candidates[0] <= limit {
		return candidates[0], candidates[1:]
	}
	return limit, candidates
}
