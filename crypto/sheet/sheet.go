// Package sheet is what one keeps on paper to get a repository's data back: its address, the owner
// whom to trust, and an identity or a share of it.
//
// A sheet is printed as text or as SVG, with instructions for people, rows to type (package paper)
// and QR codes with the same rows. Read takes what was typed or scanned, or the printed file
// itself.
package sheet

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/crypto/share"
)

// Sheet is the content of a sheet. It prints without its secrets.
type Sheet struct {
	// Address is that of the repository, as -r takes it.
	Address string
	// Server is the S3 server of an address that names none; empty: its default. It is printed, and
	// not read back.
	Server string
	// Owner is whom to trust, of which repository.
	Owner crypto.OwnerPin
	// Identity can read the repository; nil on a sheet without secret, and on that of a share.
	Identity age.Identity
	// Share is a custodian's part of the identity; nil on other sheets.
	Share *share.Share
	// Of is the fingerprint of the recipient to which the identity or share belongs.
	Of crypto.Fingerprint
}

// Kinds of sheets.
const (
	noSecret byte = iota
	hybrid
	classic
	shared
)

const (
	version = 1
	// LargestAddress is the most bytes that an address may have.
	LargestAddress = 255

	idSize  = 16
	keySize = 32
)

// WithIdentity returns the sheet with an identity.
func (s Sheet) WithIdentity(identity age.Identity) (Sheet, error) {
	of, err := crypto.FingerprintOf(identity)
	s.Identity, s.Share, s.Of = identity, nil, of
	return s, err
}

// Split returns a sheet for each of total custodians, any threshold of whom have the identity.
func (s Sheet) Split(threshold, total int) ([]Sheet, error) {
	kind, key, err := rawOf(s.Identity)
	if err != nil {
		return nil, err
	}
	shares, err := share.Split(append([]byte{kind}, key...), threshold, total)
	if err != nil {
		return nil, err
	}
	sheets := make([]Sheet, total)
	for i := range sheets {
		sheets[i] = s
		sheets[i].Identity, sheets[i].Share = nil, &shares[i]
	}
	return sheets, nil
}

// Format prints what is no secret.
func (s Sheet) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "sheet of repository %s [redacted]", s.Owner.Repository)
}

// MarshalText returns what Format prints; JSON and slog use it too.
func (s Sheet) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(s)), nil }

func rawOf(identity age.Identity) (kind byte, key []byte, err error) {
	key, isClassic, err := crypto.RawIdentity(identity)
	if isClassic {
		return classic, key, err
	}
	return hybrid, key, err
}

func identityOf(kind byte, key []byte) (age.Identity, error) {
	if kind != hybrid && kind != classic {
		return nil, fmt.Errorf("identity of unknown kind %d", kind)
	}
	return crypto.IdentityOfRaw(key, kind == classic)
}

// encode returns the sheet's content:
//
//	version 1, kind, repository id 16, length and name of the owner, key 32, length and address,
//	identity 32 (kinds 1 and 2), or fingerprint 16, set 4, number, threshold, total, value 66 (3)
func (s Sheet) encode() ([]byte, error) {
	id, err := hex.DecodeString(s.Owner.Repository)
	key, name := s.Owner.Owner.Key(), s.Owner.Owner.Name()
	switch {
	case err != nil || len(id) != idSize:
		return nil, fmt.Errorf("repository id %.40q: want %d bytes in hex", s.Owner.Repository, idSize)
	case len(key) != keySize:
		return nil, fmt.Errorf("no public key of an owner")
	}
	if err := checkAddress(s.Address); err != nil {
		return nil, err
	}
	data := append([]byte{version, noSecret}, id...)
	data = append(append(data, byte(len(name))), name...)
	data = append(data, key...)
	data = append(append(data, byte(len(s.Address))), s.Address...)
	switch {
	case s.Share != nil:
		data[1] = shared
		data = append(append(data, s.Of[:]...), s.Share.Set[:]...)
		data = append(data, byte(s.Share.Number), byte(s.Share.Threshold), byte(s.Share.Total))
		data = append(data, s.Share.Value[:]...)
	case s.Identity != nil:
		if data[1], key, err = rawOf(s.Identity); err != nil {
			return nil, err
		}
		data = append(data, key...)
	}
	return data, nil
}

// decode reads what encode has returned.
func decode(data []byte) (s Sheet, err error) {
	r := &reader{rest: data}
	if v := r.next(1)[0]; v != version && !r.short {
		return Sheet{}, fmt.Errorf("it is of version %d, and this version of packstone knows version %d only: take a newer one", v, version)
	}
	kind := r.next(1)[0]
	s.Owner.Repository = hex.EncodeToString(r.next(idSize))
	name := string(r.next(int(r.next(1)[0])))
	key := r.next(keySize)
	s.Address = string(r.next(int(r.next(1)[0])))
	switch kind {
	case noSecret:
	case hybrid, classic:
		if s.Identity, err = identityOf(kind, r.next(crypto.RawIdentitySize)); err == nil {
			s.Of, err = crypto.FingerprintOf(s.Identity)
		}
	case shared:
		s.Of = crypto.Fingerprint(r.next(len(s.Of)))
		s.Share, err = r.share()
	default:
		err = fmt.Errorf("it is of unknown kind %d: take a newer version of packstone", kind)
	}
	if r.short || len(r.rest) > 0 {
		return Sheet{}, fmt.Errorf("its length is wrong: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return Sheet{}, err
	}
	if s.Owner.Owner, err = crypto.NewVerifier(name, key); err != nil {
		return Sheet{}, err
	}
	return s, checkAddress(s.Address)
}

// reader takes parts off the front. Once there is too little it returns zeros.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) next(n int) []byte {
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return make([]byte, n)
	}
	part := r.rest[:n]
	r.rest = r.rest[n:]
	return part
}

func (r *reader) share() (*share.Share, error) {
	s := &share.Share{Set: share.SetID(r.next(4))}
	s.Number, s.Threshold, s.Total = int(r.next(1)[0]), int(r.next(1)[0]), int(r.next(1)[0])
	s.Value = [share.ValueSize]byte(r.next(share.ValueSize))
	return s, s.Check()
}

// checkAddress accepts what can be printed on one line.
func checkAddress(address string) error {
	odd := func(c rune) bool { return !unicode.IsPrint(c) }
	if address == "" || len(address) > LargestAddress || !utf8.ValidString(address) || strings.ContainsFunc(address, odd) {
		return fmt.Errorf("repository address %.64q: want 1 to %d bytes of printable text", address, LargestAddress)
	}
	return nil
}
