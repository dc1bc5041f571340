package crypto

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"
)

// Seal appends to dst an age file of plaintext that each of the recipients can open. dst and
// plaintext must not overlap.
func Seal(dst, plaintext []byte, recipients ...age.Recipient) ([]byte, error) {
	envelope, err := NewEnvelope(recipients)
	if err != nil {
		return nil, fmt.Errorf("seal %d bytes: %w", len(plaintext), err)
	}
	dst = slices.Grow(dst, int(SealedSize(len(envelope.header), int64(len(plaintext)))))
	return envelope.Seal(dst, plaintext), nil
}

// Open appends to dst the plaintext of an age file. It fails with ErrWrongIdentity if no identity
// matches, and with ErrDamaged if the file is malformed, cut short or changed; it returns nothing
// of a damaged file. dst and ciphertext must not overlap.
func Open(dst, ciphertext []byte, identities ...age.Identity) ([]byte, error) {
	plain, err := open(dst, ciphertext, identities)
	if err != nil {
		return nil, fmt.Errorf("open %d bytes: %w", len(ciphertext), err)
	}
	return plain, nil
}

func open(dst, ciphertext []byte, identities []age.Identity) ([]byte, error) {
	length, err := HeaderLength(ciphertext)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: cut short", ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	size, err := PlainSize(length, int64(len(ciphertext)))
	if err != nil {
		return nil, err
	}
	opener, err := OpenHeader(ciphertext[:length], identities...)
	if err != nil {
		return nil, err
	}
	return opener.OpenSegments(slices.Grow(dst, int(size)), ciphertext[length:], 0, SegmentCount(size))
}
