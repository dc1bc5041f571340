package archive

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"slices"
)

// Bitmap is a set of ordinals. The zero Bitmap is empty; the last word is never 0.
type Bitmap []uint64

// Has reports whether the ordinal is in the set.
func (b Bitmap) Has(ordinal uint32) bool {
	word := int(ordinal / 64)
	return word < len(b) && b[word]>>(ordinal%64)&1 == 1
}

// All yields the ordinals, in order.
func (b Bitmap) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i, word := range b {
			for ; word != 0; word &= word - 1 {
				if !yield(uint32(64*i + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// Count returns the number of ordinals.
func (b Bitmap) Count() (n int) {
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

func (b Bitmap) with(ordinal uint32) Bitmap {
	word := int(ordinal / 64)
	if word >= len(b) {
		b = append(b, make(Bitmap, word+1-len(b))...)
	}
	b[word] |= 1 << (ordinal % 64)
	return b
}

// or adds the ordinals of other. It works in place where there is room, and returns the result.
func (b Bitmap) or(other Bitmap) Bitmap {
	for i := range b[:min(len(b), len(other))] {
		b[i] |= other[i]
	}
	if len(other) > len(b) {
		b = append(b, other[len(b):]...)
	}
	return b
}

// without returns the ordinals that are in b and not in other. The result shares no memory with b.
func (b Bitmap) without(other Bitmap) Bitmap {
	out := slices.Clone(b)
	for i := range out[:min(len(out), len(other))] {
		out[i] &^= other[i]
	}
	return out.trim()
}

func (b Bitmap) trim() Bitmap {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// meets reports whether the sets share an ordinal.
func (b Bitmap) meets(other Bitmap) bool {
	for i := range b[:min(len(b), len(other))] {
		if b[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

// prefix is n if the set is 0 … n-1, else 0.
func (b Bitmap) prefix() uint32 {
	for i, word := range b {
		if i < len(b)-1 && word != ^uint64(0) || word&(word+1) != 0 {
			return 0
		}
	}
	if len(b) == 0 {
		return 0
	}
	return uint32(len(b)*64 - bits.LeadingZeros64(b[len(b)-1]))
}

// append appends the encoded set to dst. The set must not be empty.
func (b Bitmap) append(dst []byte) []byte {
	if n := b.prefix(); n > 0 {
		return binary.AppendUvarint(dst, uint64(n)*2)
	}
	n := len(b)*8 - bits.LeadingZeros64(b[len(b)-1])/8
	dst = binary.AppendUvarint(dst, uint64(n)*2+1)
	start := len(dst)
	for _, word := range b {
		dst = binary.LittleEndian.AppendUint64(dst, word)
	}
	return dst[:start+n]
}

// parseBitmap reads a set from the start of data and returns the rest. room allocates the words.
func parseBitmap(data []byte, room func(words int) Bitmap) (Bitmap, []byte, error) {
	form, n := binary.Uvarint(data)
	if n <= 0 || n > 1 && data[n-1] == 0 {
		return nil, nil, fmt.Errorf("bitmap: %w", ErrDamaged)
	}
	data = data[n:]
	size := form / 2
	if form%2 == 0 {
		if size == 0 || size > MaxChunks {
			return nil, nil, fmt.Errorf("bitmap of %d ordinals: %w", size, ErrDamaged)
		}
		b := room(int(size+63) / 64)
		for i := range b {
			b[i] = ^uint64(0)
		}
		b[len(b)-1] >>= (64 - size%64) % 64
		return b, data, nil
	}
	if size == 0 || size > MaxChunks/8 || size > uint64(len(data)) || data[size-1] == 0 {
		return nil, nil, fmt.Errorf("bitmap of %d bytes: %w", size, ErrDamaged)
	}
	b := room(int(size+7) / 8)
	for i := range b {
		var word [8]byte
		copy(word[:], data[i*8:size])
		b[i] = binary.LittleEndian.Uint64(word[:])
	}
	if b.prefix() > 0 {
		return nil, nil, fmt.Errorf("bitmap in the long form: %w", ErrDamaged)
	}
	return b, data[size:], nil
}
