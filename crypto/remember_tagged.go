//go:build remember

package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"
)

// memory holds the results of a pure function by the hash of its arguments.
type memory[T any] struct {
	mu      sync.Mutex
	results map[[sha256.Size]byte]T
}

// mostResults is how many results are kept before all are dropped.
const mostResults = 1 << 16

// of returns the result for arguments, which compute computes if they are new.
func (m *memory[T]) of(arguments hash.Hash, compute func() T) T {
	key := [sha256.Size]byte(arguments.Sum(nil))
	m.mu.Lock()
	result, known := m.results[key]
	m.mu.Unlock()
	if known {
		return result
	}
	result = compute()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.results == nil || len(m.results) >= mostResults {
		m.results = map[[sha256.Size]byte]T{}
	}
	m.results[key] = result
	return result
}

// mix adds parts to a hash, each with its length.
func mix(h hash.Hash, parts ...[]byte) {
	for _, part := range parts {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
}

var verified memory[bool]

type rememberingVerifier struct {
	note.Verifier
	text string
}

// remembering verifies each signature of each message once.
func remembering(v note.Verifier, text string) note.Verifier { return rememberingVerifier{v, text} }

// Verify implements note.Verifier.
func (v rememberingVerifier) Verify(message, signature []byte) bool {
	h := sha256.New()
	mix(h, []byte(v.text), message, signature)
	return verified.of(h, func() bool { return v.Verifier.Verify(message, signature) })
}

// unwrapped is what an identity makes of stanzas.
type unwrapped struct {
	key []byte
	err error
}

var unwraps memory[unwrapped]

type rememberingIdentity struct {
	age.Identity
	secret string
}

// rememberingUnwraps has age's own identities unwrap the same stanzas once.
func rememberingUnwraps(identity age.Identity) age.Identity {
	switch identity.(type) {
	case *age.HybridIdentity, *age.X25519Identity:
		return rememberingIdentity{identity, identity.(fmt.Stringer).String()}
	}
	return identity
}

// Unwrap implements age.Identity.
func (i rememberingIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	h := sha256.New()
	mix(h, []byte(i.secret))
	for _, s := range stanzas {
		mix(h, []byte(s.Type), binary.LittleEndian.AppendUint64(nil, uint64(len(s.Args))))
		for _, arg := range s.Args {
			mix(h, []byte(arg))
		}
		mix(h, s.Body)
	}
	result := unwraps.of(h, func() unwrapped {
		key, err := i.Identity.Unwrap(stanzas)
		return unwrapped{key, err}
	})
	return bytes.Clone(result.key), result.err
}
