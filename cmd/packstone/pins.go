package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/crypto"
)

// pins say whom this machine trusts beside what the identities say: the owner that the command line
// or the settings name, owners whose own key is here, and those whom keys of this host pin. A key
// file that cannot be read pins nobody.
func (a *app) pins() (catalog.Pins, error) {
	p := catalog.Pins{Only: a.flags.acceptOwner}
	settings, err := a.settings()
	if err != nil {
		return p, err
	}
	if text := settings.Keys.Owner; text != "" {
		owner, err := crypto.ParseFingerprint(text)
		if err != nil {
			return p, usage("keys.owner: %w", err)
		}
		p.Trusted = append(p.Trusted, owner)
		if address, err := a.repositoryAddress(); err == nil && address == settings.Repository {
			p.Only = append(p.Only, owner)
		}
	}
	for _, path := range a.ownerFiles() {
		if owner, err := readOwner(path); err == nil {
			p.Trusted = append(p.Trusted, owner.Verifier().Fingerprint())
		}
	}
	p.Owners, err = a.writerPins()
	return p, err
}

// writerPins are the owners whom this host's keys pin, of this repository or another.
func (a *app) writerPins() ([]crypto.OwnerPin, error) {
	named, err := a.writerPath()
	if err != nil {
		return nil, err
	}
	usual, err := filepath.Glob(a.paths.writerFile("*"))
	if err != nil {
		usual = nil // the directory's name holds a bracket
	}
	var pins []crypto.OwnerPin
	for _, path := range append(usual, named) {
		if key, err := readWriter(path); err == nil {
			pins = append(pins, crypto.OwnerPin{Repository: key.Repository, Owner: key.Owner})
		}
	}
	return pins, nil
}

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

// identityPlace is where identities come from.
type identityPlace struct {
	file string // "": no file
	what string // how a person knows it
}

// identityPlaces are the places that identities at hand are read from.
func (a *app) identityPlaces() []identityPlace {
	files := a.flags.identities
	switch {
	case len(files) > 0:
	case a.env["PACKSTONE_IDENTITY"] != "":
		return []identityPlace{{what: "the text in PACKSTONE_IDENTITY"}}
	case a.env["PACKSTONE_IDENTITY_COMMAND"] != "":
		return []identityPlace{{what: "what PACKSTONE_IDENTITY_COMMAND prints"}}
	case a.env["PACKSTONE_IDENTITY_FILE"] != "":
		files = []string{a.env["PACKSTONE_IDENTITY_FILE"]}
	default:
		files = a.usualIdentities()
	}
	var places []identityPlace
	for _, file := range files {
		places = append(places, identityPlace{file: file, what: file})
	}
	return places
}

// suggestPin says, after an owner was named, which line makes that needless wherever the identity
// is used.
func (a *app) suggestPin(identities *crypto.IdentityFile, repo *catalog.Repository) {
	if len(a.flags.acceptOwner) == 0 || identities == nil || admin.Pins(identities, repo) {
		return
	}
	var places []string
	for _, place := range a.identityPlaces() {
		places = append(places, place.what)
	}
	a.out.Note("to have this owner trusted wherever this identity is used, put this line into %s:\n%s", strings.Join(places, " or "), admin.PinOf(repo).Line())
}

// pinOwner notes the owner of a new repository in the identity files at hand that open it. It
// returns the identities for which a person has to do that.
func (a *app) pinOwner(places []identityPlace, recipients []string, pin crypto.OwnerPin) (left []string) {
	missing := slices.Clone(recipients)
	for _, place := range places {
		public, err := addPin(place.file, recipients, pin)
		if err != nil {
			left = append(left, place.what)
			continue
		}
		missing = slices.DeleteFunc(missing, func(r string) bool { return slices.Contains(public, r) })
	}
	if len(missing) == 0 {
		return nil
	}
	if named, err := a.namedRecipients(); err == nil && len(named) == 0 {
		return left // they are the identities at hand
	}
	for i, recipient := range missing {
		missing[i] = "the identity file of " + admin.ShortRecipient(recipient)
	}
	return missing
}

// addPin puts a pin into an identity file that opens what is sealed to one of recipients, and
// returns those that it opens. It fails where there is no file, or one that is protected by a
// passphrase or cannot be written to.
func addPin(path string, recipients []string, pin crypto.OwnerPin) ([]string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found, err := crypto.ParseIdentities(bytes.NewReader(text), nil)
	if err != nil {
		return nil, err
	}
	public, err := admin.PublicKeys(found.Identities)
	if err != nil {
		return nil, err
	}
	public = slices.DeleteFunc(public, func(r string) bool { return !slices.Contains(recipients, r) })
	if len(public) == 0 {
		return nil, nil
	}
	return public, replaceKey(path, append([]byte(pin.Line()+"\n"), text...))
}
