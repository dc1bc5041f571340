package config

import (
	"context"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// check reports contradictions in the settings, and makes paths absolute.
func (c *Config) check(d *decoder) {
	if _, given := d.lines["version"]; given && c.Version != 1 {
		d.problemAt("version", "is %d; this program reads version 1", c.Version)
	}
	c.checkRepository(d)
	c.Keys.check(d, "keys")
	c.checkRepositories(d)
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		path := join("sources", name)
		d.checkName(path, name)
		if s := c.Sources[name]; s.Settings != nil { // else its type was told to be wrong
			s.check(d, path)
		}
	}
	for _, name := range c.SetNames() {
		c.checkSet(d, name)
	}
	c.Jobs.check(d)
	c.checkCopy(d)
	c.checkKeep(d)
	c.checkDrillJob(d)
	c.checkBandwidth(d)
	c.checkPriority(d)
	for i := range c.Notify {
		c.checkNotify(d, i)
	}
	c.Metrics.check(d)
	c.Serve.check(d)
}

// checkNotify checks one way to notify somebody.
func (c *Config) checkNotify(d *decoder, i int) {
	e := &c.Notify[i]
	for _, path := range e.Files() {
		*path = d.resolve(*path)
	}
	if err := e.Check(); err != nil {
		d.problemAt("notify", "number %d: %v", i+1, err)
	}
	for _, set := range e.Sets {
		if _, ok := c.Sets[set]; !ok {
			d.problemAt("notify", "number %d: there is no set %q; these are known: %s", i+1, set, strings.Join(c.SetNames(), ", "))
		}
	}
}

func (c *Config) checkRepository(d *decoder) {
	if c.Repository == "" {
		if c.Classes != (Classes{}) && len(c.Repositories) == 0 {
			d.problemAt("storage_class", "is of a repository that the settings name: set repository too")
		}
		return
	}
	if strings.HasPrefix(c.Repository, "~") {
		c.Repository = d.resolve(c.Repository)
	}
	repository, err := ParseRepository(c.Repository)
	if err != nil {
		d.problemAt("repository", "%v", err)
		return
	}
	c.Classes.check(d, "", repository)
	if repository.Kind == Local {
		repository.Path = d.resolve(repository.Path)
		c.Repository = repository.Path
	}
}

func (k *Keys) check(d *decoder, path string) {
	k.WriterFile, k.CollectorFile, k.IdentityFile = d.resolve(k.WriterFile), d.resolve(k.CollectorFile), d.resolve(k.IdentityFile)
	if k.Owner != "" {
		if _, err := crypto.ParseFingerprint(k.Owner); err != nil {
			d.problemAt(path+".owner", "%v", err)
		}
	}
	if len(k.Recipients) == 0 {
		return
	}
	recipients := make([]age.Recipient, len(k.Recipients))
	for i, text := range k.Recipients {
		recipient, err := crypto.ParseRecipient(text)
		if err != nil {
			d.problemAt(path+".recipients", "number %d: %v", i+1, err)
			return
		}
		recipients[i] = recipient
	}
	if err := crypto.CheckRecipients(recipients); err != nil {
		d.problemAt(path+".recipients", "%v", err)
	}
}

func (c *Config) checkSet(d *decoder, name string) {
	set, path := c.Sets[name], join("sets", name)
	d.checkName(path, name)
	if _, both := c.Sources[name]; both {
		d.problemAt(path, "a source has this name too; backup %s would be ambiguous", name)
	}
	set.Retention.check(d, path+".retention")
	set.Timing.check(d, path)
	d.checkPeriod(path+".max_age", set.MaxAge)
	if _, err := set.Hooks.Limit(); err != nil {
		d.problemAt(path+".hooks.timeout", "%v", err)
	}
	set.Tripwire.check(d, path+".tripwire")
	c.checkDrill(d, path+".drill", &set)
	c.Sets[name] = set
	c.checkTo(d, path+".to", set.To)
	if len(set.Sources) == 0 {
		d.problemAt(path+".sources", "names no source")
	}
	for i, source := range set.Sources {
		if _, ok := c.Sources[source]; !ok {
			d.problemAt(path+".sources", "there is no source %q; these are known: %s", source,
				strings.Join(slices.Sorted(maps.Keys(c.Sources)), ", "))
		}
		if slices.Contains(set.Sources[:i], source) {
			d.problemAt(path+".sources", "the source %q is listed twice", source)
		}
	}
	c.checkReferences(d, &set, path)
}

// checkOpens makes the source itself check its settings. It is for types that read nothing when
// they are opened.
func (d *decoder) checkOpens(path string, o opener) {
	if d.isBroken(path) || slices.ContainsFunc(d.problems, func(p Problem) bool {
		return strings.HasPrefix(p.Text, path+".") || strings.HasPrefix(p.Text, path+":")
	}) {
		return // it would find the same again
	}
	opened, err := o.open(context.Background(), OpenOptions{})
	if err != nil {
		d.problemAt(path, "%v", err)
		return
	}
	opened.Close()
}

func (d *decoder) checkName(path, name string) {
	if !catalog.ValidName(name) {
		d.problemAt(path, "the name %q is not allowed; use up to 64 letters, digits, dots, dashes and underscores", name)
	}
}

func (d *decoder) checkFilled(path, value string) {
	if value == "" {
		d.problemAt(path, "is empty")
	}
}
