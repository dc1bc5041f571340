package archive

import "math/bits"

// Padme rounds n up to one of few sizes, and to floor at least. The result is at most 12 % larger
// than n and reveals only n's magnitude and a few of its bits. The algorithm is PADMÉ (Nikitin et
// al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019).
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
