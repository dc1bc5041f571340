package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/exitcode"
)

// CheckHome returns an error if the home directory is unknown: keys, settings and caches would be
// looked for, and made, in the working directory.
func (m *Machine) CheckHome() error {
	if filepath.IsAbs(m.Env["HOME"]) {
		return nil
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"} {
		if !filepath.IsAbs(m.Env[name]) {
			return catalog.Misuse("HOME is not set to an absolute path, so the places of keys, settings and caches are not known: set HOME, or XDG_CONFIG_HOME, " +
				"XDG_DATA_HOME and XDG_CACHE_HOME")
		}
	}
	return nil
}

// IsMissing reports whether there is no repository at an address. A directory in which this machine
// has seen a repository counts as lost, not as missing: its file system may not be mounted.
func (m *Machine) IsMissing(ctx context.Context, at config.Repository) (bool, error) {
	storage, err := m.OpenStorageAt(ctx, at, false)
	if err == nil {
		_, err = catalog.ReadFormat(ctx, storage)
	}
	if !errors.Is(err, catalog.ErrNoRepository) {
		return false, err
	}
	if at.Kind == config.Local && config.Exists(m.MemoryDirectory(locationOf(at))) {
		return false, fmt.Errorf("%w: this machine has used a repository in %s before. If its disk is not mounted, mount it; "+
			"for a new repository run packstone init -r %s", catalog.ErrNoRepository, at, at)
	}
	return true, nil
}

// locationOf returns the location of the storage of a directory.
func locationOf(at config.Repository) string {
	if absolute, err := filepath.Abs(at.Path); err == nil {
		return absolute
	}
	return at.Path
}

// WhyAsk says why a first backup may not make keys and a repository without being told; "" if it
// may: the home directory belongs to the user, and nothing of packstone is set or stored there.
func (m *Machine) WhyAsk() (string, error) {
	if m.Unchosen() != "" {
		return fmt.Sprintf("this machine has settings in %s, which nobody has named: add -c %s, or set PACKSTONE_CONFIG to it", m.Paths.System, m.Paths.System), nil
	}
	if who := m.Env["SUDO_USER"]; who != "" {
		return fmt.Sprintf("packstone runs under sudo for %s, and would make keys in %s", who, m.Paths.Config), nil
	}
	if why := m.whyNotHome(); why != "" {
		return why, nil
	}
	for _, name := range []string{"PACKSTONE_WRITER_FILE", "PACKSTONE_COLLECTOR_FILE"} {
		if m.Env[name] != "" {
			return name + " is set, which belongs to a repository that exists", nil
		}
	}
	for _, name := range []string{"PACKSTONE_OWNER_FILE", "PACKSTONE_IDENTITY_FILE", "PACKSTONE_RECIPIENTS_FILE"} {
		if file := m.Env[name]; file != "" && !config.Exists(file) {
			return fmt.Sprintf("%s names %s, which does not exist", name, file), nil
		}
	}
	if named := m.namedSettings(); named != "" {
		return fmt.Sprintf("the settings file %s names no repository", named), nil
	}
	return m.whyUsed()
}

// whyNotHome compares HOME with the user's home directory in the password database.
func (m *Machine) whyNotHome() string {
	home := m.Env["HOME"]
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		return fmt.Sprintf("user %d is not in the password database, so %s may not be the right home directory", os.Geteuid(), home)
	}
	if filepath.Clean(u.HomeDir) == filepath.Clean(home) {
		return ""
	}
	own, err := os.Stat(u.HomeDir)
	set, errOfSet := os.Stat(home)
	if err == nil && errOfSet == nil && os.SameFile(own, set) {
		return ""
	}
	return fmt.Sprintf("HOME is %s, and the home directory of %s is %s", home, u.Username, u.HomeDir)
}

// whyUsed says why it looks as if packstone was used here before, "" if it does not.
func (m *Machine) whyUsed() (string, error) {
	files, err := os.ReadDir(m.Paths.Config)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && len(files) == 0:
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look for keys: %w", err)
	}
	return fmt.Sprintf("%s holds settings or keys of another repository", m.Paths.Config), nil
}

// MayMakeFirst tells whether a backup is to make the repository, which it finds missing: if allowed,
// any, else the one of a machine without settings. On a terminal it asks, if ask says so; elsewhere
// it agrees only where nothing else can be meant, as WhyAsk has it. A refusal ends with
// exitcode.NoRepository.
func (m *Machine) MayMakeFirst(ctx context.Context, allowed, ask bool) (bool, error) {
	at, err := m.Repository()
	if err != nil {
		return false, err
	}
	usual := at.Kind == config.Local && at.Path == filepath.Clean(m.Paths.Repository)
	if !usual && !allowed || usual && config.Exists(filepath.Join(at.Path, "packstone.json")) {
		return false, nil
	}
	if missing, err := m.IsMissing(ctx, at); err != nil || !missing {
		return false, err
	}
	if allowed {
		return true, nil
	}
	why, err := m.WhyAsk()
	if err != nil {
		return false, err
	}
	if ask && m.CanAsk() {
		question := []string{fmt.Sprintf("No repository is configured, and there is none in %s. packstone can make one there, with keys in %s.", at, m.Paths.Config)}
		if why != "" {
			question = append(question, "Note: "+why+".")
		}
		if yes, err := m.Confirm(question); yes || err != nil {
			return yes, err
		}
		why = "you said no"
	}
	if why == "" {
		return true, nil
	}
	return false, exitcode.With(exitcode.NoRepository, "no repository is configured, and there is none in %s. None was made there: %s. "+
		"Name your repository with -r, PACKSTONE_REPOSITORY or in the settings, or make one with packstone backup --init", at, why)
}
