package config

import (
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
)

// RepositoryNames returns the sorted names of several repositories; none if there is only one,
// which has no name.
func (c *Config) RepositoryNames() []string { return slices.Sorted(maps.Keys(c.Repositories)) }

// RepositoryFor returns the name of the repository to use if none is named: the only one, else the
// first to which the set goes, or to which all sets go if set is "". If there is none, it fails
// with catalog.ErrMisuse and lists the names.
func (c *Config) RepositoryFor(set string) (string, error) {
	names := c.RepositoryNames()
	if len(names) == 1 {
		return names[0], nil
	}
	var first []string
	for name, s := range c.Sets {
		if len(s.To) > 0 && (set == "" || set == name) && !slices.Contains(first, s.To[0]) {
			first = append(first, s.To[0])
		}
	}
	if len(first) == 1 {
		return first[0], nil
	}
	return "", catalog.Misuse("name the repository with -r: %s", strings.Join(names, ", "))
}

// GoesTo reports whether the set is backed up to a repository. A set that names no repository goes
// to any.
func (s *Set) GoesTo(repository string) bool {
	return repository == "" || len(s.To) == 0 || slices.Contains(s.To, repository)
}

// TargetAt returns the repository with a name or at an address; "" if there is none.
func (c *Config) TargetAt(named string) (name string) {
	if _, ok := c.Repositories[named]; ok {
		return named
	}
	at, err := ParseRepository(named)
	if err != nil {
		return ""
	}
	if path, err := filepath.Abs(at.Path); at.Kind == Local && err == nil {
		at.Path = path
	}
	for _, name := range c.RepositoryNames() {
		if other, err := ParseRepository(c.Repositories[name].URL); err == nil && other.String() == at.String() {
			return name
		}
	}
	return ""
}

func (c *Config) checkRepositories(d *decoder) {
	if len(c.Repositories) == 0 {
		return
	}
	if c.Repository != "" {
		d.problemAt("repository", "cannot be used together with repositories; make it one of them")
	}
	if c.Classes != (Classes{}) {
		d.problemAt("storage_class", "each of repositories has storage classes of its own; put them there")
	}
	if !reflect.ValueOf(c.Keys).IsZero() {
		d.problemAt("keys", "each of repositories has keys of its own; put them there")
	}
	seen := map[string]string{}
	for _, name := range c.RepositoryNames() {
		path := join("repositories", name)
		d.checkName(path, name)
		t := c.Repositories[name]
		t.check(d, path)
		c.Repositories[name] = t
		if before := seen[t.URL]; before != "" {
			d.problemAt(path+".url", "is that of %s too", before)
		}
		seen[t.URL] = name
	}
}

func (t *Target) check(d *decoder, path string) {
	t.Keys.check(d, path+".keys")
	t.AccessKeyFile, t.SecretKeyFile = d.resolve(t.AccessKeyFile), d.resolve(t.SecretKeyFile)
	at, err := ParseRepository(t.URL)
	if err != nil {
		d.problemAt(path+".url", "%v", err)
		return
	}
	if (t.AccessKeyFile == "") != (t.SecretKeyFile == "") {
		d.problemAt(path, "of access_key_file and secret_key_file only one is set")
	}
	if t.AccessKeyFile != "" && !at.IsBucket() {
		d.problemAt(path+".access_key_file", "is only for a bucket, and %s is not one", t.URL)
	}
	t.Classes.check(d, path, at)
	if at.Kind == Local {
		t.URL = d.resolve(at.Path)
	}
}

// checkTo checks the repositories that a set names.
func (c *Config) checkTo(d *decoder, path string, to []string) {
	for i, name := range to {
		if _, ok := c.Repositories[name]; !ok {
			known := "none, since there are no repositories"
			if len(c.Repositories) > 0 {
				known = strings.Join(c.RepositoryNames(), ", ")
			}
			d.problemAt(path, "there is no repository %q; these are known: %s", name, known)
		}
		if slices.Contains(to[:i], name) {
			d.problemAt(path, "the repository %q is listed twice", name)
		}
	}
}
