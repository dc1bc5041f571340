package machine

import (
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/input"
	"github.com/packstone/packstone/crypto"
)

// OwnerPath returns the expected path of the owner's key.
func (m *Machine) OwnerPath() string {
	if path := m.Env["PACKSTONE_OWNER_FILE"]; path != "" {
		return path
	}
	return m.Paths.OwnerFile()
}

// Owner reads the key of the repository's owner.
func (m *Machine) Owner(repo *catalog.Repository) (crypto.Signer, error) {
	files := m.OwnerFiles()
	for _, path := range files {
		owner, err := m.readOwner(path)
		if err != nil {
			return owner, err
		}
		if owner.Verifier().Equal(repo.Owner()) {
			return owner, nil
		}
	}
	if len(files) == 0 {
		return crypto.Signer{}, unusable("the owner's key is needed: bring it back to %s, or name its file with PACKSTONE_OWNER_FILE", m.OwnerPath())
	}
	return crypto.Signer{}, unusable("the key in %s is not the one of this repository's owner, whose fingerprint is %s",
		strings.Join(files, " or "), repo.Owner().Fingerprint())
}

// OwnerFiles returns the existing files with owners' keys: this machine may own several
// repositories.
func (m *Machine) OwnerFiles() []string {
	if path := m.Env["PACKSTONE_OWNER_FILE"]; path != "" {
		return slices.DeleteFunc([]string{path}, func(name string) bool { return !config.Exists(name) })
	}
	return present(m.Paths.OwnerFile())
}

func (m *Machine) readOwner(path string) (crypto.Signer, error) {
	text, err := input.ReadFile(m.Done, path, input.Secret)
	if err != nil {
		return crypto.Signer{}, unusable("read the owner's key: %w", err)
	}
	owner, err := crypto.ParseSigner(lastLine(text))
	if err != nil {
		return owner, unusable("read the owner's key %s: %w", path, err)
	}
	return owner, nil
}

// OwnerKey reads the owner's key, or makes one; then it also returns its file.
func (m *Machine) OwnerKey() (owner crypto.Signer, made string, err error) {
	if files := m.OwnerFiles(); len(files) > 0 {
		owner, err = m.readOwner(files[0])
		return owner, "", err
	}
	if owner, err = crypto.GenerateSigner("owner"); err != nil {
		return owner, "", err
	}
	path := m.OwnerPath()
	if path == m.Paths.OwnerFile() {
		path = m.Paths.NewKeyFile(path, owner.Verifier().Text())
	}
	content := "# packstone owner's key: it admits and revokes hosts and recipients. Keep it away from the machines that back up.\n" +
		string(owner.Secret().Bytes()) + "\n"
	return owner, path, WriteKey(path, []byte(content))
}

// pins returns whom this machine trusts besides what the identities say: the owners that a flag
// names, those in the settings for the repository at the address, owners whose own key is here, and
// those pinned by keys of this host. A key file that cannot be read pins nobody.
func (m *Machine) pins(address string) (catalog.Pins, error) {
	p := catalog.Pins{Only: m.Flags.AcceptOwner}
	keys, err := m.keysOfSettings()
	if err != nil {
		return p, err
	}
	if text := keys.Owner; text != "" {
		owner, err := crypto.ParseFingerprint(text)
		if err != nil {
			return p, catalog.Misuse("keys.owner: %w", err)
		}
		p.Trusted = append(p.Trusted, owner)
		if at, err := m.place(); err == nil && at.own && address == at.address {
			p.Only = append(p.Only, owner)
		}
	}
	for _, path := range m.OwnerFiles() {
		if owner, err := m.readOwner(path); err == nil {
			p.Trusted = append(p.Trusted, owner.Verifier().Fingerprint())
		}
	}
	p.Owners, err = m.writerPins()
	return p, err
}
