package crypto

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

const (
	ageIntro    = "age-encryption.org/v1\n"
	ownerPrefix = "packstone owner:"
)

// OwnerPin names the owner whose configuration of a repository is trusted. It stands in an identity
// file as the comment "# packstone owner: <repository id> <owner's public key>".
type OwnerPin struct {
	Repository string
	Owner      Verifier
}

// IdentityFile is the content of an identity file. It prints without its identities.
type IdentityFile struct {
	Identities []age.Identity
	Owners     []OwnerPin
}

// GenerateIdentity makes a new identity: hybrid post-quantum, or X25519 if classic is set.
func GenerateIdentity(classic bool) (age.Identity, error) {
	if classic {
		return age.GenerateX25519Identity()
	}
	return age.GenerateHybridIdentity()
}

// RecipientOf returns the public key of an identity made or parsed here.
func RecipientOf(identity age.Identity) (age.Recipient, error) {
	switch i := identity.(type) {
	case *age.HybridIdentity:
		return i.Recipient(), nil
	case *age.X25519Identity:
		return i.Recipient(), nil
	}
	return nil, fmt.Errorf("recipient of an identity: %T has none that can be told", identity)
}

// ParseIdentity reads one secret key, AGE-SECRET-KEY-PQ-1… or AGE-SECRET-KEY-1…. Its errors do not
// repeat the text.
func ParseIdentity(text string) (age.Identity, error) {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, hybridKeyPrefix+"1"):
		return wrapIdentity(age.ParseHybridIdentity(text))
	case strings.HasPrefix(text, classicKeyPrefix+"1"):
		return wrapIdentity(age.ParseX25519Identity(text))
	}
	return nil, fmt.Errorf("parse identity: want %s1… (hybrid) or %s1… (classic)", hybridKeyPrefix, classicKeyPrefix)
}

func wrapIdentity[I age.Identity](identity I, err error) (age.Identity, error) {
	if err != nil {
		return nil, fmt.Errorf("parse identity: %w", err)
	}
	return identity, nil
}

// ParseIdentities reads an age identity file as age-keygen writes it: plain, or protected by a
// passphrase (an age file with a scrypt recipient, binary or armored). It calls passphrase only for
// a protected file. It fails with ErrPassphraseNeeded if passphrase is nil, and with
// ErrWrongIdentity if the passphrase is wrong. A file may hold several identities, hybrid and
// classic ones, since one custodian may serve several repositories.
func ParseIdentities(r io.Reader, passphrase func() (string, error)) (*IdentityFile, error) {
	in := bufio.NewReader(io.LimitReader(r, largestKeyFile+1))
	start, _ := in.Peek(len(ageIntro))
	var plain io.Reader = in
	var err error
	switch {
	case string(start) == ageIntro:
		plain, err = openProtected(in, passphrase)
	case bytes.HasPrefix(bytes.TrimSpace(start), []byte(armor.Header[:10])):
		plain, err = openProtected(armor.NewReader(in), passphrase)
	}
	if err != nil {
		return nil, fmt.Errorf("read identity file: %w", err)
	}
	file, err := parseIdentities(plain)
	if err != nil {
		return nil, fmt.Errorf("read identity file: %w", err)
	}
	return file, nil
}

func openProtected(sealed io.Reader, passphrase func() (string, error)) (io.Reader, error) {
	if passphrase == nil {
		return nil, ErrPassphraseNeeded
	}
	text, err := passphrase()
	if err != nil {
		return nil, fmt.Errorf("ask for the passphrase: %w", err)
	}
	identity, err := age.NewScryptIdentity(text)
	if err != nil {
		return nil, err
	}
	plain, err := age.Decrypt(sealed, identity)
	if mismatch := (*age.NoIdentityMatchError)(nil); errors.As(err, &mismatch) {
		return nil, fmt.Errorf("wrong passphrase: %w", ErrWrongIdentity)
	}
	return plain, err
}

func parseIdentities(r io.Reader) (*IdentityFile, error) {
	file := &IdentityFile{}
	err := eachLine(r, func(_ int, line string) error {
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			return file.addComment(strings.TrimSpace(comment))
		}
		if line == "" {
			return nil
		}
		identity, err := ParseIdentity(line)
		file.Identities = append(file.Identities, identity)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(file.Identities) == 0 {
		return nil, fmt.Errorf("no identities in it")
	}
	return file, nil
}

// addComment records an owner's pin. A pin that cannot be read is an error: skipping it would leave
// the owner unchecked.
func (f *IdentityFile) addComment(comment string) error {
	text, ok := strings.CutPrefix(comment, ownerPrefix)
	if !ok {
		return nil
	}
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return fmt.Errorf("owner's pin: want %q, a repository id and a public key", ownerPrefix)
	}
	if err := checkWord("repository id", fields[0]); err != nil {
		return fmt.Errorf("owner's pin: %w", err)
	}
	owner, err := ParseVerifier(fields[1])
	if err != nil {
		return fmt.Errorf("owner's pin: %w", err)
	}
	f.Owners = append(f.Owners, OwnerPin{Repository: fields[0], Owner: owner})
	return nil
}

// Line returns the pin as it stands in an identity file.
func (p OwnerPin) Line() string { return fmt.Sprintf("# %s %s %s", ownerPrefix, p.Repository, p.Owner) }

// Format prints the number of identities and none of them.
func (f IdentityFile) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "%d identities %s", len(f.Identities), redacted)
}

// MarshalText returns "[redacted]"; JSON and slog use it too.
func (IdentityFile) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// IdentityFileOptions describe what precedes the keys in an identity file, and its protection.
type IdentityFileOptions struct {
	// Comments are lines for the reader, without "#".
	Comments []string
	// Created, if not zero, is written as a comment, as age-keygen does.
	Created time.Time
	// Passphrase, if not empty, protects the file: it becomes an armored age file.
	Passphrase string
	// WorkFactor is the base-2 logarithm of scrypt's work, 18 (about a second) if zero.
	WorkFactor int
}

// WriteIdentityFile writes identities and owners' pins in a form that ParseIdentities and age read.
// The caller sets the mode of the file.
func WriteIdentityFile(w io.Writer, file IdentityFile, options IdentityFileOptions) error {
	text, err := identityText(file, options)
	if err != nil {
		return fmt.Errorf("write identity file: %w", err)
	}
	if options.Passphrase != "" {
		text, err = protect(text, options)
	}
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		return fmt.Errorf("write identity file: %w", err)
	}
	return nil
}

func identityText(file IdentityFile, options IdentityFileOptions) ([]byte, error) {
	var b bytes.Buffer
	for _, comment := range options.Comments {
		for line := range strings.Lines(comment) {
			fmt.Fprintf(&b, "# %s\n", strings.TrimSpace(line))
		}
	}
	if !options.Created.IsZero() {
		fmt.Fprintf(&b, "# created: %s\n", options.Created.Format(time.RFC3339))
	}
	for _, pin := range file.Owners {
		b.WriteString(pin.Line() + "\n")
	}
	for _, identity := range file.Identities {
		recipient, err := RecipientOf(identity)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "# public key: %s\n%s\n", recipient, identity)
	}
	if len(file.Identities) == 0 {
		return nil, fmt.Errorf("no identities to write")
	}
	return b.Bytes(), nil
}

func protect(text []byte, options IdentityFileOptions) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(options.Passphrase)
	if err != nil {
		return nil, err
	}
	if options.WorkFactor != 0 {
		if options.WorkFactor < 10 || options.WorkFactor > 22 {
			return nil, fmt.Errorf("scrypt work factor %d is not within 10 and 22", options.WorkFactor)
		}
		recipient.SetWorkFactor(options.WorkFactor)
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	sealed, err := age.Encrypt(armored, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := sealed.Write(text); err != nil {
		return nil, err
	}
	if err := errors.Join(sealed.Close(), armored.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
