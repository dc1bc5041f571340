package machine

import (
	"github.com/packstone/packstone/crypto"
)

// Collector reads the key file of a collector that the environment or the settings name. It returns
// nil if they name none.
func (m *Machine) Collector() (*crypto.CollectorFile, error) {
	name, err := m.collectorPath()
	if name == "" || err != nil {
		return nil, err
	}
	file, err := m.openFile(name)
	if err != nil {
		return nil, unusable("open the collector's key: %w", err)
	}
	defer file.Close()
	key, err := crypto.ParseCollectorFile(file)
	if err != nil {
		return nil, unusable("read the collector's key %s: %w", name, err)
	}
	m.warnReadable(name)
	return key, nil
}

func (m *Machine) collectorPath() (string, error) {
	if name := m.Env["PACKSTONE_COLLECTOR_FILE"]; name != "" {
		return name, nil
	}
	keys, err := m.keysOfSettings()
	return keys.CollectorFile, err
}
