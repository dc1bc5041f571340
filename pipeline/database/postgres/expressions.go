package postgres

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// syntax are words that a parenthesis may follow in an expression without being functions.
var syntax = map[string]bool{}

func init() {
	for _, word := range strings.Fields(`all and any array as asc between bit by case cast character coalesce collate decimal desc distinct else end exists extract
		float from greatest grouping ilike in interval is isnull least like national nchar normalize not notnull null nullif numeric on or overlay position
		precision range row similar some substring symmetric then time timestamp to treat trim unknown using value values varchar varying when with xmlattributes
		xmlconcat xmlelement xmlforest xmlparse xmlpi xmlroot xmlserialize zone char dec`) {
		syntax[word] = true
	}
}

// culprit names the first thing in an expression that may do more than compute; empty: there is
// none. A name without a schema is the system's: statements run with an empty search path.
func (r *replay) culprit(tokens []sqltext.Token) string {
	if len(tokens) == 0 {
		return ""
	}
	if r.casts {
		return "a cast that the database defines"
	}
	for _, c := range sqltext.Calls(tokens) {
		system := c.Schema == "" || c.Schema == "pg_catalog"
		switch {
		case c.Operator && system, system && r.at.harmless[c.Name], c.Schema == "" && !c.Quoted && syntax[strings.ToLower(c.Name)]:
		case !system && r.benign && !r.own[database.JoinName(c.Schema, c.Name)]:
		case c.Schema == "":
			return c.Name
		default:
			return c.Schema + "." + c.Name
		}
	}
	for _, t := range tokens {
		if t.Is("select") {
			return "a query"
		}
	}
	return ""
}
