package postgres

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

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
