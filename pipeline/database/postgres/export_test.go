package postgres

import "github.com/packstone/packstone/pipeline/database"

// Append adds a statement to what a plan makes last.
func Append(p *database.Plan, sql string) {
	d := p.Detail.(*plan)
	d.last = append(d.last, statement{object: database.ObjectID{Kind: "view", Schema: "public", Name: "appended"}, sql: sql})
}
