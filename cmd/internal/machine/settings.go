package machine

import (
	"errors"
	"io/fs"
	"os"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
)

// SettingsPath is where the settings file is: named by a flag or the environment, or at its usual place. It must be there.
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
		return "", catalog.Misuse("there is no settings file: name one with --config or PACKSTONE_CONFIG, or write %s", usual)
	}
	return usual, nil
}

func (m *Machine) namedSettings() string {
	if m.Flags.Config != "" {
		return m.Flags.Config
	}
	return m.Env["PACKSTONE_CONFIG"]
}

// Settings reads the settings file, once. Without one, and if none is named, the settings are empty.
func (m *Machine) Settings() (*config.Config, error) {
	if m.settings != nil {
		return m.settings, nil
	}
	path := m.namedSettings()
	if path == "" {
		path = m.Paths.SettingsFile()
	}
	settings, err := config.Load(path, m.Env.Lookup)
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

// RepositoryAddress is where the repository is: the flag, the environment, the settings file, else the one in the data directory.
func (m *Machine) RepositoryAddress() (string, error) {
	if m.Flags.Repository != "" {
		return m.Flags.Repository, nil
	}
	if address, err := m.Env.OrFile("PACKSTONE_REPOSITORY"); address != "" || err != nil {
		return address, err
	}
	settings, err := m.Settings()
	if err != nil {
		return "", err
	}
	if settings.Repository != "" {
		return settings.Repository, nil
	}
	return m.Paths.Repository, nil
}

// Repository is RepositoryAddress, taken apart.
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
