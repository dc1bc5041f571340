// Package fit tests whether the sources of a snapshot fit together: whether the paths that rows of
// a database hold exist among the files of another source.
//
// A host that backs up can read nothing of what it has stored. So the rows are seen as they are
// read from the database, by an observer, and their paths put aside, sorted, in files without a
// name beyond a bound; when all trees are made they are merged with the tree that they lead to.
// Memory grows neither with the rows nor with the files. With an identity the same is done from
// what a snapshot holds.
package fit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/catalog/tripwire"
	"github.com/packstone/packstone/pipeline/database"
)

// Listed is how many dangling rows of a rule a snapshot names.
const Listed = 20

// Options say how it is tested.
type Options struct {
	Scratch string // directory for what outgrows the memory; "": that of temporary files
	Memory  int    // bytes of paths in memory, of all rules; 0: 32 MiB
	// Dangling is told of each row that leads to nothing; may be nil.
	Dangling func(r *catalog.Rule, d *catalog.Dangling)
}

// Check is a test of one snapshot. Close it. A nil one has no rules.
type Check struct {
	rules []*rule
	o     Options
}

// New begins a test by rules of a set that has these sources. catalog.ErrMisuse if a rule makes no
// sense.
func New(rules []catalog.Rule, sources []string, o Options) (*Check, error) {
	if o.Memory <= 0 {
		o.Memory = 32 << 20
	}
	c := &Check{o: o}
	for _, given := range rules {
		r, err := parse(given, sources)
		if err != nil {
			return nil, err
		}
		r.spool.most = max(o.Memory/len(rules), leastMemory)
		c.rules = append(c.rules, r)
	}
	return c, nil
}

// Scratch says where what outgrows the memory goes. It is called before anything is read.
func (c *Check) Scratch(dir string) {
	if c == nil {
		return
	}
	for _, r := range c.rules {
		r.spool.dir = dir
	}
}

// Close gives back what was put aside.
func (c *Check) Close() {
	if c == nil {
		return
	}
	for _, r := range c.rules {
		r.spool.reset()
	}
}

// Observer sees what is read of a source; nil if no rule refers from it.
func (c *Check) Observer(source string) database.Observer {
	if c == nil || !slices.ContainsFunc(c.rules, func(r *rule) bool { return r.source == source }) {
		return nil
	}
	return &observer{c, source}
}

type observer struct {
	*Check
	source string
}

// Schema implements database.Observer.
func (o *observer) Schema(s *database.Schema) {
	for _, r := range o.rules {
		if r.source == o.source {
			r.bind(s)
		}
	}
}

// Table implements database.Observer.
func (o *observer) Table(t *database.Table) func(*database.Batch) {
	var bound []*rule
	for _, r := range o.rules {
		if r.source == o.source && r.table != nil && r.table.ID() == t.ID() {
			r.begin()
			bound = append(bound, r)
		}
	}
	if len(bound) == 0 {
		return nil
	}
	cells := make([]database.Cell, len(t.Columns))
	return func(b *database.Batch) {
		for i := range b.Len() {
			err := b.Cells(cells, i)
			for _, r := range bound {
				r.take(cells, err)
			}
		}
	}
}

// Judge tests a snapshot whose rows were observed, and has it say what came out. open gives the
// tree of a source. What keeps a rule from being tested is said of the rule; an error is of ctx.
func (c *Check) Judge(ctx context.Context, s *catalog.Snapshot, open func(source string) *tree.Tree) error {
	s.References, s.Orphans = make([]catalog.References, len(c.rules)), nil
	for i, r := range c.rules {
		s.References[i].Rule = r.Rule
	}
	for _, to := range c.targets() {
		if err := c.lookUp(ctx, s, to, open(to)); err != nil {
			return err
		}
	}
	mark(s)
	return ctx.Err()
}

// targets are the sources that rules lead to.
func (c *Check) targets() (all []string) {
	for _, r := range c.rules {
		if !slices.Contains(all, r.To) {
			all = append(all, r.To)
		}
	}
	return all
}

// mark has a tripwire's word say of each rule that it does not hold, so that programs that know
// nothing of rules show the snapshot as marked too.
func mark(s *catalog.Snapshot) {
	s.Tripwire = slices.DeleteFunc(slices.Clone(s.Tripwire), func(t tripwire.Trip) bool { return !t.IsLoss() })
	for i := range s.References {
		if r := &s.References[i]; !r.Hold() {
			s.Tripwire = append(s.Tripwire, tripwire.Trip{Source: r.From, What: tripwire.Unfit, Before: r.Rows, Now: r.Dangling})
		}
	}
}

// Source is the one of the names that the beginning of a rule's from is, and what follows it; ""
// if none is.
func Source(from string, names []string) (source, place string) {
	for _, name := range names {
		if rest, ok := strings.CutPrefix(from, name+"."); ok && len(name) > len(source) {
			source, place = name, rest
		}
	}
	return source, place
}

// parse reads a rule.
func parse(given catalog.Rule, sources []string) (*rule, error) {
	r := &rule{Rule: given}
	if r.source, r.place = Source(given.From, sources); r.source == "" || r.place == "" {
		return nil, catalog.Misuse("from: %s names no source of the set and a table of it; these are known: %s", given.From, strings.Join(sources, ", "))
	}
	if given.Path == "" && !strings.Contains(r.place, ".") {
		return nil, catalog.Misuse("from: %s names no column: want SOURCE.TABLE.COLUMN, or path: with the columns of which a path is made", given.From)
	}
	if !slices.Contains(sources, given.To) {
		return nil, catalog.Misuse("to: there is no source %q in the set; these are known: %s", given.To, strings.Join(sources, ", "))
	}
	var err error
	if r.parts, err = parseTemplate(given.Path); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	return r, nil
}
