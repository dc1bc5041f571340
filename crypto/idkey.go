package crypto

import (
	"fmt"
	"io"
	"sync"

	"github.com/zeebo/blake3"
)

// IDKey names contents: the id of some bytes is their BLAKE3 keyed hash, 32 bytes. Without the key
// nobody can test which content an id stands for. An IDKey is safe for concurrent use, prints as
// "[redacted]" and must not be copied.
type IDKey struct {
	hashers sync.Pool
}

// idHasher keeps the sum beside the hasher, so that Sum does not allocate.
type idHasher struct {
	*blake3.Hasher
	sum [32]byte
}

// NewIDKey returns the IDKey of a 32-byte key.
func NewIDKey(key [32]byte) *IDKey {
	keyed, err := blake3.NewKeyed(key[:])
	if err != nil {
		panic(fmt.Sprintf("key a hash with 32 bytes: %v", err))
	}
	k := &IDKey{}
	k.hashers.New = func() any { return &idHasher{Hasher: keyed.Clone()} }
	return k
}

// Sum returns the id of data.
func (k *IDKey) Sum(data []byte) [32]byte {
	h := k.hashers.Get().(*idHasher)
	h.Reset()
	h.Write(data)
	h.Hasher.Sum(h.sum[:0])
	sum := h.sum
	k.hashers.Put(h)
	return sum
}

// Format prints "[redacted]" for every verb.
func (*IDKey) Format(state fmt.State, _ rune) { io.WriteString(state, redacted) }

// MarshalText returns "[redacted]"; JSON and slog use it too.
func (*IDKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }
