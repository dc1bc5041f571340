package crypto

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"
)

// WriterFile is a host's key file: with it and the repository alone a host can back up. It holds
// the domain secret and the writer's signing key, so its mode is 0600. Whoever has it can back up
// in this writer's name until the writer is revoked, and can test for known contents, but cannot
// read any content.
//
// The file is text with a "key: value" on each line, in any order; empty lines and lines that start
// with # are skipped. It prints without its secrets.
type WriterFile struct {
	// Repository is the id of the repository.
	Repository string
	// Signer signs the writer's records; its name is the writer's.
	Signer Signer
	// Owner is the key from which configuration is trusted.
	Owner Verifier
	// DomainNumber says which of the repository's domains this is, from 1.
	DomainNumber int
	Domain       Domain
	// Classic says that the repository uses X25519 instead of hybrid recipients.
	Classic bool
	// Recipients can restore.
	Recipients []age.Recipient
}

// CollectorFile is the key file of a collector or a keeper. It shows which packs are needed, but
// neither names nor contents. Its text has the form of a WriterFile's; it prints without its
// secrets.
type CollectorFile struct {
	// Repository is the id of the repository.
	Repository string
	// Signer signs the collector's records; its name is the collector's.
	Signer Signer
	// Owner is the key from which configuration is trusted.
	Owner Verifier
	// Classic says that the repository uses X25519 instead of hybrid recipients.
	Classic bool
	// Index holds the index identity of each domain, by the domain's number.
	Index map[int]age.Identity
}

const (
	writerKind    = "writer 1"
	collectorKind = "collector 1"
)

// Encode returns the file's text, which ParseWriterFile reads.
func (f WriterFile) Encode() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("write writer file: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("# packstone writer file. Keep it secret (mode 0600): it can back up in this writer's name.\n")
	encodeCommon(&b, writerKind, f.Repository, f.Signer, f.Owner, f.Classic)
	fmt.Fprintf(&b, "domain: %d\n", f.DomainNumber)
	fmt.Fprintf(&b, "domain-origin: %s\n", f.Domain.Origin())
	fmt.Fprintf(&b, "domain-secret: %s\n", base64.StdEncoding.EncodeToString(f.Domain.Secret().Bytes()))
	for _, r := range f.Recipients {
		text, err := RecipientText(r)
		if err != nil {
			return nil, fmt.Errorf("write writer file: %w", err)
		}
		fmt.Fprintf(&b, "recipient: %s\n", text)
	}
	return b.Bytes(), nil
}

// Encode returns the file's text, which ParseCollectorFile reads.
func (f CollectorFile) Encode() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("write collector file: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("# packstone collector or keeper file. Keep it secret (mode 0600): a collector can forget and delete with it.\n")
	encodeCommon(&b, collectorKind, f.Repository, f.Signer, f.Owner, f.Classic)
	for _, number := range slices.Sorted(maps.Keys(f.Index)) {
		fmt.Fprintf(&b, "index-identity: %d %s\n", number, f.Index[number])
	}
	return b.Bytes(), nil
}

func encodeCommon(b *bytes.Buffer, kind, repository string, signer Signer, owner Verifier, classic bool) {
	fmt.Fprintf(b, "packstone: %s\n", kind)
	fmt.Fprintf(b, "repository: %s\n", repository)
	fmt.Fprintf(b, "owner: %s\n", owner.Text())
	fmt.Fprintf(b, "classic: %v\n", classic)
	fmt.Fprintf(b, "signing-key: %s\n", signer.Secret().Bytes())
}

// ParseWriterFile reads a writer's key file. Errors name the line and repeat no secret.
func ParseWriterFile(r io.Reader) (*WriterFile, error) {
	f := &WriterFile{}
	var origin string
	var secret []byte
	err := parseKeyFile(r, writerKind, map[string]func(string) error{
		"repository":    word("repository id", &f.Repository),
		"owner":         parsed(ParseVerifier, &f.Owner),
		"classic":       parsed(strconv.ParseBool, &f.Classic),
		"signing-key":   parsed(ParseSigner, &f.Signer),
		"domain":        parsed(parseNumber, &f.DomainNumber),
		"domain-origin": word("domain origin", &origin),
		"domain-secret": parsed(parseDomainSecret, &secret),
		"recipient":     appended(ParseRecipient, &f.Recipients),
	})
	if err == nil {
		f.Domain, err = OpenDomain(origin, secret)
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, fmt.Errorf("read writer file: %w", err)
	}
	return f, nil
}

