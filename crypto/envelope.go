package crypto

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

// An age file is a header (text, ends with a MAC), a nonce of 16 bytes, and a payload of segments,
// each of SegmentSize bytes of plaintext and SegmentOverhead of tag. Only the last is shorter; it
// is empty only where the whole plaintext is.
const (
	SegmentSize     = 64 << 10
	SegmentOverhead = chacha20poly1305.Overhead
	SealedSegment   = SegmentSize + SegmentOverhead

	fileKeySize   = 16
	nonceSize     = 16
	macSize       = 43 // 32 bytes in unpadded base64
	largestHeader = 2<<20 + nonceSize
)

// Envelope seals one age file with a fresh file key. age writes the header; the segments are sealed
// here, so that they can be sealed in place, in any order and by several goroutines at once. Each
// index must be sealed only once: sealing two contents with one index reveals both.
type Envelope struct {
	header []byte
	aead   cipher.AEAD
}

// NewEnvelope makes a file key, and a header that each of the recipients can open.
func NewEnvelope(recipients []age.Recipient) (*Envelope, error) {
	if err := CheckRecipients(recipients); err != nil {
		return nil, fmt.Errorf("make an envelope: %w", err)
	}
	var tapped []byte
	taps := make([]age.Recipient, len(recipients))
	for i, r := range recipients {
		taps[i] = tap{r, func(fileKey []byte) []byte {
			tapped = bytes.Clone(fileKey)
			return fileKey
		}}
	}
	var header bytes.Buffer
	if _, err := age.Encrypt(&header, taps...); err != nil {
		return nil, fmt.Errorf("make an envelope: %w", err)
	}
	aead, err := payloadCipher(tapped, header.Bytes()[header.Len()-nonceSize:])
	if err != nil {
		return nil, fmt.Errorf("make an envelope: %w", err)
	}
	return &Envelope{header: header.Bytes(), aead: aead}, nil
}

// Header returns the header with its nonce, the first bytes of the file. Callers must not change
// it.
func (e *Envelope) Header() []byte { return e.header }

// SealSegment appends the sealed segment to dst and returns the result. With dst = plain[:0] and
// SegmentOverhead spare bytes of capacity it seals in place. Every segment but the last has
// SegmentSize bytes; the last has at most as many, and is empty only if it is the first too.
// SealSegment panics if plain has another length.
func (e *Envelope) SealSegment(dst, plain []byte, index uint64, last bool) []byte {
	if !segmentFits(len(plain), index, last) {
		panic(fmt.Sprintf("seal segment %d (last %v) of %d bytes", index, last, len(plain)))
	}
	nonce := segmentNonce(index, last)
	return e.aead.Seal(dst, nonce[:], plain, nil)
}

// Seal appends the whole age file of plain, header first, to dst and returns the result. dst and
// plain must not overlap.
func (e *Envelope) Seal(dst, plain []byte) []byte {
	dst = append(dst, e.header...)
	for index := uint64(0); ; index++ {
		n := min(len(plain), SegmentSize)
		last := n == len(plain)
		dst = e.SealSegment(dst, plain[:n], index, last)
		if last {
			return dst
		}
		plain = plain[n:]
	}
}

// Opener opens the segments of one age file, in any order. It is safe for concurrent use.
type Opener struct {
	aead cipher.AEAD
}

// OpenHeader unwraps the file key of a header with its nonce, as delimited by HeaderLength. It
// fails with ErrWrongIdentity if no identity matches, and with ErrDamaged if the header is
// malformed or changed. It returns errors of identities that ask others (plugins, hardware) as they
// are.
func OpenHeader(header []byte, identities ...age.Identity) (*Opener, error) {
	fileKey, err := openFileKey(header, identities)
	if err != nil {
		return nil, fmt.Errorf("open header: %w", err)
	}
	aead, err := payloadCipher(fileKey, header[len(header)-nonceSize:])
	if err != nil {
		return nil, fmt.Errorf("open header: %w", err)
	}
	return &Opener{aead: aead}, nil
}

