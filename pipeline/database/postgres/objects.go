package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
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

func (l *lister) collations() {
	l.query(3, `SELECT c.oid, n.nspname::text, c.collname::text, format('CREATE COLLATION %I.%I (', n.nspname, c.collname)
		|| CASE c.collprovider
		   WHEN 'i' THEN 'provider = icu, locale = ' || quote_literal(`+l.catalog.since(17, "c.colllocale", l.catalog.since(15, "c.colliculocale", "c.collcollate::text"))+`)
		   WHEN 'b' THEN 'provider = builtin, locale = ' || quote_literal(`+l.catalog.since(17, "c.colllocale", "NULL::text")+`)
		   ELSE format('provider = libc, lc_collate = %L, lc_ctype = %L', c.collcollate, c.collctype) END
		|| coalesce(', rules = ' || quote_literal(`+l.catalog.since(16, "c.collicurules", "NULL::text")+`), '')
		|| CASE WHEN c.collisdeterministic THEN '' ELSE ', deterministic = false' END || ')'
		FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
		WHERE `+userNamespace+` AND `+notMember("pg_collation", "c.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classCollation, oid, rankCollation, database.BeforeTables, named("collation", t[0], t[1]), t[2])
		})
}

// userType restricts a query over pg_type t and pg_namespace n.
var userType = userNamespace + ` AND ` + notMember("pg_type", "t.oid")

func (l *lister) enums() {
	l.query(3, `SELECT t.oid, n.nspname::text, t.typname::text,
		format('CREATE TYPE %I.%I AS ENUM (%s)', n.nspname, t.typname, (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_catalog.pg_enum WHERE enumtypid = t.oid))
		FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e' AND `+userType+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classType, oid, rankType, database.BeforeTables, named("type", t[0], t[1]), t[2])
		})
}

func (l *lister) domains() {
	l.query(4, `SELECT t.oid, n.nspname::text, t.typname::text,
		format('CREATE DOMAIN %I.%I AS %s', n.nspname, t.typname, pg_catalog.format_type(t.typbasetype, t.typtypmod))
		|| coalesce((SELECT format(' COLLATE %I.%I', cn.nspname, c.collname) FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace cn ON cn.oid = c.collnamespace JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype WHERE c.oid = t.typcollation AND t.typcollation <> b.typcollation), '')
		|| coalesce(' DEFAULT ' || coalesce(pg_catalog.pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::pg_catalog.regclass), quote_literal(t.typdefault)), '') || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END,
		coalesce((SELECT string_agg(format(' CONSTRAINT %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid)), E'\x01' ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.convalidated AND k.contype = 'c'), '')
		FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd' AND `+userType+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			it := l.add(classType, oid, rankType, database.BeforeTables, named("domain", t[0], t[1]), t[2]+strings.ReplaceAll(t[3], "\x01", ""))
			if t[3] != "" {
				it.checks = strings.Split(t[3], "\x01")
			}
		})
	l.query(4, `SELECT k.oid, n.nspname::text, t.typname::text, k.conname::text,
		format('ALTER DOMAIN %I.%I ADD CONSTRAINT %I %s', n.nspname, t.typname, k.conname, pg_catalog.pg_get_constraintdef(k.oid))
		FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_type t ON t.oid = k.contypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
		WHERE NOT k.convalidated AND k.contype = 'c' AND `+userType,
		func(oid uint32, t []string) {
			l.add(classConstraint, oid, rankConstraint, database.AfterData, named("domain check", t[0], t[1]+"."+t[2]), t[3])
		})
}

func (l *lister) ranges() {
	multirange := "''"
	if l.catalog.major() >= 14 {
		multirange = `coalesce((SELECT format(', MULTIRANGE_TYPE_NAME = %I.%I', mn.nspname, m.typname) FROM pg_catalog.pg_type m JOIN pg_catalog.pg_namespace mn ON mn.oid = m.typnamespace WHERE m.oid = r.rngmultitypid), '')`
	}
	l.query(3, `SELECT t.oid, n.nspname::text, t.typname::text,
		format('CREATE TYPE %I.%I AS RANGE (SUBTYPE = %s', n.nspname, t.typname, pg_catalog.format_type(r.rngsubtype, NULL))
		|| coalesce((SELECT format(', SUBTYPE_OPCLASS = %I.%I', on_.nspname, o.opcname) FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_namespace on_ ON on_.oid = o.opcnamespace WHERE o.oid = r.rngsubopc AND NOT o.opcdefault), '')
		|| coalesce((SELECT format(', COLLATION = %I.%I', cn.nspname, c.collname) FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace cn ON cn.oid = c.collnamespace JOIN pg_catalog.pg_type b ON b.oid = r.rngsubtype WHERE c.oid = r.rngcollation AND c.oid <> b.typcollation), '')
		|| CASE WHEN r.rngcanonical <> 0 THEN ', CANONICAL = ' || r.rngcanonical::regproc ELSE '' END
		|| CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff::regproc ELSE '' END
		|| `+multirange+` || ')'
		FROM pg_catalog.pg_type t JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE `+userType+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classType, oid, rankType, database.BeforeTables, named("type", t[0], t[1]), t[2])
		})
}

