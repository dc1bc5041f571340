package crypto

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Secret holds bytes that must not be shown. fmt (with every verb), JSON, text and slog print
// "[redacted]", even if the Secret is in an unexported field, which reflection would otherwise
// print. The zero Secret is empty. Secrets are safe for concurrent use.
type Secret struct {
	// fmt cannot call Format on an unexported field and prints what its pointers lead to, but it
	// cannot look into a function.
	reveal func() []byte
}

// NewSecret holds a copy of the bytes.
func NewSecret(b []byte) Secret {
	held := bytes.Clone(b)
	return Secret{reveal: func() []byte { return held }}
}

// Bytes returns the bytes themselves. Callers must not change them.
func (s Secret) Bytes() []byte {
	if s.reveal == nil {
		return nil
	}
	return s.reveal()
}

// Equal compares in a time that depends on the lengths only.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare(s.Bytes(), other.Bytes()) == 1
}

// Format prints "[redacted]" for every verb.
func (Secret) Format(state fmt.State, _ rune) { io.WriteString(state, redacted) }

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// MarshalText returns "[redacted]"; JSON and slog use it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
