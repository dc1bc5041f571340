package sqlite

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// names gives out names that are unique without regard to case, as SQLite
// compares them.
type names map[string]bool

// take returns the name, with a suffix where it is taken.
func (n names) take(name string) string {
	base := name
	for i := 2; n[strings.ToLower(name)]; i++ {
		name = fmt.Sprintf("%s__%d", base, i)
	}
	n[strings.ToLower(name)] = true
	return name
}

// reservedPrefix begins the names of our own tables.
const reservedPrefix = "_packstone_"

// tableName is what a table of the source is called in the file: other schemas
// than the default are part of the name.
func tableName(s *database.Schema, t *database.Table) string {
	name := t.Name
	if t.Schema != "" && t.Schema != s.Namespace {
		name = t.Schema + "__" + name
	}
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, "sqlite_") || strings.HasPrefix(lower, reservedPrefix) && t.Role == database.Data {
		name = "_" + name
	}
	return name
}

func quote(name string) string { return database.Quote(database.SQLite, name) }

func quoteAll(list []string) string {
	out := make([]string, len(list))
	for i, name := range list {
		out[i] = quote(name)
	}
	return strings.Join(out, ", ")
}

func text(s string) string { return database.QuoteText(database.SQLite, s) }