// otherTypes are base types written in C; composites are among relations.
func (l *lister) otherTypes() {
	l.query(2, `SELECT t.oid, n.nspname::text, t.typname::text FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
		WHERE t.typtype IN ('b', 'p') AND t.typcategory <> 'A' AND `+userType+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			it := l.add(classType, oid, rankType, database.BeforeTables, named("type", t[0], t[1]))
			it.object.Lost = "a base type outside an extension cannot be carried"
		})
}

func (l *lister) functions() {
	l.query(4, `SELECT p.oid, n.nspname::text, p.proname::text || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
		pg_catalog.pg_get_functiondef(p.oid), CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE p.prokind <> 'a' AND `+userNamespace+` AND `+notMember("pg_proc", "p.oid")+`
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend i WHERE i.classid = 'pg_catalog.pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i') ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classProcedure, oid, rankFunction, database.BeforeTables, named(t[3], t[0], t[1]), t[2])
		})
}

func (l *lister) aggregates() {
	l.query(3, `SELECT p.oid, n.nspname::text, p.proname::text || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
		format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %s, STYPE = %s', n.nspname, p.proname, coalesce(nullif(pg_catalog.pg_get_function_arguments(p.oid), ''), '*'), a.aggtransfn, pg_catalog.format_type(a.aggtranstype, NULL))
		|| CASE WHEN a.aggtransspace <> 0 THEN ', SSPACE = ' || a.aggtransspace ELSE '' END
		|| CASE WHEN a.aggfinalfn <> 0 THEN ', FINALFUNC = ' || a.aggfinalfn || CASE WHEN a.aggfinalextra THEN ', FINALFUNC_EXTRA' ELSE '' END || ', FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
		|| CASE WHEN a.aggcombinefn <> 0 THEN ', COMBINEFUNC = ' || a.aggcombinefn ELSE '' END
		|| CASE WHEN a.aggserialfn <> 0 THEN ', SERIALFUNC = ' || a.aggserialfn || ', DESERIALFUNC = ' || a.aggdeserialfn ELSE '' END
		|| coalesce(', INITCOND = ' || quote_literal(a.agginitval), '')
		|| CASE WHEN a.aggmtransfn <> 0 THEN ', MSFUNC = ' || a.aggmtransfn || ', MINVFUNC = ' || a.aggminvtransfn || ', MSTYPE = ' || pg_catalog.format_type(a.aggmtranstype, NULL) || CASE WHEN a.aggmtransspace <> 0 THEN ', MSSPACE = ' || a.aggmtransspace ELSE '' END ELSE '' END
		|| CASE WHEN a.aggmfinalfn <> 0 THEN ', MFINALFUNC = ' || a.aggmfinalfn || CASE WHEN a.aggmfinalextra THEN ', MFINALFUNC_EXTRA' ELSE '' END || ', MFINALFUNC_MODIFY = ' || CASE a.aggmfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
		|| coalesce(', MINITCOND = ' || quote_literal(a.aggminitval), '')
		|| coalesce((SELECT format(', SORTOP = OPERATOR(%I.%s)', sn.nspname, so.oprname) FROM pg_catalog.pg_operator so JOIN pg_catalog.pg_namespace sn ON sn.oid = so.oprnamespace WHERE so.oid = a.aggsortop), '')
		|| CASE WHEN a.aggkind = 'h' THEN ', HYPOTHETICAL' ELSE '' END
		|| CASE p.proparallel WHEN 's' THEN ', PARALLEL = safe' WHEN 'r' THEN ', PARALLEL = restricted' ELSE '' END || ')'
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE `+userNamespace+` AND `+notMember("pg_proc", "p.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classProcedure, oid, rankFunction, database.BeforeTables, named("aggregate", t[0], t[1]), t[2])
		})
}

func (l *lister) sequences() {
	for _, s := range l.catalog.sortedSequences() {
		id := named("sequence", s.Schema, s.Name)
		owner := l.catalog.relations[s.Owner]
		var it *item
		switch {
		case s.Internal && owner != nil:
			it = l.add(classRelation, s.OID, rankSequence, database.Tables, id, identityDDL(s, owner))
		case owner != nil:
			it = l.add(classRelation, s.OID, rankSequence, database.Tables, id, sequenceDDL(s),
				"ALTER SEQUENCE "+s.sql()+" OWNED BY "+owner.sql()+"."+quote(owner.columnOf(s.Attribute).Name))
		default:
			it = l.add(classRelation, s.OID, rankSequence, database.BeforeTables, id, sequenceDDL(s))
		}
		it.excluded = owner != nil && !l.takes(owner)
	}
}

func (l *lister) takes(r *relation) bool {
	for r.Partition && len(r.Parents) == 1 && l.catalog.relations[r.Parents[0]] != nil {
		r = l.catalog.relations[r.Parents[0]]
	}
	return l.filter.Takes("public", r.Schema, r.Name)
}

func sequenceOptions(s *sequence) string {
	cycle := ""
	if s.Cycle {
		cycle = " CYCLE"
	}
	return fmt.Sprintf("START WITH %d INCREMENT BY %d MINVALUE %d MAXVALUE %d CACHE %d%s", s.Start, s.Increment, s.Min, s.Max, s.Cache, cycle)
}

func sequenceDDL(s *sequence) string {
	unlogged := ""
	if s.Persist == "u" {
		unlogged = "UNLOGGED "
	}
	return "CREATE " + unlogged + "SEQUENCE " + s.sql() + " AS " + s.Type + " " + sequenceOptions(s)
}

func identityDDL(s *sequence, owner *relation) string {
	col := owner.columnOf(s.Attribute)
	how := "BY DEFAULT"
	if col.Identity == "a" {
		how = "ALWAYS"
	}
	return "ALTER TABLE " + owner.sql() + " ALTER COLUMN " + quote(col.Name) + " ADD GENERATED " + how +
		" AS IDENTITY (SEQUENCE NAME " + s.sql() + " " + sequenceOptions(s) + ")"
}

// relations lists tables, partitions and composite types, and columns' defaults.
func (l *lister) relations() {
	for _, oid := range l.catalog.order {
		r := l.catalog.relations[oid]
		switch {
		case r.Kind == "c":
			l.add(classRelation, oid, rankType, database.BeforeTables, named("type", r.Schema, r.Name), compositeDDL(r))
		case r.Kind == "f":
			it := l.add(classRelation, oid, rankTable, database.AtEnd, named("foreign table", r.Schema, r.Name))
			it.object.Lost = "foreign tables hold no data of their own and are not carried"
		case r.Kind == "r" || r.Kind == "p":
			l.table(r)
		}
	}
}

func compositeDDL(r *relation) string {
	parts := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		parts[i] = quote(c.Name) + " " + c.Format + collate(c)
	}
	return "CREATE TYPE " + r.sql() + " AS (" + strings.Join(parts, ", ") + ")"
}

func collate(c *column) string {
	if c.Collation == "" {
		return ""
	}
	return " COLLATE " + c.Collation
}

func (l *lister) table(r *relation) {
	kind, rank := "table", rankTable
	if r.Partition {
		kind, rank = "partition", rankPartition
	}
	it := l.add(classRelation, r.OID, rank, database.Tables, named(kind, r.Schema, r.Name), l.catalog.tableDDL(r)...)
	it.excluded = !l.takes(r)
	for _, c := range r.Columns {
		if c.Default == "" || c.Generated != "" {
			continue
		}
		id := database.ObjectID{Kind: "default", Table: r.id(), Name: c.Name}
		l.add(classDefault, c.DefaultOID, rankDefault, database.Tables, id,
			"ALTER TABLE ONLY "+r.sql()+" ALTER COLUMN "+quote(c.Name)+" SET DEFAULT "+c.Default).excluded = it.excluded
	}
	for _, c := range r.Columns {
		if c.Must != nil && !c.Must.Validated && (c.Must.Local || r.Partition) {
			id := database.ObjectID{Kind: "not null", Table: r.id(), Name: c.Must.Name}
			l.add(classConstraint, c.Must.OID, rankConstraint, database.AfterData, id,
				"ALTER TABLE ONLY "+r.sql()+" ADD CONSTRAINT "+quote(c.Must.Name)+" NOT NULL "+quote(c.Name)+noInherit(c.Must)+" NOT VALID").excluded = it.excluded
		}
	}
	if r.Security {
		ddl := []string{"ALTER TABLE " + r.sql() + " ENABLE ROW LEVEL SECURITY"}
		if r.ForceRLS {
			ddl = append(ddl, "ALTER TABLE ONLY "+r.sql()+" FORCE ROW LEVEL SECURITY")
		}
		l.add(0, r.OID, rankEnd, database.AtEnd, database.ObjectID{Kind: "row security", Table: r.id(), Name: "enabled"}, ddl...).excluded = it.excluded
	}
	if r.Identity == "f" || r.Identity == "n" {
		how := map[string]string{"f": "FULL", "n": "NOTHING"}[r.Identity]
		l.add(0, r.OID, rankEnd, database.AtEnd, database.ObjectID{Kind: "replica identity", Table: r.id(), Name: strings.ToLower(how)},
			"ALTER TABLE ONLY "+r.sql()+" REPLICA IDENTITY "+how).excluded = it.excluded
	}
}

// tableDDL creates a table without defaults and constraints.
func (c *catalog) tableDDL(r *relation) []string {
	var columns []string
	for _, col := range r.Columns {
		if col.Local || r.Partition {
			columns = append(columns, "\n    "+columnDDL(r, col))
		}
	}
	create := "CREATE TABLE "
	if r.Persistence == "u" {
		create = "CREATE UNLOGGED TABLE "
	}
	create += r.sql() + " (" + strings.Join(columns, ",") + "\n)"
	if !r.Partition && len(r.Parents) > 0 {
		create += " INHERITS (" + c.names(r.Parents) + ")"
	}
	if r.PartKey != "" {
		create += " PARTITION BY " + r.PartKey
	}
	if r.Method != "" && r.Method != "heap" {
		create += " USING " + quote(r.Method)
	}
	ddl := append([]string{create + withOptions(r.Options)}, alterColumns(r)...)
	if r.OfType != "" {
		ddl = append(ddl, "ALTER TABLE ONLY "+r.sql()+" OF "+r.OfType)
	}
	if r.Partition {
		ddl = append(ddl, "ALTER TABLE ONLY "+c.names(r.Parents)+" ATTACH PARTITION "+r.sql()+" "+r.Bound)
	}
	return ddl
}

func (c *catalog) names(oids []uint32) string {
	var out []string
	for _, oid := range oids {
		if r := c.relations[oid]; r != nil {
			out = append(out, r.sql())
		}
	}
	return strings.Join(out, ", ")
}

// withOptions turns k=v pairs into a WITH clause.
func withOptions(options []string) string {
	if len(options) == 0 {
		return ""
	}
	var parts []string
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		parts = append(parts, name+" = "+literal(value))
	}
	return " WITH (" + strings.Join(parts, ", ") + ")"
}

func columnDDL(r *relation, c *column) string {
	sql := quote(c.Name) + " " + c.Format + collate(c)
	switch c.Compression {
	case "p":
		sql += " COMPRESSION pglz"
	case "l":
		sql += " COMPRESSION lz4"
	}
	if c.Generated == "s" {
		sql += " GENERATED ALWAYS AS (" + c.Default + ") STORED"
	}
	if c.Generated == "v" {
		sql += " GENERATED ALWAYS AS (" + c.Default + ")"
	}
	if c.NotNull {
		sql += notNullDDL(r, c)
	}
	return sql
}

func noInherit(n *notNull) string {
	if n.NoInherit {
		return " NO INHERIT"
	}
	return ""
}

// notNullDDL names a NOT NULL that has not the name that the server would give it.
func notNullDDL(r *relation, c *column) string {
	sql := " NOT NULL"
	if c.Must == nil {
		return sql
	}
	if c.Must.Name != r.Name+"_"+c.Name+"_not_null" {
		sql = " CONSTRAINT " + quote(c.Must.Name) + sql
	}
	return sql + noInherit(c.Must)
}

// alterColumns sets what CREATE TABLE has no clause for.
func alterColumns(r *relation) []string {
	var out []string
	alter := func(c *column, what string) {
		out = append(out, "ALTER TABLE ONLY "+r.sql()+" ALTER COLUMN "+quote(c.Name)+" "+what)
	}
	for _, c := range r.Columns {
		switch {
		case c.Local || r.Partition || !c.NotNull:
		case c.Must == nil:
			alter(c, "SET NOT NULL")
		case c.Must.Local:
			out = append(out, "ALTER TABLE ONLY "+r.sql()+" ADD CONSTRAINT "+quote(c.Must.Name)+" NOT NULL "+quote(c.Name)+noInherit(c.Must))
		}
		if c.Storage != "" {
			alter(c, "SET STORAGE "+map[string]string{"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}[c.Storage])
		}
		if c.Statistics >= 0 {
			alter(c, fmt.Sprintf("SET STATISTICS %d", c.Statistics))
		}
		if len(c.Options) > 0 {
			alter(c, "SET "+strings.TrimPrefix(withOptions(c.Options), " WITH "))
		}
	}
	return out
}

// literal quotes a string.
func literal(s string) string {
	if strings.Contains(s, `\`) {
		return " E'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func (l *lister) views() {
	l.query(4, `SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, pg_catalog.pg_get_viewdef(c.oid)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('v', 'm') AND `+userNamespace+` AND `+notMember("pg_class", "c.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) { l.view(oid, t[0], t[1], t[2], strings.TrimSuffix(t[3], ";")) })
	l.query(2, `SELECT c.oid, n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'm' AND c.relispopulated AND `+userNamespace+` AND `+notMember("pg_class", "c.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(0, oid, rankRefresh, database.AtEnd, named("contents of materialized view", t[0], t[1]), "REFRESH MATERIALIZED VIEW "+qualified(t[0], t[1]))
		})
}

func (l *lister) view(oid uint32, schema, name, kind, definition string) {
	r := l.catalog.relations[oid]
	if kind == "v" {
		l.add(classRelation, oid, rankView, database.Tables, named("view", schema, name),
			"CREATE VIEW "+r.sql()+withOptions(r.Options)+" AS\n"+definition)
		for _, c := range r.Columns {
			if c.Default != "" {
				l.add(classDefault, c.DefaultOID, rankEnd, database.AtEnd, database.ObjectID{Kind: "default", Table: r.id(), Name: c.Name},
					"ALTER TABLE ONLY "+r.sql()+" ALTER COLUMN "+quote(c.Name)+" SET DEFAULT "+c.Default)
			}
		}
		return
	}
	create := "CREATE MATERIALIZED VIEW " + r.sql() + withOptions(r.Options) + " AS\n" + definition + "\n  WITH NO DATA"
	l.add(classRelation, oid, rankView, database.Tables, named("materialized view", schema, name), append([]string{create}, alterColumns(r)...)...)
}

// constraintKinds are our words for pg_constraint.contype.
var constraintKinds = map[string]string{"p": "primary key", "u": "unique", "f": "foreign key", "c": "check", "x": "exclusion"}

func (l *lister) constraints() {
	parents := map[uint32]uint32{} // index of a partition's key → index of the parent's
	for _, x := range l.catalog.indexes {
		parents[x.OID] = x.Parent
	}
	for _, k := range l.catalog.constraints {
		r := l.catalog.relations[k.Relation]
		if r == nil || k.Relation == 0 || !k.Local && k.Type == "c" || k.Parent != 0 && k.Type == "f" {
			continue
		}
		rank, only := rankConstraint, "ONLY "
		if k.Type == "f" {
			rank = rankForeign
		}
		if r.Kind == "p" && k.Type == "f" || k.Type == "c" {
			only = ""
		}
		ddl := []string{"ALTER TABLE " + only + r.sql() + " ADD CONSTRAINT " + quote(k.Name) + " " + k.Definition}
		if parent := l.catalog.index(parents[k.Index]); parent != nil && k.Index != 0 && k.Type != "f" {
			ddl = append(ddl, "ALTER INDEX "+qualified(parent.Schema, parent.Name)+" ATTACH PARTITION "+qualified(r.Schema, k.Name))
		}
		if x := l.catalog.index(k.Index); x != nil && k.Type != "f" {
			ddl = append(ddl, indexFlags(r, x)...)
		}
		id := database.ObjectID{Kind: constraintKinds[k.Type], Table: r.id(), Name: k.Name}
		it := l.add(classConstraint, k.OID, rank, database.AfterData, id, ddl...)
		it.excluded = !l.takes(r) || k.Foreign != 0 && l.catalog.relations[k.Foreign] != nil && !l.takes(l.catalog.relations[k.Foreign])
	}
}

func (c *catalog) index(oid uint32) *index {
	for _, x := range c.indexes {
		if x.OID == oid && oid != 0 {
			return x
		}
	}
	return nil
}

// indexFlags sets what the definitions of an index and of a constraint have no clause for.
func indexFlags(r *relation, x *index) []string {
	var out []string
	for _, s := range x.Statistics {
		out = append(out, "ALTER INDEX "+qualified(x.Schema, x.Name)+" ALTER COLUMN "+s)
	}
	if x.Constraint != 0 && len(x.Options) > 0 {
		out = append(out, "ALTER INDEX "+qualified(x.Schema, x.Name)+" SET"+strings.TrimPrefix(withOptions(x.Options), " WITH"))
	}
	if x.Clustered {
		out = append(out, "ALTER TABLE "+r.sql()+" CLUSTER ON "+quote(x.Name))
	}
	if x.ReplIdent {
		out = append(out, "ALTER TABLE ONLY "+r.sql()+" REPLICA IDENTITY USING INDEX "+quote(x.Name))
	}
	return out
}

func (l *lister) indexes() {
	for _, x := range l.catalog.indexes {
		r := l.catalog.relations[x.Relation]
		if r == nil || x.Constraint != 0 {
			continue
		}
		ddl := []string{x.Definition}
		if parent := l.catalog.index(x.Parent); parent != nil {
			ddl = append(ddl, "ALTER INDEX "+qualified(parent.Schema, parent.Name)+" ATTACH PARTITION "+qualified(x.Schema, x.Name))
		}
		it := l.add(classRelation, x.OID, rankIndex, database.AfterData, database.ObjectID{Kind: "index", Table: r.id(), Name: x.Name}, append(ddl, indexFlags(r, x)...)...)
		it.excluded = !l.takes(r)
	}
}

// onTable lists objects that hang on a relation: OID, schema, relation, name, DDL.
func (l *lister) onTable(class uint32, kind, sql string) {
	l.query(4, sql, func(oid uint32, t []string) {
		it := l.add(class, oid, rankEnd, database.AtEnd, database.ObjectID{Kind: kind, Table: database.JoinName(t[0], t[1]), Name: t[2]}, sqltext.Postgres.Split(t[3])...)
		it.excluded = !l.filter.Takes("public", t[0], t[1])
	})
}

const onRelation = ` JOIN pg_catalog.pg_class c ON c.oid = %s JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ` + userNamespace + ` `

func (l *lister) statistics() {
	l.onTable(classStatistics, "statistics", `SELECT s.oid, n.nspname::text, c.relname::text, s.stxname::text, pg_catalog.pg_get_statisticsobjdef(s.oid)
		|| CASE WHEN `+l.catalog.since(13, "s.stxstattarget", "-1")+` >= 0 THEN format('; ALTER STATISTICS %s SET STATISTICS %s', i.identity, `+l.catalog.since(13, "s.stxstattarget", "-1")+`) ELSE '' END
		FROM pg_catalog.pg_statistic_ext s CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, 0) i`+
		fmt.Sprintf(onRelation, "s.stxrelid")+`ORDER BY 2, 3, 4`)
}

// enabled says in which sessions a rule or a trigger acts, where it is not in all ordinary ones.
const enabled = `CASE %[1]s WHEN 'O' THEN '' ELSE format('; ALTER TABLE %%I.%%I %%s %[2]s %%I', n.nspname, c.relname, CASE %[1]s WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END, %[3]s) END`

func (l *lister) rules() {
	l.onTable(classRewrite, "rule", `SELECT r.oid, n.nspname::text, c.relname::text, r.rulename::text, pg_catalog.pg_get_ruledef(r.oid) || `+fmt.Sprintf(enabled, "r.ev_enabled", "RULE", "r.rulename")+` FROM pg_catalog.pg_rewrite r`+
		fmt.Sprintf(onRelation, "r.ev_class")+`AND r.rulename <> '_RETURN' AND `+notMember("pg_class", "c.oid")+` ORDER BY 2, 3, 4`)
}

func (l *lister) triggers() {
	l.onTable(classTrigger, "trigger", `SELECT t.oid, n.nspname::text, c.relname::text, t.tgname::text, pg_catalog.pg_get_triggerdef(t.oid)
		|| `+fmt.Sprintf(enabled, "t.tgenabled", "TRIGGER", "t.tgname")+`
		FROM pg_catalog.pg_trigger t`+fmt.Sprintf(onRelation, "t.tgrelid")+`AND NOT t.tgisinternal AND `+l.catalog.since(13, "t.tgparentid = 0", "true")+` ORDER BY 2, 3, 4`)
	if l.catalog.major() < 13 {
		return
	}
	// A partition's trigger comes with its parent's, and may be in another state.
	l.onTable(classTrigger, "trigger", `SELECT t.oid, n.nspname::text, c.relname::text, t.tgname::text,
		format('ALTER TABLE %I.%I %s TRIGGER %I', n.nspname, c.relname, CASE t.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END, t.tgname)
		FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_trigger parent ON parent.oid = t.tgparentid`+fmt.Sprintf(onRelation, "t.tgrelid")+`AND t.tgenabled <> parent.tgenabled AND NOT parent.tgisinternal ORDER BY 2, 3, 4`)
}

func (l *lister) policies() {
	l.onTable(classPolicy, "policy", `SELECT p.oid, n.nspname::text, c.relname::text, p.polname::text,
		format('CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s', p.polname, n.nspname, c.relname, CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
		       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
		       (SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', ') FROM unnest(p.polroles) r))
		|| coalesce(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '') || coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
		FROM pg_catalog.pg_policy p`+fmt.Sprintf(onRelation, "p.polrelid")+`ORDER BY 2, 3, 4`)
}

func (l *lister) publications() {
	details, schemas := "", ""
	if l.catalog.major() >= 15 { // which columns and rows, and all tables of schemas
		details = `|| coalesce(' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) || ')', '')
			|| coalesce(' WHERE (' || pg_catalog.pg_get_expr(r.prqual, r.prrelid) || ')', '')`
		schemas = ` UNION ALL SELECT 'TABLES IN SCHEMA ' || quote_ident(n.nspname) FROM pg_catalog.pg_publication_namespace s JOIN pg_catalog.pg_namespace n ON n.oid = s.pnnspid WHERE s.pnpubid = p.oid`
	}
	l.query(2, `SELECT p.oid, p.pubname::text,
		format('CREATE PUBLICATION %I%s WITH (publish = %L%s%s)', p.pubname,
		CASE WHEN p.puballtables THEN ' FOR ALL TABLES' ELSE coalesce(' FOR ' || (SELECT string_agg(x.what, ', ' ORDER BY x.what) FROM (
		   SELECT format('TABLE ONLY %I.%I', n.nspname, c.relname) `+details+` AS what
		   FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE r.prpubid = p.oid`+schemas+`) x), '') END,
		concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
		CASE WHEN `+l.catalog.since(13, "p.pubviaroot", "false")+` THEN ', publish_via_partition_root = true' ELSE '' END,
		CASE WHEN `+l.catalog.since(18, "p.pubgencols = 's'", "false")+` THEN ', publish_generated_columns = stored' ELSE '' END)
		FROM pg_catalog.pg_publication p ORDER BY 2`,
		func(oid uint32, t []string) {
			it := l.add(classPublication, oid, rankEnd, database.AtEnd, named("publication", "", t[0]), t[1])
			it.excluded = !l.filter.Empty() // it may name what is left out
		})
}

func (l *lister) eventTriggers() {
	l.query(2, `SELECT e.oid, e.evtname::text, format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s()', e.evtname, e.evtevent,
		coalesce(' WHEN TAG IN (' || (SELECT string_agg(quote_literal(t), ', ') FROM unnest(e.evttags) t) || ')', ''), e.evtfoid::regproc)
		|| CASE e.evtenabled WHEN 'O' THEN '' ELSE format('; ALTER EVENT TRIGGER %I %s', e.evtname, CASE e.evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END) END
		FROM pg_catalog.pg_event_trigger e WHERE `+notMember("pg_event_trigger", "e.oid")+` ORDER BY 2`,
		func(oid uint32, t []string) {
			l.add(classEventTrigger, oid, rankEnd, database.AtEnd, named("event trigger", "", t[0]), sqltext.Postgres.Split(t[1])...)
		})
}

// comments turns an object's identity into the words of COMMENT ON.
func (l *lister) comments() {
	l.query(3, `SELECT d.objoid, i.type, i.identity, d.description
		FROM pg_catalog.pg_description d, pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) i
		WHERE (d.objoid >= `+fmt.Sprint(firstUser)+` AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
		       OR d.classoid = 'pg_catalog.pg_namespace'::regclass AND i.identity = 'public' AND d.description <> 'standard public schema'
		       OR d.classoid = 'pg_catalog.pg_largeobject'::regclass) ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			if on, ok := commentTarget(t[0], t[1]); ok {
				it := l.add(0, oid, rankComment, database.AtEnd, named("comment", "", t[0]+" "+t[1]), "COMMENT ON "+on+" IS "+literal(t[2]))
				it.excluded = l.aboutExcluded(oid) || t[0] == "large object" && !l.filter.Empty()
			}
		})
	// An extension that is made has the comment of its files, which somebody may have taken away.
	l.query(1, `SELECT x.oid, quote_ident(x.extname) FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_available_extensions a ON a.name = x.extname
		WHERE a.comment IS NOT NULL AND x.extname <> 'plpgsql' AND pg_catalog.obj_description(x.oid, 'pg_extension') IS NULL ORDER BY 2`,
		func(oid uint32, t []string) {
			l.add(0, oid, rankComment, database.AtEnd, named("comment", "", "extension "+t[0]), "COMMENT ON EXTENSION "+t[0]+" IS NULL")
		})
}

