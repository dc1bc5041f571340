package fit

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/fetch"
)

// Run tests a snapshot by rules, from what the repository holds of it, which takes an identity. It
// returns the snapshot as it would have been committed.
func Run(ctx context.Context, repo *catalog.Repository, s *catalog.Snapshot, rules []catalog.Rule, o Options, how fetch.Options) (*catalog.Snapshot, error) {
	var names []string
	for i := range s.Sources {
		names = append(names, s.Sources[i].Name)
	}
	c, err := New(rules, names, o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.Scratch(o.Scratch)
	fetcher, err := fetch.New(repo, s.Domain, how)
	if err != nil {
		return nil, err
	}
	pages := fetch.RecentPages{Most: fewPages}
	open := func(name string) *tree.Tree {
		source, _ := s.Source(name) // New has seen that there is one
		return tree.Open(source.Root, pages.Load(fetcher.Pages()), tree.OpenOptions{})
	}
	for i := range s.Sources {
		if err := c.read(ctx, &s.Sources[i], fetcher, open); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.Sources[i].Name, err)
		}
	}
	tested := *s
	return &tested, c.Judge(ctx, &tested, open)
}

// fewPages is how many bytes of pages are kept young while trees are gone through.
const fewPages = 1 << 20

// read reads the tables of a source that rules are about.
func (c *Check) read(ctx context.Context, s *catalog.SourceState, fetcher *fetch.Fetcher, open func(string) *tree.Tree) error {
	observer := c.Observer(s.Name)
	if observer == nil {
		return nil
	}
	if !s.IsDatabase() {
		return catalog.Misuse("it is of type %s, and rows are in sources of type database", s.Type)
	}
	stored, err := rows.Open(fetcher.Files(ctx, open(s.Name)), database.SourceOptions{Aside: c.o.Scratch})
	if err != nil {
		return err
	}
	src := database.Observed(stored, observer)
	defer src.Close()
	schema, err := src.Schema(ctx)
	if err != nil {
		return err
	}
	for _, t := range schema.Tables {
		if !c.wants(s.Name, t) {
			continue
		}
		if err := src.Rows(ctx, t, func(b *database.Batch) error { b.Release(); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// wants tells whether rules are about a table of a source.
func (c *Check) wants(source string, t *database.Table) bool {
	for _, r := range c.rules {
		if r.source == source && r.table == t {
			return true
		}
	}
	return false
}
