package mysql

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

// hexDefaults spells texts of a statement that are no UTF-8 by their bytes: the server prints the
// default of a binary column raw, and what is stored of a schema is UTF-8.
func hexDefaults(create string) string {
	if utf8.ValidString(create) {
		return create
	}
	var out strings.Builder
	for rest := create; rest != ""; {
		value, after := "", rest[1:]
		switch rest[0] {
		case '`':
			_, after = cutName(rest)
		case '\'':
			value, after = cutLiteral(rest)
		}
		if utf8.ValidString(value) {
			out.WriteString(rest[:len(rest)-len(after)])
		} else {
			fmt.Fprintf(&out, "X'%x'", value)
		}
		rest = after
	}
	return out.String()
}

// ownCounters takes the name of the database off sequences by which columns count: the server puts
// it there, and a copy has another.
func ownCounters(create, database string) string {
	const call = "nextval("
	own := quote(database) + "."
	var out strings.Builder
	for rest := create; rest != ""; {
		after := rest[1:]
		switch {
		case rest[0] == '`':
			_, after = cutName(rest)
		case rest[0] == '\'':
			_, after = cutLiteral(rest)
		case strings.HasPrefix(rest, call+own):
			out.WriteString(call)
			rest = rest[len(call)+len(own):]
			continue
		}
		out.WriteString(rest[:len(rest)-len(after)])
		rest = after
	}
	return out.String()
}

var nextOf = regexp.MustCompile("(?i)nextval\\(`((?:[^`]|``)+)`\\.`((?:[^`]|``)+)`\\)")

// strangeCounters names defaults that count by a sequence of another database.
func (c *catalog) strangeCounters(r *relation) []database.Finding {
	var out []database.Finding
	for _, col := range c.columns[r.name] {
		if col.value == nil {
			continue
		}
		if m := nextOf.FindStringSubmatch(*col.value); m != nil && m[1] != c.name {
			out = append(out, database.Finding{
				Object: database.ObjectID{Kind: "default", Table: r.name, Name: col.name}, Status: database.Approximated, Code: database.CodeMoved,
				Reason: "it counts by the sequence " + m[2] + " of the database " + m[1] + ", which is no part of the copy",
			})
		}
	}
	return out
}
