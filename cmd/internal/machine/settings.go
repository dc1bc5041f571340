package machine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/config"
)

// SettingsPath returns the path of the settings file: named by a flag or the environment, or at its
// usual place. The file must exist.
func (m *Machine) SettingsPath() (string, error) {
	if named := m.namedSettings(); named != "" {
		_, err := os.Stat(named)
		if errors.Is(err, fs.ErrNotExist) {
			err = catalog.Misuse("open settings: %w", err)
		}
		return named, err
	}
	usual := m.Paths.SettingsFile()
	if _, err := os.Stat(usual); err != nil {
		return "", catalog.Misuse("there is no settings file: name one with --config or PACKSTONE_CONFIG, or write %s%s", usual, m.Unchosen())
	}
	return usual, nil
}

// Unchosen says, to be added to what is wrong, that the machine has a settings file that nobody has
// named; "" if there is none, or other settings are in use.
func (m *Machine) Unchosen() string {
	file := m.Paths.System
	if m.namedSettings() != "" || config.Exists(m.Paths.SettingsFile()) || !config.Exists(file) {
		return ""
	}
	if opened, err := os.Open(file); err != nil {
		return fmt.Sprintf(". This machine may have settings that this user cannot read (%v): run it as a user who can, with -c %s", err, file)
	} else {
		opened.Close()
	}
	return fmt.Sprintf(". This machine has settings that nobody has named: add -c %s, or set PACKSTONE_CONFIG to it", file)
}

func (m *Machine) namedSettings() string {
	if m.Flags.Config != "" {
		return m.Flags.Config
	}
	return m.Env["PACKSTONE_CONFIG"]
}

// Settings reads the settings file, once. If there is none, and none is named, the settings are
// empty.
func (m *Machine) Settings() (*config.Config, error) {
	if m.settings != nil {
		return m.settings, nil
	}
	path := m.namedSettings()
	if path == "" {
		path = m.Paths.SettingsFile()
	}
	settings, err := config.Load(m.Done, path, m.Env.Lookup)
	if errors.Is(err, fs.ErrNotExist) && m.namedSettings() == "" {
		settings, err = new(config.Config), nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = catalog.Misuse("%w", err)
	}
	if err != nil {
		return nil, err
	}
	m.settings = settings
	return settings, nil
}

// place is the repository of a run.
type place struct {
	name    string // in the settings; "": it is known by its address alone
	address string
	keys    config.Keys   // of the settings
	target  config.Target // of the settings, if it has a name
	own     bool          // the settings name it: nobody else's is meant
}

// place returns the repository that the flag, the environment or the settings name, else the one in
// the data directory.
func (m *Machine) place() (place, error) {
	named := m.Flags.Repository
	var err error
	if named == "" {
		if named, err = m.Env.OrFile(m.Done, "PACKSTONE_REPOSITORY"); err != nil {
			return place{}, err
		}
		named = strings.TrimSpace(named)
	}
	if named, err = m.expandHome(named); err != nil {
		return place{}, err
	}
	settings, err := m.Settings()
	if err != nil && named != "" {
		return place{address: named}, nil // who needs the settings is told
	}
	if err != nil {
		return place{}, err
	}
	name := settings.TargetAt(named)
	if named == "" && len(settings.Repositories) > 0 {
		if name, err = settings.RepositoryFor(m.Set); err != nil {
			return place{}, err
		}
	}
	if name != "" {
		target := settings.Repositories[name]
		return place{name: name, address: target.URL, keys: target.Keys, target: target, own: true}, nil
	}
	at := place{address: cmp.Or(named, settings.Repository, m.Paths.Repository), keys: settings.Keys}
	at.own = at.address == settings.Repository
	return at, nil
}

// Policies returns the retention of each set that the settings give one.
func (m *Machine) Policies() (map[string]retention.Policy, error) {
	settings, err := m.Settings()
	if err != nil {
		return nil, err
	}
	return settings.Policies()
}

// RepositoryIsNamed reports whether the flag or the environment names the repository, regardless of
// the settings.
func (m *Machine) RepositoryIsNamed() bool {
	return m.Flags.Repository != "" || m.Env["PACKSTONE_REPOSITORY"] != "" || m.Env["PACKSTONE_REPOSITORY_FILE"] != ""
}

// keysOfSettings returns the keys that the settings name for the repository.
func (m *Machine) keysOfSettings() (config.Keys, error) {
	if _, err := m.Settings(); err != nil {
		return config.Keys{}, err
	}
	at, err := m.place()
	return at.keys, err
}

// RepositoryAddress returns the address of the repository: from the flag, the environment or the
// settings file, else the one in the data directory.
func (m *Machine) RepositoryAddress() (string, error) {
	at, err := m.place()
	return at.address, err
}

// RepositoryName returns the repository's name in the settings, "" if it has none.
func (m *Machine) RepositoryName() (string, error) {
	at, err := m.place()
	return at.name, err
}

// expandHome replaces a leading ~/ in an address by the home directory.
func (m *Machine) expandHome(address string) (string, error) {
	expanded, err := config.ExpandHome(address, m.Env["HOME"])
	if err != nil {
		return "", catalog.Misuse("repository %w", err)
	}
	return expanded, nil
}

// Repository returns the parsed RepositoryAddress.
func (m *Machine) Repository() (config.Repository, error) {
	address, err := m.RepositoryAddress()
	if err != nil {
		return config.Repository{}, err
	}
	repository, err := config.ParseRepository(address)
	if err != nil {
		return config.Repository{}, catalog.Misuse("%w", err)
	}
	return repository, nil
}
