package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// OIDs of system catalogs; PostgreSQL never changes them.
const (
	classRelation   = 1259
	classType       = 1247
	classProcedure  = 1255
	classNamespace  = 2615
	classExtension  = 3079
	classConstraint = 2606
	classDefault    = 2604
	classRewrite    = 2618
	classTrigger    = 2620
	classPolicy     = 3256
	classCollation  = 3456
	classStatistics = 3381
	classOperator   = 2617
	classCast       = 2605
	classDictionary = 3600
	classTextConfig = 3602

	classEventTrigger = 3466
	classPublication  = 6104
)

// firstUser is the lowest OID that initdb does not give out.
const firstUser = 16384

// key names anything in the server.
type key struct{ Class, OID uint32 }

// item is an object on its way into a creation order. Rank breaks ties where
// dependencies leave a choice.
type item struct {
	key
	rank   int
	object *database.Object
	// excluded says that the filter left it out.
	excluded bool
	checks   []string // clauses at the end of a domain's statement
}

// Ranks: what usually comes first.
const (
	rankExtension = iota
	rankSchema
	rankCollation
	rankType
	rankFunction
	rankSequence
	rankTable
	rankPartition
	rankDefault
	rankView
	rankConstraint
	rankIndex
	rankForeign
	rankEnd
	rankComment
	rankGrant
	rankRefresh
)

// lister collects items.
type lister struct {
	ctx     context.Context
	conn    *pgx.Conn
	catalog *catalog
	schema  *database.Schema
	filter  database.Filter
	items   []*item
	err     error
}

// readObjects lists everything in the database in an order of creation.
func readObjects(ctx context.Context, conn *pgx.Conn, c *catalog, schema *database.Schema, filter database.Filter) ([]*database.Object, error) {
	l := &lister{ctx: ctx, conn: conn, catalog: c, schema: schema, filter: filter}
	for _, step := range []func(){
		l.extensions, l.schemas, l.collations, l.enums, l.domains, l.ranges, l.otherTypes, l.functions, l.aggregates, l.operators, l.casts, l.textSearch,
		l.sequences, l.relations, l.views, l.constraints, l.indexes, l.statistics, l.rules, l.triggers,
		l.policies, l.publications, l.eventTriggers, l.comments, l.extensionDependents, l.grants, l.tablespaces, l.databaseSettings, l.defaultPrivileges, l.largeObjects, l.outside, l.rest, l.configurations,
		l.owners,
	} {
		if step(); l.err != nil {
			return nil, l.err
		}
	}
	deps, err := readDependencies(ctx, conn, l.items)
	if err != nil {
		return nil, err
	}
	all := l.cutCircles(deps)
	noteLacks(all, deps)
	return inOrder(all, deps), nil
}

// add appends an object with its DDL; no DDL means that it cannot be carried.
func (l *lister) add(class, oid uint32, rank int, phase database.Phase, id database.ObjectID, ddl ...string) *item {
	it := &item{key: key{class, oid}, rank: rank, object: &database.Object{ObjectID: id, Phase: phase, DDL: ddl}}
	l.items = append(l.items, it)
	return it
}

// query runs sql, whose columns are an OID and texts, and calls f with the texts.
func (l *lister) query(columns int, sql string, f func(oid uint32, text []string)) {
	if l.err != nil {
		return
	}
	var oid uint32
	text := make([]string, columns)
	targets := []any{&oid}
	for i := range text {
		targets = append(targets, &text[i])
	}
	if err := each(l.ctx, l.conn, sql, targets, func() error { f(oid, text); return nil }); err != nil {
		l.err = fmt.Errorf("list objects: %w", translate(err))
	}
}

// named makes the identity of an object in a schema.
func named(kind, schema, name string) database.ObjectID {
	return database.ObjectID{Kind: kind, Schema: schema, Name: name}
}

func (l *lister) extensions() {
	l.query(2, `SELECT x.oid, x.extname::text, n.nspname::text FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace WHERE x.extname <> 'plpgsql' ORDER BY 2`,
		func(oid uint32, t []string) {
			l.add(classExtension, oid, rankExtension, database.BeforeTables, named("extension", "", t[0]),
				"CREATE EXTENSION IF NOT EXISTS "+quote(t[0])+" WITH SCHEMA "+quote(t[1]))
		})
}

func (l *lister) schemas() {
	l.query(1, `SELECT n.oid, n.nspname::text FROM pg_catalog.pg_namespace n WHERE `+userNamespace+` AND `+notMember("pg_namespace", "n.oid")+` ORDER BY 2`,
		func(oid uint32, t []string) {
			l.add(classNamespace, oid, rankSchema, database.BeforeTables, named("schema", "", t[0]), "CREATE SCHEMA IF NOT EXISTS "+quote(t[0]))
		})
}

func (l *lister) takes(r *relation) bool {
	for r.Partition && len(r.Parents) == 1 && l.catalog.relations[r.Parents[0]] != nil {
		r = l.catalog.relations[r.Parents[0]]
	}
	return l.filter.Takes("public", r.Schema, r.Name)
}

// rest names what we have no DDL for, so that it is at least reported.
func (l *lister) rest() {
	for _, kind := range []struct{ catalog, what string }{
		{"pg_opclass", "operator class"}, {"pg_opfamily", "operator family"}, {"pg_ts_parser", "text search parser"},
		{"pg_ts_template", "text search template"}, {"pg_conversion", "conversion"}, {"pg_foreign_data_wrapper", "foreign-data wrapper"},
		{"pg_foreign_server", "server"}, {"pg_am", "access method"}, {"pg_language", "language"}, {"pg_transform", "transform"},
	} {
		l.query(2, fmt.Sprintf(`SELECT o.oid, 'pg_catalog.%[1]s'::regclass::oid::text, i.identity FROM pg_catalog.%[1]s o, pg_catalog.pg_identify_object('pg_catalog.%[1]s'::regclass, o.oid, 0) i
			WHERE o.oid >= %[2]d AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.%[1]s'::regclass AND e.objid = o.oid AND e.deptype IN ('e', 'i')) ORDER BY 3`, kind.catalog, firstUser),
			func(oid uint32, t []string) {
				class, _ := strconv.ParseUint(t[0], 10, 32) // the server's own number
				it := l.add(uint32(class), oid, rankEnd, database.AtEnd, named(kind.what, "", t[1]))
				it.object.Lost = "objects of this kind are not carried"
			})
	}
}