// OpenSegment appends the plaintext of a sealed segment to dst and returns the result; with dst =
// sealed[:0] it opens in place. It fails with ErrDamaged unless the segment is whole and unchanged,
// has this index, and is the file's last if and only if last is set.
func (o *Opener) OpenSegment(dst, sealed []byte, index uint64, last bool) ([]byte, error) {
	if len(sealed) < SegmentOverhead || !segmentFits(len(sealed)-SegmentOverhead, index, last) {
		return nil, fmt.Errorf("open segment %d of %d bytes: length is impossible: %w", index, len(sealed), ErrDamaged)
	}
	nonce := segmentNonce(index, last)
	plain, err := o.aead.Open(dst, nonce[:], sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("open segment %d: %w", index, ErrDamaged)
	}
	return plain, nil
}

// OpenSegments appends to dst the plaintext of consecutive segments. first is the index of the
// first of them, count the number of segments of the whole file (SegmentCount). dst and sealed must
// not overlap.
func (o *Opener) OpenSegments(dst, sealed []byte, first, count uint64) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, fmt.Errorf("open segment %d: nothing there: %w", first, ErrDamaged)
	}
	for index := first; len(sealed) > 0; index++ {
		n := min(len(sealed), SealedSegment)
		var err error
		if dst, err = o.OpenSegment(dst, sealed[:n], index, index+1 == count); err != nil {
			return nil, err
		}
		sealed = sealed[n:]
	}
	return dst, nil
}

// SegmentCount returns the number of segments of a plaintext of this many bytes.
func SegmentCount(plain int64) uint64 {
	return uint64(max(1, (plain+SegmentSize-1)/SegmentSize))
}

// SealedSize returns the size of an age file: headerLen bytes of header and nonce, and the sealed
// segments of plain bytes of plaintext.
func SealedSize(headerLen int, plain int64) int64 {
	return int64(headerLen) + plain + int64(SegmentCount(plain))*SegmentOverhead
}

// PlainSize returns how many bytes of plaintext an age file of sealed bytes holds. It fails with
// ErrDamaged if no age file has that size.
func PlainSize(headerLen int, sealed int64) (int64, error) {
	payload := min(sealed, 1<<62) - int64(headerLen)
	segments := (payload + SealedSegment - 1) / SealedSegment
	plain := payload - segments*SegmentOverhead
	if payload < SegmentOverhead || plain < 0 || SealedSize(headerLen, plain) != sealed {
		return 0, fmt.Errorf("no age file has %d bytes after a header of %d: %w", payload, headerLen, ErrDamaged)
	}
	return plain, nil
}

// SealedRange returns which segments hold the n > 0 bytes of plaintext from off: the index of the
// first, and their range [from, to) in the file. to may lie beyond the end of the file if the last
// segment is short; callers cap it at the file's size.
func SealedRange(headerLen int, off, n int64) (first uint64, from, to int64) {
	start, end := off/SegmentSize, (off+n-1)/SegmentSize+1
	return uint64(start), int64(headerLen) + start*SealedSegment, int64(headerLen) + end*SealedSegment
}

// HeaderLength returns the length of an age file's header and nonce. prefix is the first bytes of
// the file. It fails with io.ErrUnexpectedEOF if the header goes on after prefix (a hybrid header
// has about 1.6 KB for each recipient), and with ErrDamaged if prefix does not begin an age file.
func HeaderLength(prefix []byte) (int, error) {
	known := min(len(prefix), len(ageIntro))
	if string(prefix[:known]) != ageIntro[:known] {
		return 0, fmt.Errorf("read header: not an age file: %w", ErrDamaged)
	}
	// Lines of a header start with "->" or are base64, so the first "---" line ends it.
	end := bytes.Index(prefix, []byte("\n--- "))
	if end < 0 && len(prefix) > largestHeader || end > largestHeader {
		return 0, fmt.Errorf("read header: no end in %d bytes: %w", largestHeader, ErrDamaged)
	}
	length := end + len("\n--- ") + macSize + len("\n") + nonceSize
	if end < 0 || length > len(prefix) {
		return 0, fmt.Errorf("read header: more than %d bytes: %w", len(prefix), io.ErrUnexpectedEOF)
	}
	if prefix[length-nonceSize-1] != '\n' {
		return 0, fmt.Errorf("read header: malformed MAC: %w", ErrDamaged)
	}
	return length, nil
}

