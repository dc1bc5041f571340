package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/crypto"
)

// memoryDirectory is where this machine keeps what it has seen of the repositories at an address:
// which, whose, and up to where.
func (a *app) memoryDirectory(location string) string {
	return filepath.Join(a.cacheRoot(), fmt.Sprintf("address-%.16x", sha256.Sum256([]byte(location))))
}

// cureTrust says what to do about a repository whose owner is not known. It names no key: what the
// storage itself says proves nothing, so the fingerprint has to come from somebody who knows it.
func cureTrust(err error) error {
	if !errors.Is(err, catalog.ErrUnknownOwner) {
		return err
	}
	return fmt.Errorf("%w. Whoever can write to the storage could have put it there. Get the fingerprint of the owner's key from the owner "+
		"(init has printed it, and packstone key list does where the repository is known), and name it with --accept-owner, "+
		"or as keys.owner in the settings", err)
}

// suggestPin says, after an owner was named, which line makes that needless wherever the identity
// is used.
func (a *app) suggestPin(identities *crypto.IdentityFile, repo *catalog.Repository) {
	if len(a.flags.acceptOwner) == 0 || identities == nil || admin.Pins(identities, repo) {
		return
	}
	var places []string
	for _, place := range a.IdentityPlaces() {
		places = append(places, place.What)
	}
	a.out.Note("to have this owner trusted wherever this identity is used, put this line into %s:\n%s", strings.Join(places, " or "), admin.PinOf(repo).Line())
}
