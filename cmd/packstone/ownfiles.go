package main

import (
	"os"
	"slices"
	"sync"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
)

// ownFiles are packstone's own files on this machine. No backup takes them: the repository would grow by itself, a cache is made anew, and an
// identity within what only it opens is lost with it.
type ownFiles struct {
	*app
	repository config.Repository

	mu   sync.Mutex
	told map[string]bool
}

type ownFile struct {
	path, what string
	secret     bool // worth a warning
}

func (a *app) ownFiles() (*ownFiles, error) {
	repository, err := a.repository()
	return &ownFiles{app: a, repository: repository, told: map[string]bool{}}, err
}

// list names them as they are now: the first backup makes some.
func (o *ownFiles) list() []ownFile {
	list := []ownFile{{path: o.cacheRoot(), what: "packstone's cache"}}
	if o.repository.Kind == config.Local {
		list = append(list, ownFile{path: o.repository.Path, what: "the repository itself"})
	}
	for _, path := range slices.Concat(o.flags.Identities, []string{o.env["PACKSTONE_IDENTITY_FILE"]}, o.UsualIdentities()) {
		list = append(list, ownFile{path: path, what: "an identity", secret: true})
	}
	return list
}

// paths are where they lie.
func (o *ownFiles) paths() []string {
	var paths []string
	for _, f := range o.list() {
		paths = append(paths, f.path)
	}
	return paths
}

// find is the one of them that path leads to, nil if it is none.
func (o *ownFiles) find(path string) *ownFile {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	for _, f := range o.list() {
		if own, err := os.Stat(f.path); err == nil && os.SameFile(info, own) {
			return &f
		}
	}
	return nil
}

// tell says once that something was left out. It may be called by several goroutines at once.
func (o *ownFiles) tell(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told[path] {
		return
	}
	o.told[path] = true
	found := o.find(path)
	switch {
	case found == nil:
		return // it has gone since
	case found.secret:
		o.out.Warn(output.Warning{Item: output.Name(path), Message: "left out: it is an identity, without which nothing of this backup comes back: keep it somewhere else"})
	default:
		o.out.Note("%s is left out: it is %s", output.Name(path), found.what)
	}
}
