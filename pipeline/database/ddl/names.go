package ddl

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

// NameRules are an engine's rules for identifiers.
type NameRules struct {
	// Max is the longest name, in what Length counts, which Unit names; 0: there
	// is no limit.
	Max    int
	Unit   string
	Length func(string) int
	// Takes says that a name may hold a character; nil: all but NUL.
	Takes func(rune) bool
	// Fold gives what names are compared by; nil: themselves.
	Fold func(string) string
	// Place is what tables' names become where the server folds them; nil: they stay.
	Place func(string) string
	// Reserved begin names of the engine's own tables, in lower case.
	Reserved []string
	// Kept are names of columns of which the engine needs one itself, in any case.
	Kept []string
	// Used are names of tables that are there already.
	Used []string
	// Empty says that a name may be empty, Blank that it may end in a blank.
	Empty, Blank bool
}

// Unnamed stands for an empty name.
const unnamed = "unnamed"

// Legal replaces what no identifier may hold and cuts what is too long, after a
// whole character.
func (r NameRules) Legal(name string) string {
	clean := strings.Map(func(c rune) rune {
		if c == 0 || c == utf8.RuneError || r.Takes != nil && !r.Takes(c) {
			return '_'
		}
		return c
	}, name)
	if clean == "" && !r.Empty {
		clean = unnamed
	}
	return r.end(r.cut(clean, r.Max))
}

// end replaces a blank at the end where none may be.
func (r NameRules) end(name string) string {
	if !r.Blank && strings.HasSuffix(name, " ") {
		return name[:len(name)-1] + "_"
	}
	return name
}

// legalTable is Legal for a table.
func (r NameRules) legalTable(name string) string {
	for _, prefix := range r.Reserved {
		if strings.HasPrefix(strings.ToLower(name), prefix) {
			name = "_" + name
			break
		}
	}
	name = r.Legal(name)
	if r.Place != nil {
		return r.Place(name)
	}
	return name
}

// legalColumn is Legal for a column of a table: where it has all names of which one is kept, the
// last of them is changed.
func (r NameRules) legalColumn(t *database.Table, name string) string {
	free := func(kept string) bool {
		return !slices.ContainsFunc(t.Columns, func(c *database.Column) bool { return strings.EqualFold(c.Name, kept) })
	}
	if n := len(r.Kept); n > 0 && strings.EqualFold(name, r.Kept[n-1]) && !slices.ContainsFunc(r.Kept, free) {
		name = "_" + name
	}
	return r.Legal(name)
}

// cut keeps whole characters up to a length.
func (r NameRules) cut(name string, limit int) string {
	for r.Max > 0 && r.Length(name) > limit {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

func (r NameRules) fold(name string) string {
	if r.Fold == nil {
		return name
	}
	return r.Fold(name)
}

// why says what made another name of one.
func (r NameRules) why(from, to string) string {
	switch {
	case from == "":
		return "a name cannot be empty"
	case r.Max > 0 && r.Length(from) > r.Max:
		return fmt.Sprintf("names have at most %d %s", r.Max, r.Unit)
	case r.Legal(from) != from:
		return "no name has such characters"
	case r.legalTable(from) == to && r.Place != nil && r.Place(from) == to:
		return "the server folds names of tables"
	case len(to) == len(from)+1 && to[1:] == from:
		return "such names are the engine's own"
	case r.Fold != nil && r.fold(from) != from:
		return "names must differ in more than case"
	}
	return "another has that name"
}

// Space is a name space: the names in it must differ.
type Space struct {
	Name  string
	Table bool // every table has its own, else every schema
}

// Columns is the name space of a table's columns.
var Columns = Space{Name: "column", Table: true}

// Spaces says in which name spaces things are; nil: they have no names that need
// to differ, and keep them.
type Spaces struct {
	Tables, Sequences, Types, Keys, Indexes, Checks, Foreign []Space
}

// Distinct gives out names that are legal and differ.
func (r NameRules) Distinct() func(name string) string {
	n := taken{rules: r, names: map[string]bool{}}
	return func(name string) string { return n.take(where{""}, r.Legal(name)) }
}

// taken holds the names that are in use.
type taken struct {
	rules NameRules
	names map[string]bool
}

// where is a name space with the schema or table that it is of.
type where []string

func spacesOf(list []Space, schema, table string) where {
	var out where
	for _, s := range list {
		at := s.Name + "\x00" + schema
		if s.Table {
			at += "\x00" + table
		}
		out = append(out, at+"\x00")
	}
	return out
}

// free says that no space has a name yet.
func (n *taken) free(in where, name string) bool {
	for _, space := range in {
		if n.names[space+n.rules.fold(name)] {
			return false
		}
	}
	return true
}

// hold notes a name that something has which is there.
func (n *taken) hold(in where, name string) {
	for _, space := range in {
		n.names[space+n.rules.fold(name)] = true
	}
}

// take gives a name that is legal and free: a given one, or one near it.
func (n *taken) take(in where, legal string) string {
	name := legal
	for i := 2; !n.free(in, name); i++ {
		suffix := fmt.Sprintf("__%d", i)
		name = n.rules.cut(legal, n.rules.Max-len(suffix)) + suffix
	}
	n.hold(in, name)
	return name
}
