package machine

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
)

// OwnFiles are packstone's own files on this machine. No backup contains them: the repository would
// grow by itself, a cache can be rebuilt, and an identity inside what only it opens would be lost
// with it. It is safe for concurrent use.
type OwnFiles struct {
	m          *Machine
	repository config.Repository
	settings   *config.Config

	mu   sync.Mutex
	told map[string]bool
}

// OwnFile is one of packstone's own files.
type OwnFile struct {
	Path, What string
	Secret     bool // worth a warning
}

// OwnFiles returns packstone's own files on this machine, including the directory of all caches and
// the repository.
func (m *Machine) OwnFiles() (*OwnFiles, error) {
	repository, err := m.Repository()
	if err != nil {
		return nil, err
	}
	settings, err := m.Settings()
	return &OwnFiles{m: m, repository: repository, settings: settings, told: map[string]bool{}}, err
}

// list returns the present files: the first backup makes some.
func (o *OwnFiles) list() []OwnFile {
	list := []OwnFile{{Path: o.m.CacheRoot(), What: "packstone's cache"}}
	if o.repository.Kind == config.Local {
		list = append(list, OwnFile{Path: o.repository.Path, What: "the repository itself"})
	}
	for _, name := range o.settings.RepositoryNames() {
		target := o.settings.Repositories[name]
		if at, err := config.ParseRepository(target.URL); err == nil && at.Kind == config.Local && at != o.repository {
			list = append(list, OwnFile{Path: at.Path, What: "the repository " + name})
		}
		if target.Keys.IdentityFile != "" {
			list = append(list, OwnFile{Path: target.Keys.IdentityFile, What: "an identity", Secret: true})
		}
	}
	if file := o.settings.Keys.IdentityFile; file != "" {
		list = append(list, OwnFile{Path: file, What: "an identity", Secret: true})
	}
	for _, path := range slices.Concat(o.m.Flags.Identities, []string{o.m.Env["PACKSTONE_IDENTITY_FILE"]}, o.m.UsualIdentities()) {
		list = append(list, OwnFile{Path: path, What: "an identity", Secret: true})
	}
	return list
}

// Paths returns the paths of the files.
func (o *OwnFiles) Paths() []string {
	var paths []string
	for _, f := range o.list() {
		paths = append(paths, f.Path)
	}
	return paths
}

// All returns what no restore may change, with what each is: these files, and the keys of this
// machine.
func (o *OwnFiles) All() (map[string]string, error) {
	paths := map[string]string{path.Join(o.m.Paths.Config, "writers"): "where keys of this host lie"}
	for _, f := range o.list() {
		paths[f.Path] = f.What
	}
	for _, file := range o.m.OwnerFiles() {
		paths[file] = "the owner's key"
	}
	writer, err := o.m.WriterPath()
	if writer != "" {
		paths[writer] = "the key of this host"
	}
	return paths, err
}

// Find returns the file that path leads to, nil if it is none of them.
func (o *OwnFiles) Find(path string) *OwnFile {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	for _, f := range o.list() {
		if own, err := os.Stat(f.Path); err == nil && os.SameFile(info, own) {
			return &f
		}
	}
	return nil
}

// Roots makes paths to back up absolute and sorts them, since their order does not matter. It
// refuses missing paths and packstone's own files.
func (o *OwnFiles) Roots(paths []string) (roots []string, err error) {
	for _, path := range paths {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("back up %s: %w", path, err)
		}
		if !config.Exists(absolute) {
			return nil, catalog.Misuse("%s does not exist", path)
		}
		if f := o.Find(absolute); f != nil {
			return nil, catalog.Misuse("%s is %s, which cannot be backed up", path, f.What)
		}
		o.m.noteLink(path)
		roots = append(roots, absolute)
	}
	slices.Sort(roots)
	return slices.Compact(roots), nil
}

// noteLink says that a link's target is backed up, not the link itself.
func (m *Machine) noteLink(path string) {
	info, err := os.Lstat(strings.TrimRight(path, "/"))
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return
	}
	if to, err := filepath.EvalSymlinks(path); err == nil {
		m.Note("%s is a symbolic link: backing up its target, %s", path, to)
	}
}

// Once is like Find, but returns nil for a path that was asked for before.
func (o *OwnFiles) Once(path string) *OwnFile {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told[path] {
		return nil
	}
	o.told[path] = true
	return o.Find(path)
}

// LeftOut returns a function that warns, once for each file, that it was left out. The function is
// safe for concurrent use.
func (o *OwnFiles) LeftOut(warn func(path, text string)) func(path string) {
	return func(path string) {
		found := o.Once(path)
		switch {
		case found == nil: // it was told, or has gone since
		case found.Secret:
			warn(path, "left out: it is an identity, without which this backup cannot be restored: keep it somewhere else")
		default:
			o.m.Note("%s is left out: it is %s", path, found.What)
		}
	}
}
