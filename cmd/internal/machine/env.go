package machine

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/input"
)

// Env is the environment with which the program was started. An empty variable counts as unset.
type Env map[string]string

// NewEnv returns the environment from NAME=VALUE pairs.
func NewEnv(pairs []string) Env {
	env := make(Env, len(pairs))
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && value != "" {
			env[name] = value
		}
	}
	return env
}

// hidden are patterns of variables that started programs do not see: keys, and what opens them.
var hidden = []string{
	"PACKSTONE_FROM_*", "PACKSTONE_IDENTITY*", "PACKSTONE_OWNER*", "PACKSTONE_WRITER*", "PACKSTONE_COLLECTOR*",
	"*_PASSPHRASE*", "*_PASSWORD*", "*_SECRET_KEY*", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
}

// ForPrograms returns the environment for started programs: without secrets, except for the named
// ones.
func (env Env) ForPrograms(named ...string) []string {
	pairs := make([]string, 0, len(env))
	for name, value := range env {
		if slices.Contains(named, name) || !isHidden(name) {
			pairs = append(pairs, name+"="+value)
		}
	}
	return pairs
}

func isHidden(name string) bool {
	return slices.ContainsFunc(hidden, func(pattern string) bool {
		matches, _ := path.Match(pattern, name)
		return matches
	})
}

// IsUTF8 reports whether the locale supports more than ASCII.
func (env Env) IsUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(env[name]); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// FramesPerSecond returns how often progress is to be drawn; 0: as usual.
func (env Env) FramesPerSecond() (float64, error) {
	text := env["PACKSTONE_PROGRESS_FPS"]
	if text == "" {
		return 0, nil
	}
	fps, err := strconv.ParseFloat(text, 64)
	if err != nil || !(fps > 0 && fps <= 60) {
		return 0, catalog.Misuse("PACKSTONE_PROGRESS_FPS=%q: must be a number above 0 and at most 60", text)
	}
	return fps, nil
}

// Lookup returns a variable, to expand ${VAR} in the settings file.
func (env Env) Lookup(name string) (string, bool) {
	value, ok := env[name]
	return value, ok
}

// OrFile returns the variable name, or the content of the file in name_FILE without the final
// newline, read until done is closed. It is an error if both are set, since one would be ignored.
func (env Env) OrFile(done <-chan struct{}, name string) (string, error) {
	value, path := env[name], env[name+"_FILE"]
	if path == "" {
		return value, nil
	}
	if value != "" {
		return "", catalog.Misuse("both %s and %s_FILE are set; unset one of them", name, name)
	}
	text, err := input.ReadFile(done, path, input.Secret)
	if err != nil {
		return "", fmt.Errorf("read %s_FILE: %w", name, err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// Paths are the places in a home directory that packstone uses, by the XDG base directory
// specification.
type Paths struct {
	Repository string // the repository of a machine without settings
	Config     string // directory of the settings file and keys
	Cache      string // directory of the caches, one per repository
	State      string // directory of what jobs did
	System     string // a settings file that is read only where it is named
}

// Paths returns the usual places.
func (env Env) Paths() Paths {
	return Paths{
		Repository: filepath.Join(env.xdg("XDG_DATA_HOME", ".local/share"), "packstone", "repository"),
		Config:     filepath.Join(env.xdg("XDG_CONFIG_HOME", ".config"), "packstone"),
		Cache:      filepath.Join(env.xdg("XDG_CACHE_HOME", ".cache"), "packstone"),
		State:      filepath.Join(env.xdg("XDG_STATE_HOME", ".local/state"), "packstone"),
		System:     "/etc/packstone/packstone.yaml",
	}
}

// xdg returns a base directory. By the specification, relative values are ignored.
func (env Env) xdg(name, fallback string) string {
	if dir := env[name]; filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(env["HOME"], fallback)
}

// SettingsFile returns the path of the settings file.
func (p Paths) SettingsFile() string { return filepath.Join(p.Config, "packstone.yaml") }

// IdentityFile returns the path of the identity file.
func (p Paths) IdentityFile() string { return filepath.Join(p.Config, "identity.txt") }

// OwnerFile returns the path of the owner's key.
func (p Paths) OwnerFile() string { return filepath.Join(p.Config, "owner.key") }

// further returns the files beside a usual key file with more keys of its kind:
// identity-1a2b3c4d.txt beside identity.txt.
func further(usual string) []string {
	extension := filepath.Ext(usual)
	found, err := filepath.Glob(strings.TrimSuffix(usual, extension) + "-*" + extension)
	if err != nil {
		return nil // the directory's name holds a bracket
	}
	return found
}

// NewKeyFile returns the path for a new key. If keys were made here before and moved away, it is a
// further file, which can be moved to the same place without replacing the first.
func (p Paths) NewKeyFile(usual, public string) string {
	before, err := os.ReadDir(filepath.Join(p.Config, "writers"))
	if err != nil || len(before) == 0 {
		return usual
	}
	extension := filepath.Ext(usual)
	return fmt.Sprintf("%s-%.4x%s", strings.TrimSuffix(usual, extension), sha256.Sum256([]byte(public)), extension)
}

// WriterFile returns the path of this host's key for a repository.
func (p Paths) WriterFile(repository string) string {
	return filepath.Join(p.Config, "writers", repository+".key")
}