// extensionDependents lists what is dropped together with an extension, by its user's wish.
func (l *lister) extensionDependents() {
	l.query(3, `SELECT d.objid, i.identity, x.extname::text, upper(i.type) FROM pg_catalog.pg_depend d
		JOIN pg_catalog.pg_extension x ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.oid = d.refobjid,
		pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i WHERE d.deptype = 'x' ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			it := l.add(0, oid, rankGrant, database.AtEnd, named("dependence", "", t[0]+" on extension "+t[1]), "ALTER "+t[2]+" "+t[0]+" DEPENDS ON EXTENSION "+quote(t[1]))
			it.excluded = !l.filter.Empty()
		})
}

func (l *lister) aboutExcluded(oid uint32) bool {
	r := l.catalog.relations[oid]
	return r != nil && r.isData() && !l.takes(r)
}

func commentTarget(kind, identity string) (string, bool) {
	switch {
	case strings.HasSuffix(kind, " column"):
		return "COLUMN " + identity, true
	case kind == "table constraint":
		return "CONSTRAINT " + identity, true
	case kind == "domain constraint":
		name, domain, ok := strings.Cut(identity, " on ")
		return "CONSTRAINT " + name + " ON DOMAIN " + domain, ok
	case kind == "composite type":
		return "TYPE " + identity, true
	case kind == "default value":
		return "", false
	case kind == "statistics object":
		return "STATISTICS " + identity, true
	}
	return strings.ToUpper(kind) + " " + identity, true
}

// grantedNamespace is where privileges count as a database's own, as for pg_dump.
const grantedNamespace = `(n.nspname = 'pg_catalog' OR ` + userNamespace + `)`

// withPrivileges gives all that has privileges: class, oid, column, what it is called, acl, owner,
// and its kind for acldefault.
const withPrivileges = `
	SELECT 'pg_class'::regclass AS class, c.oid, 0 AS sub, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END || format(' %I.%I', n.nspname, c.relname) AS what, '' AS col,
	       c.relacl AS acl, c.relowner AS owner, (CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char" AS kind
	  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m','S','f') AND c.relacl IS NOT NULL AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_class'::regclass, c.oid, t.attnum, format('TABLE %I.%I', n.nspname, c.relname), format(' (%I)', t.attname), t.attacl, c.relowner, 'c'
	  FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE t.attacl IS NOT NULL AND NOT t.attisdropped AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0, CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), '',
	       p.proacl, p.proowner, 'f' FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE p.proacl IS NOT NULL AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_type'::regclass, t.oid, 0, format('TYPE %I.%I', n.nspname, t.typname), '', t.typacl, t.typowner, 'T'
	  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typacl IS NOT NULL AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_namespace'::regclass, n.oid, 0, format('SCHEMA %I', n.nspname), '', n.nspacl, n.nspowner, 'n' FROM pg_catalog.pg_namespace n WHERE n.nspacl IS NOT NULL AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_language'::regclass, l.oid, 0, format('LANGUAGE %I', l.lanname), '', l.lanacl, l.lanowner, 'l' FROM pg_catalog.pg_language l WHERE l.lanacl IS NOT NULL`

// grants lists privileges that differ from what a new object has; of the server's own things and
// those of extensions, from what these had.
func (l *lister) grants() {
	l.query(2, `WITH a AS (`+withPrivileges+`),
		b AS (SELECT a.*, coalesce((SELECT i.initprivs FROM pg_catalog.pg_init_privs i WHERE i.objoid = a.oid AND i.objsubid = a.sub AND i.classoid = a.class), pg_catalog.acldefault(kind, owner)) AS base FROM a),
		g AS (SELECT oid, what, col, owner, x.grantee, x.privilege_type, x.is_grantable FROM b, pg_catalog.aclexplode(acl) x
		      EXCEPT SELECT oid, what, col, owner, x.grantee, x.privilege_type, x.is_grantable FROM b, pg_catalog.aclexplode(base) x),
		r AS (SELECT oid, what, col, owner, x.grantee, x.privilege_type FROM b, pg_catalog.aclexplode(base) x
		      EXCEPT SELECT oid, what, col, owner, x.grantee, x.privilege_type FROM b, pg_catalog.aclexplode(acl) x)
		SELECT oid, what || col, format('REVOKE %s%s ON %s FROM %s', privilege_type, col, what, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(grantee)) END) FROM r
		UNION ALL SELECT oid, what || col, format('GRANT %s%s ON %s TO %s%s', privilege_type, col, what, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM g
		ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			it := l.add(0, oid, rankGrant, database.AtEnd, named("grant", "", t[1]), t[1])
			it.excluded = l.aboutExcluded(oid)
		})
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
