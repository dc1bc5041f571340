package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/fit"
)

// Reference says that rows of a database refer to files of another source of the set.
type Reference struct {
	From      string `yaml:"from" doc:"The column that holds paths, as SOURCE.TABLE.COLUMN or SOURCE.SCHEMA.TABLE.COLUMN; with path: the table, without COLUMN."`
	To        string `yaml:"to" doc:"The source of the set in which each path must exist."`
	Path      string `yaml:"path,omitempty" doc:"How a path is made of the columns of a row, such as {tenant}/{id}.bin. Without it, the column's value is the path."`
	Strip     string `yaml:"strip,omitempty" doc:"What stands before the path in values that have it, such as /srv/files/ or s3://lake/output/."`
	WhereNull string `yaml:"where_null,omitempty" doc:"ignore: null refers to nothing, as if it is not named. dangling: null leads to nothing, and is a fault."`
}

// The words of Reference.WhereNull.
const (
	nullIgnored  = "ignore"
	nullDangling = "dangling"
)

// rule is the reference as a snapshot has it.
func (r *Reference) rule() catalog.Rule {
	return catalog.Rule{From: r.From, To: r.To, Path: r.Path, Strip: r.Strip, Nulls: r.WhereNull == nullDangling}
}

// Rules are the references of a set.
func (s *Set) Rules() (rules []catalog.Rule) {
	for i := range s.References {
		rules = append(rules, s.References[i].rule())
	}
	return rules
}

// LeftOut is what the set leaves out of the platform, by name.
func (s *Set) LeftOut() (all []catalog.LeftOut) {
	for _, name := range slices.Sorted(maps.Keys(s.NotBackedUp)) {
		all = append(all, catalog.LeftOut{Name: name, Reason: s.NotBackedUp[name]})
	}
	return all
}

// checkReferences judges what a set says of its sources.
func (c *Config) checkReferences(d *decoder, set *Set, path string) {
	for i := range set.References {
		r := &set.References[i]
		if r.WhereNull != "" && r.WhereNull != nullIgnored && r.WhereNull != nullDangling {
			d.problemAt(path+".references", "number %d: where_null: %q is neither %s nor %s", i+1, r.WhereNull, nullIgnored, nullDangling)
		}
		if _, err := fit.New([]catalog.Rule{r.rule()}, set.Sources, fit.Options{}); err != nil {
			d.problemAt(path+".references", "number %d: %v", i+1, err)
			continue
		}
		if s := c.Sources[r.To]; s.Type == "database" || s.Type == "command" {
			d.problemAt(path+".references", "number %d: to: %s is of type %s; paths lead to files, lakes and settings", i+1, r.To, s.Type)
		}
		name, _ := fit.Source(r.From, set.Sources)
		if s := c.Sources[name]; s.Settings != nil && s.Type != "database" {
			d.problemAt(path+".references", "number %d: from: %s is of type %s; rows are read of sources of type database alone", i+1, name, s.Type)
		}
	}
	for _, out := range set.LeftOut() {
		if strings.TrimSpace(out.Reason) == "" {
			d.problemAt(path+".not_backed_up", "%s has no reason: say why it need not come back", out.Name)
		}
	}
}

// Warnings are what a person should look at in settings that are good.
func (c *Config) Warnings() (all Problems) {
	for _, name := range c.SetNames() {
		set, path := c.Sets[name], join("sets", name)
		warn := func(below, text string) {
			d := decoder{file: c.places.file, lines: c.places.lines}
			all = append(all, Problem{File: c.places.file, Line: d.lineOf(path + below), Text: path + below + ": " + text})
		}
		for i := range set.References {
			if r := &set.References[i]; set.isTooEarly(r) {
				from, _ := fit.Source(r.From, set.Sources)
				warn(".sources", r.To+" is taken before "+from+", whose rows refer to it: files of rows that are added meanwhile are missing in the snapshot. Name "+from+" first")
			}
		}
		for _, out := range set.LeftOut() {
			if slices.Contains(set.Sources, out.Name) {
				warn(".not_backed_up", out.Name+" is a source of the set, and so it is backed up")
			}
		}
	}
	return all
}

// isTooEarly tells whether what is referred to is taken before what refers to it.
func (s *Set) isTooEarly(r *Reference) bool {
	from, _ := fit.Source(r.From, s.Sources)
	return slices.Index(s.Sources, r.To) < slices.Index(s.Sources, from)
}

// RulesOf are the rules for references by which a snapshot is tested: those that the settings have for
// its set, else those by which it was made.
func (c *Config) RulesOf(s *catalog.Snapshot) (rules []catalog.Rule) {
	if set, ok := c.Sets[s.Set]; ok && len(set.References) > 0 {
		return set.Rules()
	}
	for i := range s.References {
		rules = append(rules, s.References[i].Rule)
	}
	return rules
}