// ParseCollectorFile reads a collector's key file. Errors name the line and repeat no secret.
func ParseCollectorFile(r io.Reader) (*CollectorFile, error) {
	f := &CollectorFile{Index: map[int]age.Identity{}}
	err := parseKeyFile(r, collectorKind, map[string]func(string) error{
		"repository":     word("repository id", &f.Repository),
		"owner":          parsed(ParseVerifier, &f.Owner),
		"classic":        parsed(strconv.ParseBool, &f.Classic),
		"signing-key":    parsed(ParseSigner, &f.Signer),
		"index-identity": f.addIndex,
	})
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, fmt.Errorf("read collector file: %w", err)
	}
	return f, nil
}

func (f *CollectorFile) addIndex(value string) error {
	numberText, key, _ := strings.Cut(value, " ")
	number, err := parseNumber(numberText)
	if err != nil {
		return err
	}
	if _, double := f.Index[number]; double {
		return fmt.Errorf("domain %d is named twice", number)
	}
	f.Index[number], err = ParseIdentity(key)
	return err
}

// repeated are the keys that may stand on several lines.
var repeated = map[string]bool{"recipient": true, "index-identity": true}

// parseKeyFile calls the setter of each line's key. Each key of setters must occur, exactly once
// unless it is in repeated; any other key is an error.
func parseKeyFile(r io.Reader, kind string, setters map[string]func(string) error) error {
	setters["packstone"] = func(value string) error {
		if value != kind {
			return fmt.Errorf("file is a %.40q, want %q", value, kind)
		}
		return nil
	}
	seen := map[string]bool{}
	err := eachLine(r, func(_ int, line string) error {
		if line == "" || strings.HasPrefix(line, "#") {
			return nil
		}
		key, value, ok := strings.Cut(line, ":")
		set := setters[key]
		if !ok || set == nil {
			// A line in the wrong form may be a secret, so the error does not repeat it.
			return fmt.Errorf("not a known \"key: value\"")
		}
		if seen[key] && !repeated[key] {
			return fmt.Errorf("%s is there twice", key)
		}
		seen[key] = true
		if err := set(strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(setters)) {
		if !seen[key] {
			return fmt.Errorf("%s is missing", key)
		}
	}
	return nil
}

func parsed[T any](parse func(string) (T, error), to *T) func(string) error {
	return func(value string) (err error) {
		*to, err = parse(value)
		return err
	}
}

func appended[T any](parse func(string) (T, error), to *[]T) func(string) error {
	return func(value string) error {
		v, err := parse(value)
		*to = append(*to, v)
		return err
	}
}

func word(what string, to *string) func(string) error {
	return func(value string) error {
		*to = value
		return checkWord(what, value)
	}
}

func parseNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<30 {
		return 0, fmt.Errorf("number of a domain: want 1 or more")
	}
	return n, nil
}

func parseDomainSecret(text string) ([]byte, error) {
	secret, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(secret) != DomainSize {
		return nil, fmt.Errorf("want %d bytes in base64", DomainSize)
	}
	return secret, nil
}

func (f WriterFile) check() error {
	if err := checkCommon(f.Repository, f.Signer, f.Owner); err != nil {
		return err
	}
	if f.DomainNumber < 1 || len(f.Domain.Secret().Bytes()) != DomainSize {
		return fmt.Errorf("no domain")
	}
	if err := CheckRecipients(f.Recipients); err != nil {
		return err
	}
	if IsClassic(f.Recipients[0]) != f.Classic {
		return fmt.Errorf("classic is %v, but the recipients say otherwise: %w", f.Classic, ErrMixed)
	}
	return nil
}

func (f CollectorFile) check() error {
	if err := checkCommon(f.Repository, f.Signer, f.Owner); err != nil {
		return err
	}
	if len(f.Index) == 0 {
		return fmt.Errorf("no index identity")
	}
	for number, identity := range f.Index {
		recipient, err := RecipientOf(identity)
		if err != nil {
			return fmt.Errorf("index identity of domain %d: %w", number, err)
		}
		if IsClassic(recipient) != f.Classic {
			return fmt.Errorf("classic is %v, but the index identity of domain %d says otherwise: %w", f.Classic, number, ErrMixed)
		}
	}
	return nil
}

func checkCommon(repository string, signer Signer, owner Verifier) error {
	if err := checkWord("repository id", repository); err != nil {
		return err
	}
	if signer.Name() == "" {
		return fmt.Errorf("no signing key")
	}
	if owner.Name() == "" {
		return fmt.Errorf("no owner's public key")
	}
	return nil
}

// Format prints what is no secret.
func (f WriterFile) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "writer %s of repository %s %s", f.Signer.Name(), f.Repository, redacted)
}

// MarshalText returns what Format prints; JSON and slog use it too.
func (f WriterFile) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(f)), nil }

// Format prints what is no secret.
func (f CollectorFile) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "collector %s of repository %s %s", f.Signer.Name(), f.Repository, redacted)
}

// MarshalText returns what Format prints; JSON and slog use it too.
func (f CollectorFile) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(f)), nil }
