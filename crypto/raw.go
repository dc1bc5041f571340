package crypto

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"
)

// RawIdentitySize is the number of bytes of an identity's secret key.
const RawIdentitySize = 32

// RawIdentity returns the secret key of an identity made or parsed here, and whether it is classic.
func RawIdentity(identity age.Identity) (key []byte, classic bool, err error) {
	var text string
	switch i := identity.(type) {
	case *age.HybridIdentity:
		text = i.String()
	case *age.X25519Identity:
		text, classic = i.String(), true
	default:
		return nil, false, fmt.Errorf("secret key of an identity: %T has none that can be told", identity)
	}
	key = unBech32(text)
	if len(key) != RawIdentitySize {
		return nil, false, fmt.Errorf("secret key of an identity: it has %d bytes, want %d", len(key), RawIdentitySize)
	}
	return key, classic, nil
}

// IdentityOfRaw returns the identity with a secret key that RawIdentity has returned.
func IdentityOfRaw(key []byte, classic bool) (age.Identity, error) {
	if len(key) != RawIdentitySize {
		return nil, fmt.Errorf("identity of a secret key: %d bytes, want %d", len(key), RawIdentitySize)
	}
	if classic {
		return ParseIdentity(bech32(classicKeyPrefix, key))
	}
	return ParseIdentity(bech32(hybridKeyPrefix, key))
}

// FingerprintOf returns the fingerprint of an identity's public key.
func FingerprintOf(identity age.Identity) (Fingerprint, error) {
	recipient, err := RecipientOf(identity)
	if err != nil {
		return Fingerprint{}, err
	}
	text, err := RecipientText(recipient)
	sum := sha256.Sum256([]byte(text))
	return Fingerprint(sum[:16]), err
}

// NewVerifier returns the public key with a name and the bytes that Key has returned.
func NewVerifier(name string, key []byte) (Verifier, error) {
	text, err := note.NewEd25519VerifierKey(name, ed25519.PublicKey(key))
	if err != nil {
		return Verifier{}, fmt.Errorf("public key of %.64q: %w", name, err)
	}
	return ParseVerifier(text)
}

// Key returns the bytes of the public key, nil for the zero Verifier.
func (v Verifier) Key() []byte {
	fields := strings.SplitN(v.text, "+", 3)
	if len(fields) < 3 {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize {
		return nil // not a key that ParseVerifier has returned
	}
	return key[1:]
}
