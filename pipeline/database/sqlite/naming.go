package sqlite

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// reservedPrefix begins the names of our own tables.
const reservedPrefix = "_packstone_"

func quote(name string) string { return database.Quote(database.SQLite, name) }

func quoteAll(list []string) string {
	out := make([]string, len(list))
	for i, name := range list {
		out[i] = quote(name)
	}
	return strings.Join(out, ", ")
}

func text(s string) string { return database.QuoteText(database.SQLite, s) }
