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
// the usual place. It returns nil if there is none.
func (m *Machine) Writer(repositoryID string) (*crypto.WriterFile, error) {
	name, err := m.WriterPath()
	if err != nil {
		return nil, err
	}
	named := name != ""
	if !named {
		name = m.Paths.WriterFile(repositoryID)
	}
	key, err := m.readWriter(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, unusable("%w", err)
	}
	m.warnReadable(name)
	return key, nil
}

func (m *Machine) readWriter(name string) (*crypto.WriterFile, error) {
	file, err := m.openFile(name)
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

// WriterPath returns the path of this host's key in the environment or the settings.
func (m *Machine) WriterPath() (string, error) {
	if name := m.Env["PACKSTONE_WRITER_FILE"]; name != "" {
		return name, nil
	}
	keys, err := m.keysOfSettings()
	return keys.WriterFile, err
}

// KeepWriter writes this host's key to its usual place, or to the path in the environment or the
// settings.
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

// writerPins returns the owners that this host's keys pin, for any repository.
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
		if key, err := m.readWriter(path); err == nil {
			pins = append(pins, crypto.OwnerPin{Repository: key.Repository, Owner: key.Owner})
		}
	}
	return pins, nil
}

// NamedHost returns the host that the user has named for this machine: in PACKSTONE_HOST or in the
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

// ThisHost returns this machine's host in a repository: the named one, else that of its writer's
// file, else the machine's name. A machine restored after a disaster may have lost that file.
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

// HostIn is ThisHost for an open repository: a key that was made again under another name, after
// the first was revoked, still speaks for the host for which it was made.
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

// NoticeHost returns the host in notices: one that is known where the repository cannot be reached.
func (m *Machine) NoticeHost() string {
	if host, err := m.NamedHost(); host != "" && err == nil {
		return host
	}
	return Name()
}

// Name returns the machine's name.
func Name() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "unknown"
	}
	return name
}
