package crypto

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"filippo.io/age"
)

// DomainSize is the length of a domain secret in bytes.
const DomainSize = 32

// The info strings of the derivations. They are part of the format.
const (
	infoData         = "packstone/v1 data-id key"
	infoTree         = "packstone/v1 tree-id key"
	infoPage         = "packstone/v1 tree-page key"
	infoChunker      = "packstone/v1 chunker key"
	infoGroup        = "packstone/v1 group key"
	infoIndexHybrid  = "packstone/v1 index identity mlkem768x25519"
	infoIndexClassic = "packstone/v1 index identity x25519"
	hybridKeyPrefix  = "AGE-SECRET-KEY-PQ-"
	classicKeyPrefix = "AGE-SECRET-KEY-"
	derivedKeySize   = 32
)

// Domain is a domain secret D and the origin that it is bound to: the id of the repository that the
// domain was made for. Repositories that share a domain keep the origin of the first, so that equal
// contents have equal ids in all of them. Every key that follows from D is
//
//	HKDF-SHA-256(secret = D, salt = origin, info = one of the strings below, 32 bytes)
//
//	"packstone/v1 data-id key"                      names chunks of data
//	"packstone/v1 tree-id key"                      names pages of trees
//	"packstone/v1 tree-page key"                    decides where a tree's pages end
//	"packstone/v1 chunker key"                      decides where data is cut
//	"packstone/v1 group key"                        names groups of snapshots, and runs
//	"packstone/v1 index identity mlkem768x25519"    seed of the index identity (hybrid)
//	"packstone/v1 index identity x25519"            secret scalar of the index identity (classic)
//
// The holder of D can open index runs and refs and test for known contents, but cannot read
// contents. A Domain is safe for concurrent use and prints without its secret.
type Domain struct {
	origin string
	secret Secret
}

// NewDomain makes a domain with a random secret for the repository of this id.
func NewDomain(origin string) (Domain, error) {
	secret := make([]byte, DomainSize)
	rand.Read(secret)
	return OpenDomain(origin, secret)
}

// OpenDomain returns the domain with this origin and secret.
func OpenDomain(origin string, secret []byte) (Domain, error) {
	if len(secret) != DomainSize {
		return Domain{}, fmt.Errorf("domain secret has %d bytes, want %d", len(secret), DomainSize)
	}
	if err := checkWord("domain origin", origin); err != nil {
		return Domain{}, err
	}
	return Domain{origin: origin, secret: NewSecret(secret)}, nil
}

// Origin returns the id of the repository that the domain was made for.
func (d Domain) Origin() string { return d.origin }

// Secret returns D, to be sealed to the recipients or put into a writer's file.
func (d Domain) Secret() Secret { return d.secret }

// DataID returns the key that names chunks of data.
func (d Domain) DataID() *IDKey { return NewIDKey(d.derive(infoData)) }

// TreeID returns the key that names pages of trees.
func (d Domain) TreeID() *IDKey { return NewIDKey(d.derive(infoTree)) }

// PageKey returns the key that decides where a tree's pages end.
func (d Domain) PageKey() [32]byte { return d.derive(infoPage) }

// ChunkerKey returns the key that decides where data is cut.
func (d Domain) ChunkerKey() [32]byte { return d.derive(infoChunker) }

// GroupKey returns the key that names groups of snapshots and runs of backups.
func (d Domain) GroupKey() *IDKey { return NewIDKey(d.derive(infoGroup)) }

// IndexIdentity returns the identity that opens index runs and refs, and its recipient: hybrid
// post-quantum, or X25519 in a classic repository.
func (d Domain) IndexIdentity(classic bool) (age.Identity, age.Recipient, error) {
	if classic {
		seed := d.derive(infoIndexClassic)
		identity, err := age.ParseX25519Identity(bech32(classicKeyPrefix, seed[:]))
		if err != nil {
			return nil, nil, fmt.Errorf("derive the index identity: %w", err)
		}
		return identity, identity.Recipient(), nil
	}
	seed := d.derive(infoIndexHybrid)
	identity, err := age.ParseHybridIdentity(bech32(hybridKeyPrefix, seed[:]))
	if err != nil {
		return nil, nil, fmt.Errorf("derive the index identity: %w", err)
	}
	return identity, identity.Recipient(), nil
}

// derive panics on a zero Domain: keys derived from an empty secret would protect nothing.
func (d Domain) derive(info string) (key [derivedKeySize]byte) {
	if len(d.secret.Bytes()) != DomainSize {
		panic("derive a key from a domain without a secret")
	}
	derived, err := hkdf.Key(sha256.New, d.secret.Bytes(), []byte(d.origin), info, derivedKeySize)
	if err != nil {
		panic(fmt.Sprintf("derive %q: %v", info, err))
	}
	copy(key[:], derived)
	return key
}
