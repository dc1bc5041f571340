package crypto

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// LargestNote is the most bytes that a signed note may have.
const LargestNote = 64 << 20

// Signer is the Ed25519 key of an owner, a writer or a collector. It signs in its own name only. A
// Signer prints as its public key and is safe for concurrent use. The zero Signer cannot sign.
type Signer struct {
	secret   Secret
	verifier Verifier
	signer   note.Signer
}

// Verifier is the public key of a Signer. Its text is "<name>+<key hash>+<key>", as in Go's
// checksum database. Compare keys with Equal, not with ==, which compares more than the key.
type Verifier struct {
	text     string
	verifier note.Verifier
}

// GenerateSigner makes a new key. The name is 1 to 128 printable ASCII characters without space,
// slash and plus sign.
func GenerateSigner(name string) (Signer, error) {
	if err := checkWord("signer's name", name); err != nil {
		return Signer{}, err
	}
	text, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return Signer{}, fmt.Errorf("generate the signing key of %s: %w", name, err)
	}
	return ParseSigner(text)
}

// ParseSigner reads the line that Secret returns. Its errors do not repeat the line.
func ParseSigner(text string) (Signer, error) {
	text = strings.TrimSpace(text)
	signer, err := note.NewSigner(text)
	if err != nil {
		return Signer{}, fmt.Errorf("parse signing key: want PRIVATE+KEY+<name>+<hash>+<key>: %w", err)
	}
	if err := checkWord("signer's name", signer.Name()); err != nil {
		return Signer{}, fmt.Errorf("parse signing key: %w", err)
	}
	// NewSigner has checked the fields: the fifth is a byte of algorithm and Ed25519's seed.
	key, err := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 5)[4])
	if err != nil || len(key) != 1+ed25519.SeedSize {
		return Signer{}, fmt.Errorf("parse signing key: key is not %d bytes in base64", 1+ed25519.SeedSize)
	}
	public := ed25519.NewKeyFromSeed(key[1:]).Public().(ed25519.PublicKey)
	verifierText, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return Signer{}, fmt.Errorf("parse signing key: %w", err)
	}
	verifier, err := ParseVerifier(verifierText)
	return Signer{secret: NewSecret([]byte(text)), verifier: verifier, signer: signer}, err
}

// Secret returns the secret key as one line of text.
func (s Signer) Secret() Secret { return s.secret }

// Verifier returns the public key.
func (s Signer) Verifier() Verifier { return s.verifier }

// Name returns the name that the signer signs with.
func (s Signer) Name() string { return s.verifier.Name() }

// Format prints the public key.
func (s Signer) Format(state fmt.State, _ rune) { io.WriteString(state, s.verifier.Text()) }

// MarshalText returns the public key; JSON and slog use it too.
func (s Signer) MarshalText() ([]byte, error) { return []byte(s.verifier.Text()), nil }

// ParseVerifier reads a public key's text.
func ParseVerifier(text string) (Verifier, error) {
	text = strings.TrimSpace(text)
	verifier, err := note.NewVerifier(text)
	if err != nil {
		return Verifier{}, fmt.Errorf("parse public key %.200q: %w", text, err)
	}
	if err := checkWord("signer's name", verifier.Name()); err != nil {
		return Verifier{}, fmt.Errorf("parse public key: %w", err)
	}
	// One key has one text, so that texts can be compared: no line breaks, no other case.
	key, err := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 3)[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize {
		return Verifier{}, fmt.Errorf("parse public key %.200q: key is not %d bytes in base64", text, 1+ed25519.PublicKeySize)
	}
	if canonical, err := note.NewEd25519VerifierKey(verifier.Name(), key[1:]); err != nil || canonical != text {
		return Verifier{}, fmt.Errorf("parse public key %.200q: want it written as %q", text, canonical)
	}
	return Verifier{text: text, verifier: remembering(verifier, text)}, nil
}

// Text returns the public key as one line of text, empty for the zero Verifier.
func (v Verifier) Text() string { return v.text }

// Equal reports whether both are the same key under the same name.
func (v Verifier) Equal(other Verifier) bool { return v.text == other.text }

// String returns Text.
func (v Verifier) String() string { return v.text }

// MarshalText returns Text.
func (v Verifier) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// Name returns the name of the signer, empty for the zero Verifier.
func (v Verifier) Name() string {
	name, _, _ := strings.Cut(v.text, "+")
	return name
}

// Fingerprint is a short form of a public key, for people to compare: the first 128 bits of the
// SHA-256 of its text. Finding two keys with one fingerprint is infeasible, so a fingerprint pins a
// key as well as the key itself does.
type Fingerprint [16]byte

