package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// ErrUnknownOwner: no key or memory pins the repository's owner, so anybody who can write to the
// storage could have made it.
var ErrUnknownOwner = errors.New("its owner is not trusted on this machine yet")

// Pins name owners to trust, besides those pinned by the identities and the writer's key at hand,
// and those that this host has seen at the repository's address.
type Pins struct {
	Owners  []crypto.OwnerPin    // of other key files
	Trusted []crypto.Fingerprint // owners of no repository in particular
	Only    []crypto.Fingerprint // what a person says of this very repository: every other owner is refused
}

// pins returns the owners of repositories that all keys at hand pin.
func (k Keys) pins() []crypto.OwnerPin {
	pins := slices.Clone(k.Pins.Owners)
	if k.Identities != nil {
		pins = append(pins, k.Identities.Owners...)
	}
	if k.Writer != nil {
		pins = append(pins, crypto.OwnerPin{Repository: k.Writer.Repository, Owner: k.Writer.Owner})
	}
	if k.Collector != nil {
		pins = append(pins, crypto.OwnerPin{Repository: k.Collector.Repository, Owner: k.Collector.Owner})
	}
	return pins
}

// trustedOwner returns the owner named in packstone.json if that owner may be trusted. Whoever can
// write to the storage chooses the repository's id and owner, so neither proves anything: if the id
// is pinned, only its owner is trusted; an unknown repository must belong to an owner who is pinned
// for another one. seen are the repositories that this host has seen at the address.
func trustedOwner(format archive.Format, keys Keys, seen []crypto.OwnerPin) (crypto.Verifier, error) {
	named, err := crypto.ParseVerifier(format.Owner)
	if err != nil {
		return named, err
	}
	if w := keys.Writer; w != nil && w.Repository != format.Repository {
		return named, fmt.Errorf("the writer key is for repository %s, not for this one (%s): %w", w.Repository, format.Repository, ErrUntrusted)
	}
	if c := keys.Collector; c != nil && c.Repository != format.Repository {
		return named, fmt.Errorf("the collector key is for repository %s, not for this one (%s): %w", c.Repository, format.Repository, ErrUntrusted)
	}
	if !allAre(keys.Pins.Only, named) {
		return named, fmt.Errorf("repository %s has another owner than the one that was named: %w", format.Repository, ErrUntrusted)
	}
	trusted := len(keys.Pins.Only) > 0 || slices.Contains(keys.Pins.Trusted, named.Fingerprint())
	for _, pin := range append(keys.pins(), seen...) {
		if pin.Owner.Equal(named) {
			trusted = true
		} else if pin.Repository == format.Repository {
			return named, fmt.Errorf("repository %s has another owner than the one that is pinned for it: %w", format.Repository, ErrUntrusted)
		}
	}
	if !trusted {
		return named, fmt.Errorf("repository %s: %w%s", format.Repository, ErrUnknownOwner, beside(seen))
	}
	return named, nil
}

func allAre(pins []crypto.Fingerprint, owner crypto.Verifier) bool {
	return !slices.ContainsFunc(pins, func(f crypto.Fingerprint) bool { return f != owner.Fingerprint() })
}

// beside says which repositories this host knows at an address where an unknown one has replaced
// them.
func beside(seen []crypto.OwnerPin) string {
	var ids []string
	for _, pin := range seen {
		ids = append(ids, pin.Repository)
	}
	if len(ids) == 0 {
		return ""
	}
	return fmt.Sprintf("; this host has seen repository %s of another owner at this address", strings.Join(ids, " and "))
}
