// Package archive implements the format: it groups chunks into compressed frames and frames into
// encrypted packs, and writes index runs, which list where each chunk lies. FORMAT.md describes
// every byte. The package knows objects and their names, but not how they belong together:
// snapshots, trees and records are the job of package catalog.
package archive

import (
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
)

// ID names a chunk: the keyed BLAKE3 hash of its bytes.
type ID [32]byte

// String returns the id in hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Name names a content object: the SHA-256 hash of its bytes as stored.
type Name [32]byte

// String returns the name in hex, as it stands in object names.
func (n Name) String() string { return hex.EncodeToString(n[:]) }

// ParseName reads the 64 hex digits that String writes.
func ParseName(s string) (Name, error) {
	var n Name
	if len(s) != 2*len(n) || strings.ToLower(s) != s { // a name has one form
		return n, fmt.Errorf("object name %q is not 64 hex digits in lower case", s)
	}
	if _, err := hex.Decode(n[:], []byte(s)); err != nil {
		return n, fmt.Errorf("object name %q: %w", s, err)
	}
	return n, nil
}

// Kind is a kind of content object; it is the first segment of the object's name.
type Kind string

const (
	Data  Kind = "packs" // packs of file content
	Trees Kind = "trees" // packs of tree pages
	Runs  Kind = "index" // index runs
	Refs  Kind = "refs"  // what a snapshot needs
)

// Object returns the name in the store of the content object n of kind k: packs/ab/abcd….
func (k Kind) Object(n Name) string {
	s := n.String()
	return string(k) + "/" + s[:2] + "/" + s
}

// Pack is what a reader must know of a stored pack to fetch parts of it. Packs are shared, so
// nobody changes one after it is published.
type Pack struct {
	Name   Name
	Kind   Kind   // Data or Trees
	Size   uint32 // bytes as stored
	Header uint32 // bytes of age header and nonce, before the payload
}

// Place is where a chunk lies. It is only a hint: the chunk's id decides whether the bytes found
// there are right.
type Place struct {
	Pack    *Pack
	Ordinal uint32 // of the chunk in the pack's directory
	Frame   uint32 // offset of its frame in the pack's plaintext, bytes
	Stored  uint32 // length of the frame, bytes
	Start   uint32 // offset of the chunk in the decompressed frame, bytes
}

// Chunk is a piece of content and where it lies.
type Chunk struct {
	ID     ID
	Length uint32 // bytes before compression
	Place  Place
}

// IsHole reports whether c stands for zeros that are not stored: it has a length, but neither id
// nor place.
func (c *Chunk) IsHole() bool { return c.Place.Pack == nil && c.ID == ID{} }

// Slot is a chunk that is being written. Its place becomes known when its pack is sealed. All who
// refer to the chunk may share one Slot, which is safe for concurrent use.
type Slot struct {
	chunk  Chunk
	sealed atomic.Bool
}

// NewSlot makes the slot of a chunk that has no place yet.
func NewSlot(id ID, length int) *Slot {
	return &Slot{chunk: Chunk{ID: id, Length: uint32(length)}}
}

// Chunk returns the chunk with its place, and true, once the pack that holds it is sealed; before,
// it returns false.
func (s *Slot) Chunk() (Chunk, bool) {
	if !s.sealed.Load() {
		return Chunk{}, false
	}
	return s.chunk, true
}

// Seal sets the chunk's place. The writer of the pack that holds the chunk calls it, once.
func (s *Slot) Seal(place Place) {
	s.chunk.Place = place
	s.sealed.Store(true)
}

// Length returns the chunk's length in bytes.
func (s *Slot) Length() uint32 { return s.chunk.Length }

// ID returns the chunk's id.
func (s *Slot) ID() ID { return s.chunk.ID }
