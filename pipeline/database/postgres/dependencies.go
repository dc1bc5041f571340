package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// dependencies maps an item to what must exist before.
type dependencies map[*item][]*item

// readDependencies follows pg_depend between items. What is no item (a row
// type, an array type, a view's rule) stands for the item that it is part of.
func readDependencies(ctx context.Context, conn *pgx.Conn, items []*item) (dependencies, error) {
	known := map[key]*item{}
	for _, it := range items {
		if it.Class != 0 {
			known[it.key] = it
		}
	}
	part := map[key]key{}
	type edge struct{ from, to key }
	var edges []edge
	var e edge
	var kind string
	err := each(ctx, conn, `SELECT classid, objid, refclassid, refobjid, deptype::text FROM pg_catalog.pg_depend WHERE objid >= `+fmt.Sprint(firstUser)+` AND deptype IN ('n', 'a', 'i', 'e', 'P') ORDER BY 1, 2, 3, 4`,
		[]any{&e.from.Class, &e.from.OID, &e.to.Class, &e.to.OID, &kind}, func() error {
			edges = append(edges, e)
			ofDomain := e.from.Class == classConstraint && e.to.Class == classType && kind == "a"
			if kind == "i" || kind == "e" || ofDomain {
				part[e.from] = e.to
			}
			return nil
		})
	if err != nil {
		return nil, translate(err)
	}
	owner := func(k key) *item {
		for range 8 {
			if it := known[k]; it != nil {
				return it
			}
			next, ok := part[k]
			if !ok {
				return nil
			}
			k = next
		}
		return nil
	}
	out := dependencies{}
	about := map[uint32]*item{}
	for k, it := range known {
		about[k.OID] = it
	}
	for _, it := range items { // comments, grants and contents hang on what they are about
		if on := about[it.OID]; it.Class == 0 && it.OID != 0 && on != nil {
			out[it] = append(out[it], on)
		}
	}
	for _, e := range edges {
		from, to := owner(e.from), owner(e.to)
		if from == nil || to == nil || from == to || from.Class == classExtension && to.object.Kind == "extension rows" { // members of an extension hang on each other
			continue
		}
		out[from] = append(out[from], to)
	}
	return out, nil
}

// phases in order.
var phases = []database.Phase{database.BeforeTables, database.Tables, database.AfterData, database.AtEnd}

// inOrder sorts items so that each follows what it depends on; an item never
// has an earlier phase than its dependencies, and what hangs on something that
// the filter left out is lost.
func inOrder(items []*item, deps dependencies) []*database.Object {
	slices.SortStableFunc(items, func(a, b *item) int {
		if n := slices.Index(phases, a.object.Phase) - slices.Index(phases, b.object.Phase); n != 0 {
			return n
		}
		return a.rank - b.rank
	})
	var out []*database.Object
	state := map[*item]int{} // 1: being visited, 2: done
	var visit func(it *item)
	visit = func(it *item) {
		if state[it] != 0 {
			return // done, or a circle that the server resolves by itself
		}
		state[it] = 1
		for _, d := range deps[it] {
			visit(d)
			if slices.Index(phases, d.object.Phase) > slices.Index(phases, it.object.Phase) {
				it.object.Phase = d.object.Phase
			}
			if d.excluded && !it.excluded {
				it.excluded = true
			}
		}
		if it.excluded && it.object.Kind != "table" {
			it.object.DDL, it.object.Lost = nil, database.LeftOut
		}
		state[it] = 2
		if !(it.excluded && it.object.Kind == "table") {
			out = append(out, it.object)
		}
	}
	for _, it := range items {
		visit(it)
	}
	return out
}
