package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

const (
	verifiedTag = "\x01ver"
	perVerified = 4 + sha256.Size
)

// PackSum is the SHA-256 of what an index run says of a pack: its name, kind and sizes, and the id,
// length and place of each chunk. Each pack has exactly one right sum.
type PackSum [sha256.Size]byte

// String returns the sum in hex.
func (s PackSum) String() string { return hex.EncodeToString(s[:]) }

// Sum returns the sum of what an index run says of the pack.
func (p RunPack) Sum() PackSum {
	return sha256.Sum256(p.append(make([]byte, 0, p.size())))
}

// VerifiedPack is a pack that was read in full and found to be as an index run says.
type VerifiedPack struct {
	Sum PackSum
	At  uint32 // when reading began: seconds since 1970
}

// Compare orders packs by their sums.
func (p VerifiedPack) Compare(other VerifiedPack) int { return bytes.Compare(p.Sum[:], other.Sum[:]) }

// EncodeVerified returns the content of a verified object, which is stored among refs. The sums
// must ascend.
func EncodeVerified(packs []VerifiedPack) []byte {
	out := append(make([]byte, 0, len(verifiedTag)+4+len(packs)*perVerified), verifiedTag...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(packs)))
	for _, p := range packs {
		out = binary.LittleEndian.AppendUint32(out, p.At)
	}
	for _, p := range packs {
		out = append(out, p.Sum[:]...)
	}
	return out
}

// ParseVerified reads the content of a verified object.
func ParseVerified(content []byte) ([]VerifiedPack, error) {
	head := len(verifiedTag) + 4
	if len(content) < head || string(content[:len(verifiedTag)]) != verifiedTag {
		return nil, fmt.Errorf("read verified packs: it begins with %x: %w", content[:min(len(content), 4)], ErrDamaged)
	}
	count := int64(binary.LittleEndian.Uint32(content[len(verifiedTag):]))
	if count*perVerified != int64(len(content)-head) {
		return nil, fmt.Errorf("read verified packs: %d of them in %d bytes: %w", count, len(content), ErrDamaged)
	}
	packs := make([]VerifiedPack, count)
	times, sums := content[head:], content[head+4*int(count):]
	for i := range packs {
		packs[i].At = binary.LittleEndian.Uint32(times[4*i:])
		copy(packs[i].Sum[:], sums[sha256.Size*i:])
	}
	if !slices.IsSortedFunc(packs, VerifiedPack.Compare) || len(slices.CompactFunc(slices.Clone(packs), isSamePack)) < len(packs) {
		return nil, fmt.Errorf("read verified packs: they are out of order: %w", ErrDamaged)
	}
	return packs, nil
}

func isSamePack(a, b VerifiedPack) bool { return a.Sum == b.Sum }
