package oracle

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// move lets the statements of a schema name another schema in its place: one that
// is copied beside its source would go on using the tables there.
func move(p *database.Plan, from, to string) {
	steps := p.Detail.(*ddl.Steps)
	p.Statements = nil
	for _, list := range [][]ddl.Statement{steps.Create, steps.After, steps.End} {
		for i := range list {
			s := &list[i]
			moved, err := renamed(s.SQL, from, to)
			switch {
			case err != nil && strings.Contains(strings.ToUpper(s.SQL), strings.ToUpper(from)):
				p.Findings = append(p.Findings, database.Finding{Object: s.Object, Status: database.Approximated, Code: database.CodeMoved, Reason: "it may go on naming the schema " + from})
			case moved != s.SQL:
				p.Findings = append(p.Findings, database.Finding{Object: s.Object, Status: database.Approximated, Code: database.CodeMoved, Reason: "it named the schema " + from + " and now names " + to})
			}
			s.SQL = moved
			p.Statements = append(p.Statements, s.SQL)
		}
	}
}

// renamed replaces the schema in front of names.
func renamed(sql, from, to string) (string, error) {
	tokens, err := sqltext.Oracle.Tokens(sql)
	if err != nil {
		return sql, err
	}
	var out strings.Builder
	done := 0
	for i, t := range tokens {
		name := t.Kind == sqltext.Word || t.Kind == sqltext.Name
		first := i == 0 || !tokens[i-1].Is(".")
		if name && first && t.Value == from && i+1 < len(tokens) && tokens[i+1].Is(".") {
			out.WriteString(sql[done:t.At] + quote(to))
			done = t.End
		}
	}
	return out.String() + sql[done:], nil
}