// Fingerprint returns the fingerprint of the key.
func (v Verifier) Fingerprint() Fingerprint {
	sum := sha256.Sum256([]byte(v.text))
	return Fingerprint(sum[:16])
}

// ParseFingerprint reads the 32 hex digits of a fingerprint, however they are grouped, or the
// public key itself.
func ParseFingerprint(text string) (f Fingerprint, err error) {
	if strings.Contains(text, "+") {
		v, err := ParseVerifier(text)
		if err != nil {
			return Fingerprint{}, err
		}
		return v.Fingerprint(), nil
	}
	digits := strings.NewReplacer(" ", "", ":", "", "-", "").Replace(text)
	if n, err := hex.Decode(f[:], []byte(digits[:min(len(digits), 32)])); err != nil || n != len(f) || len(digits) != 32 {
		return Fingerprint{}, fmt.Errorf("fingerprint %.64q: want 32 hex digits, grouped or not, or the public key", text)
	}
	return f, nil
}

// String returns 8 groups of 4 hex digits.
func (f Fingerprint) String() string {
	groups := make([]string, 8)
	for i := range groups {
		groups[i] = hex.EncodeToString(f[2*i : 2*i+2])
	}
	return strings.Join(groups, " ")
}

// MarshalText returns what String does.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Sign returns a signed note for one place: the first line is "packstone/v1/<repository>/<object>",
// the body follows. The body is UTF-8 text without control characters other than newline, and is
// empty or ends with a newline. The object's name is printable ASCII without spaces.
func (s Signer) Sign(repository, object string, body []byte) ([]byte, error) {
	if s.signer == nil {
		return nil, fmt.Errorf("sign %s: no signing key", object)
	}
	line, err := placeLine(repository, object)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if len(body) > LargestNote-1024 || !isNoteText(body) {
		return nil, fmt.Errorf("sign %s: body is not UTF-8 text in lines of at most %d bytes", object, LargestNote-1024)
	}
	signed, err := note.Sign(&note.Note{Text: line + string(body)}, s.signer)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", object, err)
	}
	return signed, nil
}

// Verify checks that data is a note for this place and has exactly one signature, by one of the
// verifiers. It returns the note's body, which is part of data, and the key that signed it, or
// ErrSignature. A note has exactly one encoding: data with any byte changed does not verify, so a
// note's hash can name it.
func Verify(repository, object string, data []byte, verifiers ...Verifier) (body []byte, by Verifier, err error) {
	line, err := placeLine(repository, object)
	if err != nil {
		return nil, Verifier{}, fmt.Errorf("verify: %w", err)
	}
	fail := func(why string) ([]byte, Verifier, error) {
		return nil, Verifier{}, fmt.Errorf("verify %s: %s: %w", object, why, ErrSignature)
	}
	if len(data) > LargestNote {
		return fail("note is too large")
	}
	if !bytes.HasPrefix(data, []byte(line)) {
		return fail("note is not for this place")
	}
	by, text, ok := openNote(data, verifiers)
	if !ok {
		return fail("not signed by an accepted key")
	}
	return data[len(line):text], by, nil
}

// openNote returns the verifier that accepts the note, and the length of the note's text.
func openNote(data []byte, verifiers []Verifier) (Verifier, int, bool) {
	for _, v := range verifiers {
		if v.verifier == nil {
			continue
		}
		// One verifier at a time: two keys may share a name and the 32 bits of a key hash.
		opened, err := note.Open(data, note.VerifierList(v.verifier))
		if err == nil && isOnlyEncoding(data, opened) {
			return v, len(opened.Text), true
		}
	}
	return Verifier{}, 0, false
}

// isOnlyEncoding reports whether data is byte by byte what Sign writes.
func isOnlyEncoding(data []byte, n *note.Note) bool {
	if len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
		return false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil {
		return false
	}
	tail := "\n— " + n.Sigs[0].Name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
	return len(data) == len(n.Text)+len(tail) && string(data[len(n.Text):]) == tail
}

func placeLine(repository, object string) (string, error) {
	if err := checkWord("repository id", repository); err != nil {
		return "", err
	}
	bad := strings.IndexFunc(object, func(r rune) bool { return r <= ' ' || r > '~' })
	if object == "" || len(object) > 512 || bad >= 0 {
		return "", fmt.Errorf("object name %.64q: want 1 to 512 printable ASCII characters without spaces", object)
	}
	return "packstone/v1/" + repository + "/" + object + "\n", nil
}

func isNoteText(body []byte) bool {
	if len(body) > 0 && body[len(body)-1] != '\n' || !utf8.Valid(body) {
		return false
	}
	return bytes.IndexFunc(body, func(r rune) bool { return r < ' ' && r != '\n' }) < 0
}
