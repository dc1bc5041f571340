package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// Writer reads this host's key for a repository: named by the environment or the settings, else at
// the usual place. Without one it returns nil.
func (m *Machine) Writer(repositoryID string) (*crypto.WriterFile, error) {
	name, err := m.WriterPath()
	if err != nil {
		return nil, err
	}
	named := name != ""
	if !named {
		name = m.Paths.WriterFile(repositoryID)
	}
	key, err := readWriter(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, unusable("%w", err)
	}
	m.warnReadable(name)
	return key, nil
}

func readWriter(name string) (*crypto.WriterFile, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open this host's key: %w", err)
	}
	defer file.Close()
	key, err := crypto.ParseWriterFile(file)
	if err != nil {
		return nil, fmt.Errorf("read this host's key %s: %w", name, err)
	}
	return key, nil
}

// WriterPath is where the environment or the settings say that this host's key is.
func (m *Machine) WriterPath() (string, error) {
	if name := m.Env["PACKSTONE_WRITER_FILE"]; name != "" {
		return name, nil
	}
	keys, err := m.keysOfSettings()
	return keys.WriterFile, err
}

// KeepWriter writes this host's key to its usual place, or to where the environment or the settings
// expect it.
func (m *Machine) KeepWriter(key *crypto.WriterFile) (string, error) {
	text, err := key.Encode()
	if err != nil {
		return "", err
	}
	path, err := m.WriterPath()
	if err != nil {
		return "", err
	}
	if path == "" {
		path = m.Paths.WriterFile(key.Repository)
	}
	return path, WriteKey(path, text)
}

// writerPins are the owners whom this host's keys pin, of this repository or another.
func (m *Machine) writerPins() ([]crypto.OwnerPin, error) {
	named, err := m.WriterPath()
	if err != nil {
		return nil, err
	}
	usual, err := filepath.Glob(m.Paths.WriterFile("*"))
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

// NamedHost is the host that a person has named for this machine: by PACKSTONE_HOST, or in the
// settings.
func (m *Machine) NamedHost() (string, error) {
	if host := m.Env["PACKSTONE_HOST"]; host != "" {
		return host, nil
	}
	settings, err := m.Settings()
	if err != nil {
		return "", err
	}
	return settings.Host, nil
}

// ThisHost is the host that this machine is in a repository: the named one, else that of its
// writer's file, else the machine's name. A machine that comes back from a disaster may have lost
// that file.
func (m *Machine) ThisHost(repositoryID string) (string, error) {
	host, err := m.NamedHost()
	if host != "" || err != nil {
		return host, err
	}
	if writer, err := m.Writer(repositoryID); err == nil && writer != nil {
		return writer.Signer.Name(), nil
	}
	return Name(), nil
}

// HostIn is ThisHost in a repository that is open: a key that was made again under another name,
// since the first was revoked, still speaks for the host that it was made for.
func (m *Machine) HostIn(repo *catalog.Repository) (string, error) {
	named, err := m.NamedHost()
	if named != "" || err != nil {
		return named, err
	}
	if only := repo.OnlyHost(); only != "" {
		return only, nil
	}
	return m.ThisHost(repo.Format.Repository)
}

// Name is what the machine calls itself.
func Name() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "unknown"
	}
	return name
}
