package archive

import "math/bits"

// Padme rounds a size up to one of few, after PADMÉ: at most 12 % more, and what remains visible of
// n is its magnitude and a few bits. The result is at least floor.
func Padme(n, floor int64) int64 {
	if n <= floor {
		return floor
	}
	if n < 2 {
		return n
	}
	exponent := bits.Len64(uint64(n)) - 1
	kept := bits.Len(uint(exponent))
	if exponent <= kept {
		return n
	}
	mask := int64(1)<<(exponent-kept) - 1
	return (n + mask) &^ mask
}