// Rewrap returns a header, with its nonce, that gives other recipients access to the same payload.
// It takes nothing away from those who could open the old header: they may have kept the file key.
func Rewrap(header []byte, identities []age.Identity, recipients []age.Recipient) ([]byte, error) {
	fileKey, err := openFileKey(header, identities)
	if err != nil {
		return nil, fmt.Errorf("rewrap header: %w", err)
	}
	if err := CheckRecipients(recipients); err != nil {
		return nil, fmt.Errorf("rewrap header: %w", err)
	}
	taps := make([]age.Recipient, len(recipients))
	for i, r := range recipients {
		taps[i] = tap{r, func([]byte) []byte { return fileKey }}
	}
	// age writes recipient lines for the old file key, and a MAC with a key of its own, which is
	// replaced here.
	var out bytes.Buffer
	if _, err := age.Encrypt(&out, taps...); err != nil {
		return nil, fmt.Errorf("rewrap header: %w", err)
	}
	signed := out.Bytes()[:out.Len()-len(" ")-macSize-len("\n")-nonceSize]
	mac, err := headerMAC(fileKey, signed)
	if err != nil {
		return nil, fmt.Errorf("rewrap header: %w", err)
	}
	rewrapped := append(bytes.Clone(signed), " "+base64.RawStdEncoding.EncodeToString(mac)+"\n"...)
	return append(rewrapped, header[len(header)-nonceSize:]...), nil
}

// headerMAC computes age's MAC: HMAC-SHA-256 over the header up to and including its closing "---".
func headerMAC(fileKey, signed []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, fileKey, nil, "header", 32)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(signed)
	return mac.Sum(nil), nil
}

// payloadCipher returns age's cipher of a payload: ChaCha20-Poly1305, with a key derived from file
// key and nonce.
func payloadCipher(fileKey, nonce []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, fileKey, nonce, "payload", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.New(key)
}

// segmentNonce returns age's nonce of a segment: the index in 11 bytes, big-endian, and a flag for
// the last segment.
func segmentNonce(index uint64, last bool) (nonce [chacha20poly1305.NonceSize]byte) {
	binary.BigEndian.PutUint64(nonce[3:11], index)
	if last {
		nonce[11] = 1
	}
	return nonce
}

func segmentFits(plain int, index uint64, last bool) bool {
	if !last {
		return plain == SegmentSize
	}
	return plain <= SegmentSize && (plain > 0 || index == 0)
}

// openFileKey unwraps the file key of a header with its nonce.
func openFileKey(header []byte, identities []age.Identity) ([]byte, error) {
	length, err := HeaderLength(header)
	if err != nil || length != len(header) {
		return nil, fmt.Errorf("%d bytes are no whole header: %w", len(header), ErrDamaged)
	}
	if len(identities) == 0 {
		return nil, ErrWrongIdentity
	}
	var failed error
	watched := make([]age.Identity, len(identities))
	for i, identity := range identities {
		watched[i] = rememberingUnwraps(watch(identity, &failed))
	}
	fileKey, err := age.DecryptHeader(header[:length-nonceSize], watched...)
	mismatch := (*age.NoIdentityMatchError)(nil)
	switch {
	case errors.As(err, &mismatch):
		return nil, ErrWrongIdentity
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	case len(fileKey) != fileKeySize:
		return nil, fmt.Errorf("file key has %d bytes: %w", len(fileKey), ErrDamaged)
	}
	return fileKey, nil
}

// watch records the failure of an identity that is not age's own. age's errors do not say whether
// such an identity failed or the header is bad.
func watch(identity age.Identity, failed *error) age.Identity {
	switch identity.(type) {
	case *age.HybridIdentity, *age.X25519Identity, *age.ScryptIdentity:
		return identity
	}
	return watchedIdentity{identity, failed}
}

type watchedIdentity struct {
	age.Identity
	failed *error
}

// Unwrap implements age.Identity.
func (w watchedIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	key, err := w.Identity.Unwrap(stanzas)
	if err != nil && !errors.Is(err, age.ErrIncorrectIdentity) {
		*w.failed = err
	}
	return key, err
}

// tap is a recipient that sees the file key made by age, and may replace it.
type tap struct {
	age.Recipient
	key func([]byte) []byte
}

// Wrap implements age.Recipient.
func (t tap) Wrap(fileKey []byte) ([]*age.Stanza, error) { return t.Recipient.Wrap(t.key(fileKey)) }

// WrapWithLabels implements age.RecipientWithLabels, so that age still refuses to mix hybrid and
// classic recipients.
func (t tap) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	if labelled, ok := t.Recipient.(age.RecipientWithLabels); ok {
		return labelled.WrapWithLabels(t.key(fileKey))
	}
	stanzas, err := t.Wrap(fileKey)
	return stanzas, nil, err
}
