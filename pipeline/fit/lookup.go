package fit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// lookUp tests the rules that lead to a source, by one pass over its tree. What keeps them from
// being tested is said of them.
func (c *Check) lookUp(ctx context.Context, s *catalog.Snapshot, to string, t *tree.Tree) error {
	l := &lookup{Check: c, results: map[*rule]*catalog.References{}}
	for i, r := range c.rules {
		if r.To == to {
			l.results[r] = &s.References[i]
			l.begin(r, &s.References[i])
		}
	}
	err := l.err
	if err == nil && t == nil {
		err = fmt.Errorf("the snapshot has no source %s", to)
	}
	if err == nil {
		err = l.run(ctx, t)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	complete := true
	for _, result := range l.results {
		if err != nil && result.Failed == "" {
			result.Failed = err.Error()
		}
		if complete = complete && result.Failed == ""; result.Failed != "" {
			result.Dangling, result.First = 0, nil
		}
	}
	if complete {
		s.Orphans = append(s.Orphans, catalog.Orphans{Source: to, Files: l.orphans})
	}
	return nil
}

// lookup is one pass over the records of rules and the tree that they lead to.
type lookup struct {
	*Check
	results map[*rule]*catalog.References
	records merger
	err     error

	path    string // of the record that comes next
	rest    []byte
	ended   bool
	cover   string // that was referred to: what lies below is no orphan
	covers  bool
	orphans uint64
}

// begin adds the records of a rule.
func (l *lookup) begin(r *rule, result *catalog.References) {
	result.Rows, result.Failed = r.rows, r.failed
	switch {
	case r.failed != "":
		result.Rows = 0
	case !r.read:
		result.Failed = "its table was not read"
	default:
		if err := r.spool.into(&l.records, r); err != nil {
			l.err = err
		}
	}
}

func (l *lookup) run(ctx context.Context, t *tree.Tree) error {
	if err := l.advance(); err != nil {
		return err
	}
	for n, err := range t.All(ctx, "") {
		if err != nil {
			return err
		}
		if n.Path == "" {
			continue
		}
		if err := l.meet(n); err != nil {
			return err
		}
	}
	for !l.ended {
		if err := l.miss(); err != nil {
			return err
		}
	}
	return nil
}

// advance goes on to the next record.
func (l *lookup) advance() error {
	path, rest, err := l.records.next()
	if err == io.EOF {
		l.ended = true
		return nil
	}
	if err != nil {
		return err
	}
	l.path, l.rest = string(bytes.ReplaceAll(path, []byte{slash}, []byte("/"))), rest
	return nil
}

// meet takes a node of the tree. What lies below a path that is referred to shows that it exists:
// objects in a bucket lie in no directories.
func (l *lookup) meet(n *tree.Node) error {
	for !l.ended {
		var err error
		switch {
		case l.path != "" && entry.Within(n.Path, l.path):
			err = l.hit()
		case entry.ComparePaths(l.path, n.Path) < 0:
			err = l.miss()
		default:
			return l.count(n)
		}
		if err != nil {
			return err
		}
	}
	return l.count(n)
}

// count counts a node that no row refers to.
func (l *lookup) count(n *tree.Node) error {
	if n.Type == entry.File && (!l.covers || !entry.Within(n.Path, l.cover)) {
		l.orphans++
	}
	return nil
}

// hit notes that the record leads to something, and goes on to the next.
func (l *lookup) hit() error {
	if !l.covers || !entry.Within(l.path, l.cover) {
		l.cover, l.covers = l.path, true
	}
	return l.advance()
}

// miss notes that the record leads to nothing, and goes on to the next.
func (l *lookup) miss() error {
	r := l.records.rule()
	d, err := parseRecord(r.table.ID(), l.path, l.rest)
	if err != nil {
		return err
	}
	result := l.results[r]
	if result.Dangling++; len(result.First) < Listed {
		result.First = append(slices.Clip(result.First), d)
	}
	if l.o.Dangling != nil {
		l.o.Dangling(&r.Rule, &d)
	}
	return l.advance()
}
