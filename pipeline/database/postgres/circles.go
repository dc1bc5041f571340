package postgres

import (
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// A view may come to depend on itself, through others, when it is replaced. It is then made twice,
// as by pg_dump: first with its columns alone, on which the others of the circle hang, and with its
// query once they are there.

// reaches says that an item hangs on another that is wanted, at any distance.
func (deps dependencies) reaches(from *item, wanted func(*item) bool) bool {
	seen := map[*item]bool{}
	var visit func(*item) bool
	visit = func(it *item) bool {
		for _, d := range deps[it] {
			if wanted(d) {
				return true
			}
			if !seen[d] {
				if seen[d] = true; visit(d) {
					return true
				}
			}
		}
		return false
	}
	return visit(from)
}

// cutCircles splits views until none depends on itself, and returns all items.
func (l *lister) cutCircles(deps dependencies) []*item {
	var out []*item
	for _, it := range l.items {
		same := func(d *item) bool { return d == it }
		if it.object.Kind == "view" && deps.reaches(it, same) {
			columns := l.columnsAlone(it)
			columns.excluded = it.excluded || deps.reaches(it, func(d *item) bool { return d.excluded })
			for other, on := range deps {
				if other != it && deps.reaches(it, func(d *item) bool { return d == other }) {
					replace(on, it, columns)
				}
			}
			deps[it] = append(deps[it], columns)
			out = append(out, columns)
		}
		out = append(out, it)
		if len(it.checks) > 0 && deps.reaches(it, same) {
			out = append(out, checksAlone(it, deps)...)
		}
	}
	return out
}

// checksAlone takes from a domain the checks that call functions of the domain. They become objects
// of their own, which follow those functions.
func checksAlone(it *item, deps dependencies) (out []*item) {
	it.object.DDL[0] = strings.TrimSuffix(it.object.DDL[0], strings.Join(it.checks, ""))
	all := append([]*item{it}, deps[it]...)
	deps[it] = slices.DeleteFunc(slices.Clone(deps[it]), func(d *item) bool {
		return deps.reaches(d, func(x *item) bool { return x == it })
	})
	for _, clause := range it.checks {
		o := it.object
		tokens, err := sqltext.Postgres.Tokens(clause)
		if err != nil || len(tokens) < 2 {
			continue // the server has written it
		}
		check := &item{rank: rankFunction, object: &database.Object{
			ObjectID: named("domain check", o.Schema, o.Name+"."+tokens[1].Value), Phase: o.Phase, Owner: o.Owner,
			DDL: []string{"ALTER DOMAIN " + qualified(o.Schema, o.Name) + " ADD" + clause},
		}}
		deps[check] = all
		out = append(out, check)
	}
	return out
}

func replace(list []*item, old, by *item) {
	for i, d := range list {
		if d == old {
			list[i] = by
		}
	}
}

// columnsAlone makes the view without its query, which becomes an object of its own.
func (l *lister) columnsAlone(it *item) *item {
	r := l.catalog.relations[it.OID]
	cells := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		cells[i] = "NULL::" + c.Format + collate(c) + " AS " + quote(c.Name)
	}
	alone := &item{rank: it.rank, object: &database.Object{
		ObjectID: it.object.ObjectID, Phase: it.object.Phase, Owner: it.object.Owner,
		DDL: []string{"CREATE VIEW " + r.sql() + " AS\nSELECT " + strings.Join(cells, ", ")},
	}}
	it.object.Kind = "view query"
	for i, sql := range it.object.DDL {
		it.object.DDL[i] = strings.Replace(sql, "CREATE VIEW", "CREATE OR REPLACE VIEW", 1)
	}
	return alone
}
